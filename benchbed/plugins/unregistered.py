"""Classes that nobody registered, named `package.module:Class`: of an installed package or of a file at hand."""

import os
import sys
from pathlib import Path

from benchbed.errors import OptionError
from benchbed.plugins.sources import public_class, source_path

__all__ = ["can_import", "refuse_files", "where_searched"]


def can_import(name: str, prefixes: set[str]) -> bool:
    """Whether a name that no plug-in has is `package.module:Class`, of a module that can be imported.

    A file in the current folder can: that is put on `sys.path`, which an installed command does not search.

    Args:
        name: as it was given.
        prefixes: of distributions, which may come before a colon as well.
    """
    module, _, cls = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), cls)):
        return False
    here = os.getcwd()
    if not source_path(module) and here not in sys.path and Path(*module.split(".")).with_suffix(".py").is_file():
        sys.path.append(here)
    path = source_path(module)
    # What follows a prefix may be a registered name, mistyped.
    return path is not None and (module not in prefixes or cls.encode() in path.read_bytes())


def refuse_files(owner: str, name: str) -> None:
    """A class is named by its module: say so where somebody names a file, or one that Python would never find.

    Args:
        owner: how messages name it.
        name: as it was given.

    Raises:
        OptionError: it is one of those.
    """
    file, _, cls = name.partition(":")
    here, is_path = Path(f"{file}.py"), Path(file).suffix == ".py"
    if is_path or (not cls and file.isidentifier() and here.is_file()):
        path = Path(file) if is_path else here
        named = f"{path.stem}:{cls or _class_of(path)}"
        where = f" from the folder {path.parent}" if path.parent != Path() else ""
        found = "a path" if is_path else f"the name of the file {here}"
        raise OptionError(f"{owner}: expected package.module:Class, found {found}; write '{named}'{where}")
    installed = source_path(file) if file.isidentifier() else None
    hidden = file in sys.stdlib_module_names or (installed is not None and installed.resolve() != here.resolve())
    if cls and here.is_file() and hidden:
        raise OptionError(
            f"{owner}: {here} is hidden by the installed module '{file}', which would run; rename the file"
        )


def where_searched(name: str) -> str:
    """What a message adds of a name with a module before its colon that is not to be found; else nothing."""
    module, colon, _ = name.partition(":")
    if not colon or source_path(module):
        return ""
    return f"; no module '{module}' is installed, and none lies in {os.getcwd()}"


def _class_of(path: Path) -> str:
    """The class that a file was probably named for."""
    try:
        return public_class(path) or "ItsClass"
    except (OSError, SyntaxError, ValueError):
        return "ItsClass"
