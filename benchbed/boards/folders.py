"""Where boards and their entries lie; nothing heavy is imported here."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from benchbed.errors import EntryError
from benchbed.storage.names import archive_name, file_name, is_archive_name

__all__ = [
    "BOARD_FILE",
    "Sort",
    "baseline_of",
    "boards_folder",
    "entry_files",
    "find_boards",
    "in_order",
    "is_archive",
    "is_default_level",
    "stamp",
    "track_folder",
]

BOARD_FILE = "board.json"
"""The file beside a board's entries that holds their standings."""
_FORM = b"6"
"""Another one whenever standings have other fields, or fields another meaning, so that older files are not read."""


class Sort(StrEnum):
    """What a board is sorted by."""

    rank = "rank"
    mixer = "mixer"
    solved = "solved"
    steps = "steps"
    samples = "samples"
    flops = "flops"
    seconds = "seconds"
    parameters = "parameters"
    date = "date"


def boards_folder(given: Path | None = None) -> Path:
    """The folder that holds the tracks: the one given, that of a checkout around here, or the installed one.

    Raises:
        EntryError: the folder that was given holds no track.
    """
    if given is not None:
        if not any(given.glob("*/track.yaml")):
            raise EntryError(f"--boards {given}: expected a folder with <track>/track.yaml, found none")
        return given
    here = Path("leaderboards")
    if any(here.glob("*/track.yaml")):
        return here
    from importlib.resources import files

    return Path(str(files("benchbed.leaderboards")))


def track_folder(boards: Path, track: str, version: int) -> Path:
    """Where a version of a track has its boards: under the track's name; once there is a newer one, in an archive."""
    archive = boards / archive_name(track, version)
    return archive if archive.is_dir() else boards / track


def is_archive(board: Path) -> bool:
    """Whether a board is of an earlier version of its track: it is read, and nothing is added to it."""
    return is_archive_name(board.parent.name)


def is_default_level(board: Path) -> bool:
    """Whether a board is of the level that the track means where a task is named without one."""
    from benchbed.config.tracks import load_track

    tasks = load_track(str(board.parent / "track.yaml")).tasks
    return board.name in {file_name(f"{task}@{known.default}") for task, known in tasks.items()}


def baseline_of(boards: Path, track: str | None) -> str:
    """The mixer that a track compares others with; of all tracks of today where none is named.

    Raises:
        EntryError: they name several, or none.
    """
    from benchbed.config.tracks import load_track

    folders = [path.parent for path in sorted(boards.glob("*/track.yaml"))]
    wanted = [
        folder for folder in folders if folder.name == track or (track is None and not is_archive_name(folder.name))
    ]
    found = {name for folder in wanted if (name := load_track(str(folder / "track.yaml")).baseline)}
    if len(found) != 1:
        raise EntryError(
            f"expected one baseline of {track or 'all tracks'}, found {', '.join(found) or 'none'}; name B"
        )
    return found.pop()


def find_boards(boards: Path, track: str | None, level: str | None) -> list[Path]:
    """The folders of the boards that have entries, track by track, and each in the order of its track's levels.

    Args:
        boards: the folder that holds the tracks.
        track: only those of this track.
        level: only those of this task, or of this `task@level`.

    Raises:
        EntryError: there is none.
    """
    found = {path.parent for path in boards.glob("*/*/*.yaml")}
    wanted = in_order(
        folder
        for folder in found
        if track in (None, folder.parent.name)
        and (level is None or file_name(level) in (folder.name, folder.name.partition("@")[0]))
    )
    if not wanted:
        known = ", ".join(f"{folder.name} (track {folder.parent.name})" for folder in in_order(found))
        place = f"track {track}" if track else "any track"
        raise EntryError(f"no board of {level or 'any level'} in {place}; known: {known or 'none'}")
    return wanted


def in_order(boards: Iterable[Path]) -> list[Path]:
    """The folders of boards, each once, in the order of `find_boards`; those that their track does not have, last.

    A track's file is read as plain data: models of it take longer than a board.
    """
    from benchbed.storage.files import load_yaml

    left = set(boards)
    files = [folder / "track.yaml" for folder in sorted({board.parent for board in left})]
    known = [
        file.with_name(file_name(f"{task}@{level}"))
        for file in files
        if file.is_file()
        for task, levels in load_yaml(file.read_text(encoding="utf-8"))["tasks"].items()
        for level in levels["levels"]
    ]
    return [board for board in known if board in left] + sorted(left.difference(known))


def entry_files(folder: Path) -> list[Path]:
    """The entry files of a board."""
    return sorted(folder.glob("*.yaml"))


def stamp(folder: Path) -> str:
    """SHA-256 of the entry files of a board, names and contents, and of the form of the standings."""
    total = hashlib.sha256(_FORM)
    for path in entry_files(folder):
        # Line endings differ between checkouts of the same file.
        total.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()
