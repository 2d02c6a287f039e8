"""What reads finished runs and boards, compares them, and lists what is there."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbed.boards.folders import baseline_of, boards_folder, find_boards
from benchbed.boards.reading import read_standings, read_with
from benchbed.errors import EntryError

if TYPE_CHECKING:
    from benchbed.boards.board import Standings
    from benchbed.boards.comparison import Comparison, LevelComparison
    from benchbed.boards.overall import Overall
    from benchbed.results.result import Result
    from benchbed.runs.execute import PlannedRun
    from benchbed.runs.progress import Progress
    from benchbed.training.engine import EngineSettings

__all__ = [
    "compare",
    "compare_levels",
    "list_mixers",
    "list_tasks",
    "list_tracks",
    "load_board",
    "load_overall",
    "load_result",
]


def compare(
    first: "str | PathLike[str] | Result",
    second: "str | PathLike[str] | Result",
    *,
    level: str | None = None,
    track: str | None = None,
    fresh_seeds: int | None = None,
    device: str = "auto",
    out: str | PathLike[str] = "reruns",
    observe: "Callable[[Progress], None] | None" = None,
    boards: str | PathLike[str] | None = None,
) -> "Comparison":
    """Compare two runs of one level: ratio of mean steps, its interval, and the exact test between them.

    With `fresh_seeds` both are trained again first, at the rates that they chose, on seeds that no track uses.

    Args:
        first: an entry's name or file, a run's folder, or a `Result`.
        second: likewise.
        level: task or `task@level`, where a name stands on several boards.
        track: likewise.
        fresh_seeds: how many, at most 32; None compares the seeds that were trained.
        device: where fresh seeds train.
        out: their folder: what is finished there is read and not repeated.
        observe: told where their training stands; must be quick.
        boards: the folder of the tracks; by default `leaderboards` here, else the published ones.

    Returns:
        `names`, `results`, `ratio` (of the first's mean of min(steps, budget) to the second's) with its 95%
        `interval`, `p`, `adjusted` over the board where both are entries of one, and `detectable(seeds)`, the ratio
        that so many seeds a side tell apart in four of five tries if they spread as these do.

    Raises:
        BenchbedError: one cannot be read or trained, or they are not of one level, track and budget.
    """
    from benchbed.boards.comparison import compare as compare_runs
    from benchbed.results.result import Result

    sides = [side if isinstance(side, Result) else str(side) for side in (first, second)]
    return _again(fresh_seeds, device, out, observe)(compare_runs(_home(boards), (sides[0], sides[1]), track, level))


def compare_levels(
    first: "str | Iterable[Result]",
    second: "str | Iterable[Result] | None" = None,
    *,
    track: str = "lite",
    fresh_seeds: int | None = None,
    device: str = "auto",
    out: str | PathLike[str] = "reruns",
    observe: "Callable[[Progress], None] | None" = None,
    boards: str | PathLike[str] | None = None,
) -> "LevelComparison":
    """Compare two mixers on every level of a track that both have been run on, and over all of those.

    Args:
        first: the name of its entries, or its runs.
        second: likewise; by default the track's baseline.
        track: of the boards.
        fresh_seeds: see `compare`.
        device: likewise.
        out: likewise.
        observe: likewise.
        boards: likewise.

    Returns:
        `pairs` (by level, as `compare` gives them), `adjusted` (their p by Holm over these levels), `overall` (the
        ratio over levels where a seed of either solved, with its `interval` and `families`), and `alone`, the levels
        that only one of them has.

    Raises:
        BenchbedError: they share no level, or one cannot be read or trained.
    """
    from benchbed.boards.comparison import compare_levels as by_level
    from benchbed.boards.comparison import find_shared

    home = _home(boards)
    both = (first, baseline_of(home, track) if second is None else second)
    sides = [side if isinstance(side, str) else list(side) for side in both]
    shared = find_shared(home, (sides[0], sides[1]), track)
    found = by_level(home, shared, _again(fresh_seeds, device, out, observe))
    return found[0]


def _again(
    fresh_seeds: int | None,
    device: str,
    out: str | PathLike[str],
    observe: "Callable[[Progress], None] | None",
) -> "Callable[[Comparison], Comparison]":
    """What trains a pair on fresh seeds, or leaves it as it is where none are asked for."""

    def train(planned: "PlannedRun", engine: "EngineSettings") -> "Result":
        from benchbed.runs.execute import execute

        return execute(planned, engine, observe or (lambda _: None)).result

    def again(pair: "Comparison") -> "Comparison":
        if fresh_seeds is None:
            return pair
        from benchbed.boards.comparison import on_fresh_seeds
        from benchbed.training.devices import find_device

        return on_fresh_seeds(pair, fresh_seeds, find_device(device), Path(out), train)

    return again


def load_board(
    level: str,
    *,
    track: str | None = None,
    guests: "Iterable[str | PathLike[str] | Result]" = (),
    boards: str | PathLike[str] | None = None,
) -> "Standings":
    """The standings of one board, best first.

    Args:
        level: `task@level`, or a task that has one board.
        track: where several tracks have the board.
        guests: runs of that level, to be shown among the entries: folders, or what `run` returned.
        boards: see `compare`.

    Returns:
        A dictionary; `rows` has one an entry, `pairs` the test of every two (see `benchbed.boards.board`).

    Raises:
        EntryError: there is no such board, or several; or a guest was trained otherwise than its entries.
        ResultError: a guest cannot be read.
    """
    home = _home(boards)
    found = find_boards(home, track, level)
    if len(found) > 1:
        names = ", ".join(f"{folder.name} (track {folder.parent.name})" for folder in found)
        raise EntryError(f"{level}: expected one board, found {names}; give level as task@level, and track")
    if shown := [load_result(guest) if isinstance(guest, str | PathLike) else guest for guest in guests]:
        return read_with(home, found, shown)[0]
    return read_standings(found[0])


def load_overall(
    track: str = "lite", *, levels: "Sequence[str] | None" = None, boards: str | PathLike[str] | None = None
) -> "list[Overall]":
    """Every mixer over the levels of a track, the fastest first.

    Args:
        track: whose boards.
        levels: only these, as `task@level`, or a task for all of its levels; by default every board.
        boards: see `compare`.

    Returns:
        One a mixer, with `name`, `ratio` (geometric mean of its ratios to the baseline; None where it lacks a level),
        its `interval`, `levels`, `families`, `missing` and `solved`.

    Raises:
        BenchbedError: the track has no boards, or a file on one is no entry.
    """
    from benchbed.boards.overall import read_overall

    return read_overall(_home(boards), track, levels)


def load_result(path: str | PathLike[str]) -> "Result":
    """Read a finished run.

    Args:
        path: its folder, or its `result.yaml`.

    Raises:
        ResultError: it is missing, unreadable, of a newer version, or contradicts itself.
    """
    from benchbed.results.result import load_result as load

    return load(Path(path))


def list_mixers() -> list[dict[str, Any]]:
    """Every installed mixer, imported or not: `name`, `distribution`, `version` and `description`."""
    from benchbed.plugins.listing import list_plugins

    return list_plugins("mixer")


def list_tasks() -> list[dict[str, Any]]:
    """Every installed task, imported or not: `name`, `distribution`, `version` and `description`."""
    from benchbed.plugins.listing import list_plugins

    return list_plugins("task")


def list_tracks() -> list[dict[str, Any]]:
    """Every published track: `name`, `version`, `levels`, `steps`, `seeds` and `description`."""
    from benchbed.config.tracks import list_tracks as listed

    return listed()


def _home(boards: str | PathLike[str] | None) -> Path:
    return boards_folder(Path(boards) if boards else None)
