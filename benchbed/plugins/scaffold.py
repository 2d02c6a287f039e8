"""What `benchbed new` does: write a small complete package around a mixer or a task.

The files are `templates/both/` and `templates/<kind>/` with `@word@` filled in, in names and in text.
"""

import importlib.util
import keyword
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from benchbed import __version__
from benchbed.errors import OptionError, StorageError
from benchbed.plugins.registry import Kind, plugins
from benchbed.storage.files import write_text

__all__ = ["new_package"]


def new_package(kind: Kind, name: str, folder: Path) -> Path:
    """Write a package that installs, passes its own tests and runs on the bench as it stands.

    Args:
        kind: what it holds.
        name: of the mixer or task, in snake case; also of the module and, with hyphens, of the distribution.
        folder: where the package's own folder goes.

    Returns:
        The package's folder, `folder/name`.

    Raises:
        OptionError: the name cannot be a module, or belongs to something else.
        StorageError: the folder exists, or cannot be written.
    """
    _refuse(kind, name)
    target = folder / name
    if target.exists():
        raise StorageError(f"{target} exists already; remove it, or choose another name or --dir")
    words = {
        "kind": kind,
        "name": name,
        "class": "".join(part.capitalize() for part in name.split("_")),
        "distribution": name.replace("_", "-"),
        "benchbed": __version__,
        "command": f"benchbed check {name}" if kind == "mixer" else f"benchbed check --task {name}",
    }
    templates = files("benchbed.plugins").joinpath("templates")
    for part in ("both", kind):
        _copy(templates.joinpath(part), target, words)
    return target


def _refuse(kind: Kind, name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise OptionError(
            f"expected a {kind} name of lower-case letters, digits and single underscores that is no word of Python, "
            f"as in 'moving_average', found '{name}'"
        )
    if any(plugin.built_in and plugin.name == name for plugin in plugins(kind)):
        raise OptionError(f"'{name}' is a built-in {kind}, and its name is reserved; choose another")
    if importlib.util.find_spec(name) is not None:
        raise OptionError(f"a module '{name}' is installed already, and would be hidden; choose another name")


def _copy(source: Traversable, target: Path, words: dict[str, str]) -> None:
    for child in source.iterdir():
        path = target / _fill(child.name.removesuffix(".in"), words)
        if child.is_dir():
            _copy(child, path, words)
        else:
            write_text(path, _fill(child.read_text(encoding="utf-8"), words))


def _fill(text: str, words: dict[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda match: words[match[1]], text)
