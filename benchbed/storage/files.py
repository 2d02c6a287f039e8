"""Files that are either whole or absent: strict YAML, atomic writes, one writer a folder."""

import contextlib
import csv
import io
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import yaml

from benchbed.errors import BusyError, StorageError

__all__ = [
    "LOCK",
    "YamlError",
    "csv_text",
    "dump_yaml",
    "exclusive",
    "load_yaml",
    "write_atomically",
    "write_text",
    "write_yaml",
]

LOCK = ".lock"
"""What `exclusive` leaves in a folder."""


class YamlError(ValueError):
    """The text is no YAML, or YAML that reads differently from what it looks like."""


_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it, as its wheels are: ten times as fast."""


class _StrictLoader(_Loader):
    """PyYAML keeps the last of duplicate keys without a word and has infinity; here both are errors."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise YamlError(f"line {key_node.start_mark.line + 1}: expected a text key, found {key!r}")
            if key in seen:
                raise YamlError(f"line {key_node.start_mark.line + 1}: key '{key}' stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _finite(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    value = yaml.SafeLoader.construct_yaml_float(loader, node)
    if not math.isfinite(value):
        raise YamlError(f"line {node.start_mark.line + 1}: expected a finite number, found {node.value}")
    return value


_StrictLoader.add_constructor("tag:yaml.org,2002:float", _finite)


def load_yaml(text: str) -> Any:
    """Parse YAML strictly.

    Raises:
        YamlError: broken syntax, a key that stands twice, a key that is not text, or a number that is not finite.
    """
    try:
        return yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from None


def dump_yaml(data: Any) -> str:
    """Plain data as YAML, keys in the given order; a row of a table and a list of scalars take one line each."""
    return yaml.dump(_one_line_rows(data), Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=1000)


class _Dumper(yaml.SafeDumper):
    """Knows what stands on one line."""


class _Row(dict[str, Any]):
    """A mapping inside a list."""


class _Scalars(list[Any]):
    """A list that holds no list and no mapping."""


_Dumper.add_representer(
    _Row, lambda dumper, row: dumper.represent_mapping("tag:yaml.org,2002:map", row, flow_style=True)
)
_Dumper.add_representer(
    _Scalars, lambda dumper, row: dumper.represent_sequence("tag:yaml.org,2002:seq", row, flow_style=True)
)


def _one_line_rows(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _one_line_rows(value) for key, value in data.items()}
    if not isinstance(data, list):
        return data
    if any(isinstance(item, dict | list) for item in data):
        return [_Row(item) if isinstance(item, dict) else _one_line_rows(item) for item in data]
    return _Scalars(data)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under a temporary name and rename it, so that readers see the old file or the new one.

    Raises:
        StorageError: the file cannot be written; the old one is untouched.
    """
    # Writers of archives report a full disk each in a way of their own; into memory they write without a fault.
    content = io.BytesIO()
    write(content)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space and give the same command again "
            "(a run goes on from its last checkpoint), or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; errors are those of `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_yaml(path: Path, data: Any) -> None:
    """Write plain data as `dump_yaml` puts it; errors are those of `write_atomically`."""
    write_text(path, dump_yaml(data))


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for one process; the kernel lets go of it however the process ends.

    Raises:
        BusyError: another process holds it.
        StorageError: the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another benchbed process is training into {folder}; wait for it, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror or error}; choose another folder with --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: a column for every key that one of them has, in the order of those that have most."""
    columns = list(dict.fromkeys(key for row in sorted(rows, key=len, reverse=True) for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
