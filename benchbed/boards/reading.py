"""Reading boards: fast, because a board's standings lie computed beside its entries.

`benchbed leaderboard render` writes them; a board whose entries have changed since is computed again on the spot,
and only that imports anything heavy.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchbed.boards.folders import BOARD_FILE, find_boards, is_archive, is_default_level, stamp
from benchbed.errors import BenchbedError, EntryError, did_you_mean

if TYPE_CHECKING:
    from benchbed.boards.board import Standings
    from benchbed.results.result import Result

__all__ = ["find_entry", "read_beside_entries", "read_standings", "read_with"]


def read_standings(folder: Path) -> "Standings":
    """The standings of a board, stored or computed (see `benchbed.boards.standings`).

    Raises:
        EntryError: they must be computed, and a file is no entry.
    """
    try:
        stored = json.loads((folder / BOARD_FILE).read_text(encoding="utf-8"))
        if stored["stamp"] == stamp(folder):
            return stored
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from benchbed.boards.standings import compute_standings

    return compute_standings(folder)


def read_with(boards: Path, folders: Sequence[Path], guests: "Sequence[Result]") -> "list[Standings]":
    """The standings of the boards that runs belong to, with these among their entries.

    Args:
        boards: the folder that holds the tracks.
        folders: the boards that come into question.
        guests: runs that are no entries, or shall be shown beside theirs.

    Raises:
        EntryError: a run belongs to none of these boards, or was trained otherwise than the entries there.
    """
    from benchbed.boards.entries.entry import entry_folder
    from benchbed.boards.standings import compute_standings

    homes = {id(guest): entry_folder(boards, guest) for guest in guests}
    for guest in guests:
        if homes[id(guest)] not in folders:
            config = guest.config
            known = ", ".join(f"{folder.parent.name}/{folder.name}" for folder in folders)
            raise EntryError(
                f"a run of {config.mixer.name} on {config.level}, track {config.track.name} {config.track.version}: "
                f"expected a board that it belongs to, found entries on {known} alone"
            )
    return [
        compute_standings(folder, mine)
        for folder in folders
        if (mine := [guest for guest in guests if homes[id(guest)] == folder])
    ]


def read_beside_entries(boards: Path, result: "Result") -> "Standings | None":
    """The board of a run with the run on it; None where it has no entries, or asks something else."""
    from benchbed.boards.entries.entry import entry_folder

    try:
        (board,) = read_with(boards, [entry_folder(boards, result)], [result])
    except BenchbedError:
        return None
    return board if len(board["rows"]) > 1 else None


def find_entry(boards: Path, name: str, track: str | None, level: str | None) -> Path:
    """An entry file: by path, by the name that its board shows, or by its own name.

    Boards of earlier versions of a track are asked where they are named, or where no other has it; a task without a
    level means its default one there, as it does when it is run.

    Raises:
        EntryError: there is none, or several boards have one.
    """
    path = Path(name)
    if path.suffix == ".yaml":
        if not path.is_file():
            raise EntryError(f"no entry file {path}")
        return path
    shown = {
        folder: {row["name"]: row["entry"] for row in read_standings(folder)["rows"]}
        for folder in find_boards(boards, track, level)
    }
    found = [folder / f"{known.get(name, name)}.yaml" for folder, known in shown.items()]
    found = [path for path in found if path.is_file()]
    found = [path for path in found if not is_archive(path.parent)] or found
    if level is not None and "@" not in level and len(found) > 1:
        found = [path for path in found if is_default_level(path.parent)] or found
    if len(found) != 1:
        where = " and ".join(str(path.relative_to(boards)) for path in found)
        where = where or f"no board{did_you_mean(name, {each for known in shown.values() for each in known})}"
        raise EntryError(
            f"entry '{name}': expected it on one board, found it on {where}; give --track, --level or a path"
        )
    return found[0]
