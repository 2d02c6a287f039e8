"""Which mixers, tasks and capabilities there are: built-ins by folder, everybody else's by entry point.

Listing imports nothing. Built-ins are found by listing the package (file stem = name; in a folder,
`folder:stem`), because the entry points of an editable install go stale when a file is added. Others register
`name = "package.module:Class"` in the entry-point group `benchbed.mixers`, `.tasks` or `.capabilities`.
"""

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import Distribution, entry_points, version
from typing import Any, Literal
from weakref import WeakKeyDictionary

from benchbed.errors import OptionError, PluginError, UnknownNameError
from benchbed.plugins.imports import import_class
from benchbed.plugins.options import refuse_unknown, resolve_options
from benchbed.plugins.requirements import CUDA, lacking, library_versions
from benchbed.plugins.sources import (
    class_attribute,
    first_line,
    is_as_written,
    keyword_arguments,
    public_class,
    source_files,
    source_hash,
    source_path,
)
from benchbed.plugins.unregistered import can_import, refuse_files, where_searched

__all__ = ["NO_PLUGINS", "PLURAL", "POSITIONAL", "Kind", "Plugin", "find", "name_of", "plugins"]

Kind = Literal["mixer", "task", "capability"]

PLURAL: dict[Kind, str] = {"mixer": "mixers", "task": "tasks", "capability": "capabilities"}
"""Of the folder of built-ins, the entry-point group and `benchbed list`."""

POSITIONAL: dict[Kind, tuple[str, ...]] = {"mixer": ("dim", "length"), "task": ("generator",), "capability": ()}
"""What the engine hands to the constructor by position; everything else is an option."""

NO_PLUGINS = "BENCHBED_NO_PLUGINS"
"""Environment variable that, set to anything, hides all plug-ins: the way out when one hangs at import."""

_hashes: WeakKeyDictionary[type, str | None] = WeakKeyDictionary()
"""Of the source of each class, when it was first loaded in this process."""

_BUILT_IN = "benchbed"
_UNREGISTERED = "unregistered"


@dataclass(frozen=True)
class Plugin:
    """One mixer, task or capability that is installed; its code is not imported before `load`."""

    kind: Kind
    name: str
    distribution: str
    version: str
    target: str
    """`"package.module:Class"`"""

    @property
    def built_in(self) -> bool:
        """Whether it comes with benchbed."""
        return self.distribution == _BUILT_IN

    @property
    def registered(self) -> bool:
        """Whether a distribution stands behind it; if not, it is a class that the user named."""
        return self.distribution != _UNREGISTERED

    @property
    def label(self) -> str:
        """The name under which a command line finds it: with its distribution, if that is not benchbed."""
        return self.name if self.built_in or not self.registered else f"{self.distribution}:{self.name}"

    @property
    def owner(self) -> str:
        """How messages name it."""
        return f"{self.kind} '{self.label}'"

    @cached_property
    def description(self) -> str:
        """The first line of the class docstring, read without importing it."""
        return first_line(self.target)

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """What it says it needs besides benchbed, read without importing it; see `benchbed.contracts.Mixer`."""
        given = class_attribute(self.target, "needs")
        names = [given] if isinstance(given, str) else given
        return tuple(n for n in names if n and isinstance(n, str)) if isinstance(names, list | tuple) else ()

    @property
    def unavailable(self) -> str | None:
        """Why it cannot be used on this machine; None if it can."""
        missing = lacking(self.needs)
        named = ("a CUDA device" if need == CUDA else need for need in missing)
        return f"unavailable here, needs {' and '.join(named)}" if missing else None

    @property
    def needs_cuda(self) -> bool:
        """Whether it computes on a GPU alone."""
        return CUDA in self.needs

    @cached_property
    def source_hash(self) -> str | None:
        """See `benchbed.plugins.sources.source_hash`."""
        return source_hash(self.target.partition(":")[0])

    @cached_property
    def files(self) -> frozenset[str]:
        """Real paths of the files that hold its code: its own, and those of its package that it imports."""
        found = source_files(self.target.partition(":")[0])
        return frozenset(os.path.realpath(path) for path in found.values())

    def load(self) -> type:
        """Import the class.

        Raises:
            PluginError: something that it needs is lacking, the import failed in any way, or there is no such class.
        """
        if self.unavailable:
            libraries = " ".join(need for need in lacking(self.needs) if need != CUDA)
            hint = f"; pip install {libraries}" if libraries else ""
            raise PluginError(f"{self.owner} is {self.unavailable}{hint}")
        stands = f"distribution {self.distribution} {self.version}, {self.target}"
        where = f"{self.owner} ({stands if self.registered else source_path(self.target.partition(':')[0])})"
        try:
            cls = import_class(self.target)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import must cost this plug-in and nothing else.
            remedy = "mend or uninstall that package" if self.registered else "mend that file"
            raise PluginError(f"{where} cannot be loaded: {type(error).__name__}: {error}; {remedy}") from error
        if not inspect.isclass(cls):
            raise PluginError(f"{where}: expected a class, found {type(cls).__name__}")
        if self._stale(cls):
            raise PluginError(
                f"{where}: its source has changed since this process imported it; restart Python, or call "
                f"importlib.reload on its module, so that what trains is what is written"
            )
        absent = _absent(self.kind, cls)
        if absent:
            raise PluginError(f"{where}: expected {absent}; benchbed.contracts says what a {self.kind} must have")
        return cls

    def refuse_unknown(self, given: Mapping[str, Any]) -> None:
        """Say that an option does not exist, where the source says so, before anything is imported.

        Raises:
            OptionError: one of those given is not known.
        """
        written = keyword_arguments(self.target) if given else None
        if written is not None:
            refuse_unknown(given, written, self.owner)

    def _stale(self, cls: type) -> bool:
        """Whether a class, in a process that lives long, is no longer the one in its file."""
        known = _hashes.setdefault(cls, self.source_hash)
        return known != self.source_hash or not is_as_written(cls)

    def resolve(self, given: Mapping[str, Any], *, text: bool = False) -> dict[str, Any]:
        """Validate options for this plug-in and fill in the defaults; see `resolve_options`."""
        self.refuse_unknown(given)
        return resolve_options(self.load(), POSITIONAL[self.kind], given, owner=self.owner, text=text)


def plugins(kind: Kind) -> list[Plugin]:
    """Every mixer, task or capability that is installed: built-ins first, each part sorted by name."""
    return _built_in(kind) + _third_party(kind)


def find(kind: Kind, name: str) -> Plugin:
    """The plug-in called `name`, or `distribution:name`; `package.module:Class` is a class that nobody registered.

    A built-in name always means the built-in.

    Raises:
        UnknownNameError: nothing has this name.
        PluginError: several distributions have it.
    """
    installed = plugins(kind)
    matches = [p for p in installed if name in (p.name, f"{p.distribution}:{p.name}")]
    if not matches:
        refuse_files(f"{kind} '{name}'", name)
        if can_import(name, {p.label.partition(":")[0] for p in installed}):
            return Plugin(kind, name, _UNREGISTERED, "0", name)
        known = {p.name for p in installed} | {p.label for p in installed}
        raise UnknownNameError(kind, name, known, f"benchbed list {PLURAL[kind]}", where_searched(name))
    if len(matches) > 1 and not matches[0].built_in:
        rivals = " and ".join(f"{p.distribution} {p.version}" for p in matches)
        choices = " or ".join(f"'{p.label}'" for p in matches)
        raise PluginError(f"{kind} '{name}' is registered by {rivals}; choose {choices}, or uninstall one")
    return matches[0]


def name_of(kind: Kind, given: str | type) -> str:
    """The name under which a class is found again, in this process, in a worker and in a later session.

    Raises:
        OptionError: there is none, because the class lies in no file.
    """
    if isinstance(given, str):
        return given
    module, name = given.__module__, given.__qualname__
    if module == "__main__" or "<locals>" in name:
        raise OptionError(
            f"{kind} {given.__name__}: expected a class that can be imported, found one made in a notebook or in a "
            f"function; put it into a file, my_{kind}.py, and hand in 'my_{kind}:{given.__name__}'"
        )
    target = f"{module}:{name}"
    return next((plugin.label for plugin in plugins(kind) if plugin.target == target), target)


def _absent(kind: Kind, cls: type) -> str | None:
    """What a class must have to be what it is registered as, and has not."""
    if kind == "mixer":
        from torch import nn

        return None if issubclass(cls, nn.Module) else "a torch.nn.Module"
    for name in ("prompts",) if kind == "capability" else ("sample", "solved"):
        if not callable(getattr(cls, name, None)):
            return f"a method `{name}`"
    return None if isinstance(getattr(cls, "version", None), int) else "a class attribute `version: int`"


def _built_in(kind: Kind) -> list[Plugin]:
    package = f"benchbed.{PLURAL[kind]}"
    init = source_path(f"{package}.__init__")
    files = [f.relative_to(init.parent) for f in init.parent.glob("**/[!_]*.py")] if init else []
    own = version(_BUILT_IN)
    found = []
    for file in sorted(files, key=lambda file: (len(file.parts), file)):
        parts = file.with_suffix("").parts
        target = f"{package}.{'.'.join(parts)}"
        cls = public_class(source_path(target) or file)
        if cls is None:
            raise PluginError(f"{file}: expected one public class, found none")
        plugin = Plugin(kind, ":".join(parts), _BUILT_IN, own, f"{target}:{cls}")
        # Other versions of the libraries that compute it make another run.
        libraries = "".join(f", {name} {known}" for name, known in library_versions(plugin.needs).items())
        found.append(replace(plugin, version=own + libraries) if libraries else plugin)
    return found


def _metadata(distribution: Distribution, key: str) -> str:
    try:
        return distribution.metadata[key] or "unknown"
    except Exception:  # whatever the parser of a broken file raises
        return "unknown"


def _third_party(kind: Kind) -> list[Plugin]:
    if os.environ.get(NO_PLUGINS):
        return []
    found = [
        # A distribution that was removed in part has entry points, and neither a name nor a version.
        Plugin(kind, point.name, _metadata(point.dist, "Name"), _metadata(point.dist, "Version"), point.value)
        for point in entry_points(group=f"benchbed.{PLURAL[kind]}")
        if point.dist is not None
    ]
    return sorted(set(found), key=lambda p: (p.name, p.distribution))
