"""A track in one number a mixer: how many times the baseline's steps it takes, over all levels.

The geometric mean of the ratios to the baseline, with equal weight to each family of tasks and, inside a family, to
each level. It depends on a mixer's own entries and the baseline's alone, so that no other entry can shift it; nothing
is filled in, and a mixer that lacks a level has no number.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

from benchbed.boards.board import BoardRow, Standings
from benchbed.boards.folders import find_boards
from benchbed.boards.reading import read_standings
from benchbed.config.tracks import Track, load_track

__all__ = ["LevelRatio", "Overall", "overall", "read_overall"]


@dataclass(frozen=True)
class LevelRatio:
    """One mixer on one level."""

    ratio: float
    """Of its mean steps to the baseline's."""
    bound: str
    """`"> "`, `"< "` or `"~ "` where seeds did not solve, and the ratio is a bound."""
    solved: int
    seeds: int
    steps: list[int]
    budget: int


@dataclass(frozen=True)
class Overall:
    """One mixer over the levels of a track."""

    name: str
    levels: dict[str, LevelRatio | None]
    """None where a board lacks it."""
    families: dict[str, tuple[float, str] | None]
    """Geometric mean of the ratios in each family, and its bound; None where a level is missing."""
    ratio: float | None
    """Over all families; None where a level is missing."""
    bound: str
    without_one: tuple[float, float] | None
    """The lowest and the highest ratio when any one level is left out; None where there are too few for that."""

    @property
    def missing(self) -> list[str]:
        """Levels that it lacks."""
        return [level for level, found in self.levels.items() if found is None]

    @property
    def solved(self) -> float:
        """Share of seeds that solved, each level counting alike."""
        return fmean(found.solved / found.seeds for found in self.levels.values() if found)

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {**asdict(self), "missing": self.missing, "solved": self.solved}


def overall(boards: Sequence[Standings], track: Track) -> list[Overall]:
    """Every mixer over several boards of a track, the fastest first and those that lack a level last.

    Args:
        boards: those that count; one without an entry of the baseline does not.
        track: theirs, which says what family a task is of.
    """
    counted = [board for board in boards if board["baseline"] is not None]
    families: dict[str, list[str]] = {}
    for board in counted:
        known = track.tasks.get(board["level"].partition("@")[0])
        families.setdefault((known.family if known else None) or "all tasks", []).append(board["level"])
    rows = {board["level"]: {row["name"]: row for row in board["rows"]} for board in counted}
    budgets = {board["level"]: board["budget"] or 0 for board in counted}
    names = dict.fromkeys(name for known in rows.values() for name in known)
    found = [
        _one(name, {level: _ratio(known.get(name), budgets[level]) for level, known in rows.items()}, families)
        for name in names
    ]
    return sorted(found, key=lambda one: (one.ratio is None, len(one.missing), one.ratio or 0, one.name))


def read_overall(boards: Path, track: str, levels: Sequence[str] | None = None) -> list[Overall]:
    """`overall` of the boards of a track.

    Args:
        boards: the folder that holds the tracks.
        track: the name of the track's folder.
        levels: only these, as `task@level`, or a task for all of its levels; by default every board.

    Raises:
        BenchbedError: there is none, or a file on a board is no entry.
    """
    found = [folder for level in levels or [None] for folder in find_boards(boards, track, level)]
    standings = [read_standings(folder) for folder in dict.fromkeys(found)]
    return overall(standings, load_track(str(boards / track / "track.yaml")))


def _ratio(row: BoardRow | None, budget: int) -> LevelRatio | None:
    if row is None or row["ratio"] is None:
        return None
    return LevelRatio(row["ratio"], row["ratio_bound"], row["solved"], row["seeds"], row["steps"], budget)


def _one(name: str, levels: dict[str, LevelRatio | None], families: dict[str, list[str]]) -> Overall:
    present = {level: found for level, found in levels.items() if found}
    by_family = {
        family: _mean([present[level] for level in members]) if all(level in present for level in members) else None
        for family, members in families.items()
    }
    complete = len(present) == len(levels)
    ratio, others = None, list[float]()
    if complete:
        ratio = _over(present, families)
        rest = [{k: v for k, v in present.items() if k != left_out} for left_out in present]
        others = [_over(levels_left, families) for levels_left in rest if levels_left]
    return Overall(
        name=name,
        levels=levels,
        families=by_family,
        ratio=ratio,
        bound=_bound([found.bound for found in present.values()]) if complete else "",
        without_one=(min(others), max(others)) if others else None,
    )


def _over(present: dict[str, LevelRatio], families: dict[str, list[str]]) -> float:
    """Equal weight to each family that has a level, and to each level in it."""
    inside = [[log(present[level].ratio) for level in members if level in present] for members in families.values()]
    return exp(fmean(fmean(logs) for logs in inside if logs))


def _mean(found: list[LevelRatio]) -> tuple[float, str]:
    return exp(fmean(log(each.ratio) for each in found)), _bound([each.bound for each in found])


def _bound(bounds: list[str]) -> str:
    """Of a product of bounds: larger and smaller together are neither."""
    kinds = set(filter(None, bounds))
    return kinds.pop() if len(kinds) == 1 else "~ " if kinds else ""
