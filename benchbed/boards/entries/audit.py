"""What can be proven of published entries without training: `benchbed leaderboard check`.

No plug-in is imported. Every problem names its file, its field, what was expected and what was found.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError

from benchbed.boards.entries.consistency import Discrepancy, check_entry, check_sources, short
from benchbed.boards.entries.entry import Entry, current_entries, digest, entry_folder, read_entry
from benchbed.boards.entries.published import published_files
from benchbed.boards.folders import is_archive
from benchbed.errors import EntryError
from benchbed.plugins.registry import Kind, plugins
from benchbed.storage.files import YamlError

__all__ = ["Problem", "audit"]


class Problem(NamedTuple):
    """One thing that is wrong."""

    file: str
    field: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: expected {short(self.expected)}, found {short(self.found)}"


def audit(boards: Path, chosen: Path | None = None, base: str | None = None) -> tuple[int, list[Problem]]:
    """Check entries, alone and against what was published before.

    Args:
        boards: the folder that holds the tracks.
        chosen: only this entry file, or those of this folder.
        base: git revision that was published; by default where this branch left the main one.

    Returns:
        The number of entries and all problems.

    Raises:
        EntryError: nothing was chosen that is an entry, or there is no such revision.
    """
    published = {_kept(boards, path, text): text for path, text in published_files(boards, base).items()}
    entries, found = dict[Path, Entry](), list[tuple[Path, Discrepancy]]()
    files = sorted({*boards.glob("*/*/*.yaml"), *published})
    for path in files:
        entry, findings = _read_and_check(path, boards, published.get(path))
        found += [(path, finding) for finding in findings]
        if entry is not None:
            entries[path] = entry
    found += _across(entries)
    wanted = [p for p in files if chosen is None or chosen.resolve() in (p.resolve(), *p.resolve().parents)]
    if chosen is not None and not wanted:
        raise EntryError(f"{chosen}: expected an entry of {boards} or a folder with some, found none")
    return len(wanted), [Problem(str(p.relative_to(boards)), *finding) for p, finding in found if p in wanted]


def _kept(boards: Path, path: Path, text: str) -> Path:
    """Where a published entry lies today: in the archive, once its track has a newer version."""
    if path.is_file():
        return path
    try:
        return entry_folder(boards, Entry.model_validate(read_entry(text, str(path))).result) / path.name
    except (EntryError, YamlError, ValidationError):
        return path


def _read_and_check(path: Path, boards: Path, published: str | None) -> tuple[Entry | None, list[Discrepancy]]:
    if not path.is_file():
        return None, [
            Discrepancy("(file)", "the entry that was published; withdraw it instead of deleting it", "no file")
        ]
    found: list[Discrepancy] = []
    try:
        text = path.read_text(encoding="utf-8")
        data = read_entry(text, str(path))
    except EntryError as error:
        field, _, message = str(error).partition(": ")
        return None, [Discrepancy(field, *_expected_and_found(message))]
    except (OSError, UnicodeDecodeError, YamlError) as error:
        return None, [Discrepancy("(file)", "a readable entry", str(error))]
    sealed = digest(data) == data.get("digest")
    if published is not None and published != text:
        found += _changes(read_entry(published, f"{path} as published"), data, sealed=sealed)
    try:
        entry = Entry.model_validate(data)
    except ValidationError as error:
        return None, found + [_schema_finding(dict(e)) for e in error.errors(include_url=False)]
    found += check_entry(entry, path, boards)
    if not sealed:
        found.append(Discrepancy("digest", digest(data), f"{entry.digest}; the file was changed by hand"))
    return entry, found


def _schema_finding(error: dict[str, Any]) -> Discrepancy:
    place = ".".join(str(part) for part in error["loc"]) or "(entry)"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if message.startswith("expected "):
        return Discrepancy(place, *_expected_and_found(message))
    if error["type"] == "extra_forbidden":
        return Discrepancy(place, "no such field", error["input"])
    return Discrepancy(place, "a value" if error["type"] == "missing" else message, _input(error))


def _expected_and_found(message: str) -> tuple[str, str]:
    expected, _, found = message.removeprefix("expected ").partition(", found ")
    return expected, found


def _input(error: dict[str, Any]) -> object:
    return "none" if error["type"] == "missing" else error["input"]


def _changes(published: Any, found: Any, place: str = "", *, sealed: bool) -> Iterator[Discrepancy]:
    """Where data differ from the published ones, down to the single field.

    A sealed entry (its digest fits) may have been verified or withdrawn since.
    """
    if place == "digest" or (sealed and place == "withdrawn" and published is None):
        return
    if isinstance(published, dict) and isinstance(found, dict):
        for key in {**published, **found}:
            inner = f"{place}.{key}" if place else key
            if key in published and key in found:
                yield from _changes(published[key], found[key], inner, sealed=sealed)
            elif key in published:
                yield Discrepancy(inner, f"{short(published[key])} (as published)", "nothing")
            else:
                yield Discrepancy(inner, "nothing (as published)", found[key])
    elif isinstance(published, list) and isinstance(found, list):
        more, fewer = len(found) > len(published), len(found) < len(published)
        if fewer or (more and not (sealed and place == "verifications")):
            yield Discrepancy(place, f"{len(published)} items (as published)", len(found))
        for number, (before, after) in enumerate(zip(published, found, strict=False)):
            yield from _changes(before, after, f"{place}[{number}]", sealed=sealed)
    elif published != found or type(published) is not type(found):
        yield Discrepancy(place, f"{short(published)} (as published)", found)


def _across(entries: dict[Path, Entry]) -> Iterator[tuple[Path, Discrepancy]]:
    """No run stands on a board twice, what is superseded exists, and what counts was scored with today's source."""
    first: dict[str, Path] = {}
    for path, entry in entries.items():
        identity = entry.result.identity
        if identity in first:
            yield path, Discrepancy("result.identity", f"a run that is not {first[identity].name} already", identity)
        first.setdefault(identity, path)
        older = entry.provenance.supersedes
        if older is not None and path.with_name(f"{older}.yaml") not in entries:
            yield path, Discrepancy("provenance.supersedes", f"an entry beside {path.name}", older)
    # Once for all entries: to look for plug-ins takes as long as to read an entry.
    installed = {(kind, plugin.label): plugin for kind in get_args(Kind) for plugin in plugins(kind)}
    for folder in {path.parent for path in entries}:
        board = {path: entry for path, entry in entries.items() if path.parent == folder}
        counting = current_entries(list(board.values()))
        for path, entry in board.items():
            if entry in counting and not is_archive(folder):
                yield from ((path, finding) for finding in check_sources(entry, installed))
