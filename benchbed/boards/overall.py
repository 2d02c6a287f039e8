"""A track in one number a mixer: how many times the baseline's steps it takes, over all levels.

The geometric mean of the ratios to the baseline, with equal weight to each family of tasks and, inside a family, to
each level. It depends on a mixer's own entries and the baseline's alone, so that no other entry can shift it; nothing
is filled in, and a mixer that lacks a level has no number. Its interval is for other seeds on the same levels, by the
limits of each level's ratio (MOVER: Zou & Donner, 2008, Statistics in Medicine 27, 1693).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, hypot, log
from pathlib import Path
from statistics import fmean
from typing import Any

from benchbed.boards.board import BoardRow, Standings
from benchbed.boards.folders import find_boards
from benchbed.boards.reading import read_standings
from benchbed.config.tracks import Track, load_track

__all__ = ["CombinedRatio", "LevelRatio", "Overall", "common_levels", "over_levels", "overall", "read_overall"]


@dataclass(frozen=True)
class LevelRatio:
    """One mixer on one level."""

    ratio: float
    """Of its mean steps to the baseline's."""
    bound: str
    """`"> "`, `"< "` or `"~ "` where seeds did not solve, and the ratio is a bound."""
    interval: list[float] | None
    """95%; None where neither side's steps vary, as where nobody solves, and for the baseline itself."""
    solved: int
    seeds: int
    steps: list[int]
    budget: int


@dataclass(frozen=True)
class CombinedRatio:
    """The ratios of several levels in one."""

    ratio: float
    bound: str
    interval: tuple[float, float] | None
    """95%, over seeds; None where a level's is not known."""


@dataclass(frozen=True)
class Overall:
    """One mixer over the levels of a track."""

    name: str
    levels: dict[str, LevelRatio | None]
    """None where a board lacks it."""
    families: dict[str, CombinedRatio | None]
    """Of each family; None where a level is missing."""
    ratio: float | None
    """Over all families; None where a level is missing."""
    bound: str
    interval: tuple[float, float] | None
    """95%, over seeds."""
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
    rows = {board["level"]: {row["name"]: row for row in board["rows"]} for board in counted}
    budgets = {board["level"]: board["budget"] or 0 for board in counted}
    names = dict.fromkeys(name for known in rows.values() for name in known)
    found = [
        over_levels(name, {level: _ratio(known.get(name), budgets[level]) for level, known in rows.items()}, track)
        for name in names
    ]
    return sorted(found, key=lambda one: (one.ratio is None, len(one.missing), one.ratio or 0, one.name))


def over_levels(name: str, levels: Mapping[str, LevelRatio | None], track: Track) -> Overall:
    """One mixer over several levels, from its ratio on each to the same other mixer.

    Args:
        name: the mixer.
        levels: by level; None where it lacks one.
        track: theirs, which says what family a task is of.
    """
    families: dict[str, list[str]] = {}
    for level in levels:
        known = track.tasks.get(level.partition("@")[0])
        families.setdefault((known.family if known else None) or "all tasks", []).append(level)
    present = {level: found for level, found in levels.items() if found}
    by_family = {
        family: _combine(present, {family: members}) if all(level in present for level in members) else None
        for family, members in families.items()
    }
    whole, others = None, list[float]()
    if len(present) == len(levels):
        whole = _combine(present, families)
        rest = [{k: v for k, v in present.items() if k != left_out} for left_out in present]
        others = [_combine(levels_left, families).ratio for levels_left in rest if levels_left]
    return Overall(
        name=name,
        levels=dict(levels),
        families=by_family,
        ratio=whole and whole.ratio,
        bound=whole.bound if whole else "",
        interval=whole and whole.interval,
        without_one=(min(others), max(others)) if others else None,
    )


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


def common_levels(found: Sequence[Overall]) -> tuple[list[str], int] | None:
    """Levels that many mixers have all of, so that levels times mixers are most, and the number of those mixers.

    Returns:
        None where two mixers or more have every level, or there is none at all.
    """
    if not found or sum(one.ratio is not None for one in found) > 1:
        return None
    held = [{level for level, ratio in one.levels.items() if ratio} for one in found]
    holders = Counter(level for levels in held for level in levels)
    choices = [
        (levels, sum(mine.issuperset(levels) for mine in held))
        for least in sorted(set(holders.values()))
        for levels in [[level for level in found[0].levels if holders[level] >= least]]
    ]
    return max(choices, key=lambda choice: len(choice[0]) * choice[1])


def _ratio(row: BoardRow | None, budget: int) -> LevelRatio | None:
    if row is None or row["ratio"] is None:
        return None
    interval = row["ratio_interval"]
    return LevelRatio(row["ratio"], row["ratio_bound"], interval, row["solved"], row["seeds"], row["steps"], budget)


def _combine(present: dict[str, LevelRatio], families: dict[str, list[str]]) -> CombinedRatio:
    """Equal weight to each family that has a level, and to each level in it."""
    inside = [found for members in families.values() if (found := [present[m] for m in members if m in present])]
    weighed = [(1 / len(inside) / len(found), each) for found in inside for each in found]
    ratio = exp(sum(weight * log(each.ratio) for weight, each in weighed))
    halves = [(weight, _half(each)) for weight, each in weighed]
    half = hypot(*(weight * known for weight, known in halves if known is not None))
    interval = (ratio * exp(-half), ratio * exp(half)) if all(known is not None for _, known in halves) else None
    return CombinedRatio(ratio, _bound([each.bound for _, each in weighed]), interval)


def _half(level: LevelRatio) -> float | None:
    """Half of the interval of a ratio's logarithm; None where it is not known."""
    if level.interval is not None:
        return log(level.interval[1] / level.interval[0]) / 2
    return 0.0 if len(set(level.steps)) == 1 < level.seeds == level.solved else None


def _bound(bounds: list[str]) -> str:
    """Of a product of bounds: larger and smaller together are neither."""
    kinds = set(filter(None, bounds))
    return kinds.pop() if len(kinds) == 1 else "~ " if kinds else ""
