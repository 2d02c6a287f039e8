"""One pair of runs of the same level and the test between them, or two mixers on every level that both have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbed.boards.board import Costs
from benchbed.boards.entries.entry import entry_folder, load_entry
from benchbed.boards.folders import find_boards, is_archive
from benchbed.boards.overall import LevelRatio, Overall, over_levels
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.standings import training_costs
from benchbed.config.protocol import SIGNIFICANT
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError, ResultError
from benchbed.reporting.wording import bound
from benchbed.results.result import Result, load_result
from benchbed.results.stats import holm, permutation_p, ratio_of_means
from benchbed.storage.names import file_name

if TYPE_CHECKING:
    import torch

    from benchbed.runs.execute import PlannedRun
    from benchbed.training.engine import EngineSettings

__all__ = [
    "Comparison",
    "LevelComparison",
    "compare",
    "compare_levels",
    "on_fresh_seeds",
    "pair_of",
    "shared_levels",
]

Side = str | Result
"""A run, or what finds one: an entry's name or file, or a run's folder."""


@dataclass(frozen=True)
class Comparison:
    """Two runs, the ratio of their mean steps, and the test of whether they differ."""

    names: tuple[str, str]
    results: tuple[Result, Result]
    ratio: float
    interval: list[float] | None
    p: float
    adjusted: float | None
    """Over the board, by Benjamini and Hochberg, if both stand on one."""

    @property
    def told_apart(self) -> bool:
        """Whether the test tells them apart, adjusted over the board if both stand on one."""
        return (self.p if self.adjusted is None else self.adjusted) < SIGNIFICANT

    @property
    def bound(self) -> str:
        """What stands before the ratio where seeds did not solve: `> `, `< `, or `~ ` where on both sides."""
        first, second = ((result.summary.solved, result.summary.seeds) for result in self.results)
        return bound(first, second)

    @property
    def costs(self) -> list[Costs]:
        """See `training_costs`, one a run."""
        return [training_costs(result) for result in self.results]

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        steps = [result.restricted_steps for result in self.results]
        return {
            "names": list(self.names),
            "seeds": [result.config.scoring_seeds for result in self.results],
            "steps": steps,
            "ratio": self.ratio,
            "bound": self.bound.strip(),
            "ratio_interval": self.interval,
            "p": self.p,
            "adjusted": self.adjusted,
            "costs": self.costs,
        }


@dataclass(frozen=True)
class LevelComparison:
    """Two mixers of a track, pair by pair over its levels."""

    names: tuple[str, str]
    track: str
    pairs: dict[str, Comparison]
    """By level: those that both have."""
    adjusted: dict[str, float]
    """The p of each pair, adjusted by Holm over these levels."""
    alone: list[list[str]]
    """Levels that only the first has, and only the second."""
    overall: Overall | None
    """The first over the levels where a seed of either solved, as ratios to the second; None where there is none."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "names": list(self.names),
            "track": self.track,
            "levels": {level: {**pair.plain(), "holm": self.adjusted[level]} for level, pair in self.pairs.items()},
            "alone": dict(zip(("first", "second"), self.alone, strict=True)),
            "overall": None if self.overall is None else self.overall.plain(),
        }


def compare(
    boards: Path, sides: tuple[str | Result, str | Result], track: str | None, level: str | None
) -> Comparison:
    """Read two runs or entries and compare them; an entry beside a run is looked for on the run's board.

    Raises:
        BenchbedError: one cannot be read, or they are not runs of one level, track and budget.
    """
    runs = [_run(side) for side in sides]
    beside = next((entry_folder(boards, run) for run in runs if run is not None), None)
    if beside is not None:
        track, level = track or beside.parent.name, level or beside.name
    loaded = [
        (run.config.mixer.name, run, None) if run is not None else _entry(boards, str(side), track, level)
        for side, run in zip(sides, runs, strict=True)
    ]
    (name, first, home), (other_name, second, other_home) = loaded
    for what in ("track", "level", "budget"):
        mine, other = (getattr(result.config, what) for result in (first, second))
        if mine != other:
            both = f"{_called(sides[0])} and {_called(sides[1])}"
            raise ResultError(f"{both} cannot be compared: expected one {what}, found {mine} and {other}")
    shown = (name, other_name)
    adjusted = None
    if home is not None and home == other_home:
        pairs = {frozenset((p["first"], p["second"])): p["adjusted"] for p in read_standings(home)["pairs"]}
        adjusted = pairs.get(frozenset(shown))
    return pair_of(shown, (first, second), adjusted)


def shared_levels(boards: Path, names: tuple[str, str], track: str | None) -> dict[str, list[str]]:
    """The levels on which both names are entries, by track; none where either is an entry nowhere, as a run is.

    Boards of earlier versions of a track count where they are named, or where no other has an entry of either.

    Raises:
        EntryError: there is no such track, both are entries and share no level, or one is nothing that there is.
    """
    found = _held(boards, names, track)
    for side, name in enumerate(names):
        if not any(has[side] for has in found.values()) and not Path(name).exists():
            find_entry(boards, name, track, None)
    shared: dict[str, list[str]] = {}
    for folder, has in found.items():
        if all(has):
            shared.setdefault(folder.parent.name, []).append(folder.name)
    first, second = ([f"{f.parent.name}/{f.name}" for f, has in found.items() if has[side]] for side in (0, 1))
    if first and second and not shared:
        where = f"{names[0]} on {', '.join(first)} and {names[1]} on {', '.join(second)}"
        raise EntryError(f"expected a level that {names[0]} and {names[1]} both have an entry on, found {where}")
    return shared


def compare_levels(
    boards: Path,
    names: tuple[str, str],
    track: str,
    again: Callable[[Comparison], Comparison] = lambda pair: pair,
) -> LevelComparison:
    """Compare two entries on every level of a track that both are on.

    Args:
        boards: the folder that holds the tracks.
        names: of the entries, as boards show them.
        track: the name of the track's folder.
        again: what each published pair is replaced by, such as the same one `on_fresh_seeds`.

    Raises:
        BenchbedError: they share no level of this track, an entry cannot be read, or `again` fails.
    """
    levels = shared_levels(boards, names, track).get(track, [])
    if not levels:
        raise EntryError(f"track {track}: expected entries of {names[0]} and {names[1]}, found none of one or both")
    known = load_track(str(boards / track / "track.yaml"))
    in_order = [level for level in known.level_names if file_name(level) in levels]
    pairs = {level: again(compare(boards, names, track, level)) for level in in_order}
    adjusted = holm([pair.p for pair in pairs.values()])
    ratios = {level: _ratio(pair) for level, pair in pairs.items() if any(r.summary.solved for r in pair.results)}
    held = _held(boards, names, track).items()
    return LevelComparison(
        names=names,
        track=track,
        pairs=pairs,
        adjusted=dict(zip(pairs, adjusted, strict=True)),
        alone=[[folder.name for folder, has in held if has == only] for only in ([True, False], [False, True])],
        overall=over_levels(names[0], ratios, known) if ratios else None,
    )


def _held(boards: Path, names: tuple[str, str], track: str | None) -> dict[Path, list[bool]]:
    """The boards that have an entry of either name, and which of the two."""
    found = {
        folder: [any(row["rank"] and row["name"] == name for row in rows) for name in names]
        for folder in find_boards(boards, track, None)
        for rows in [read_standings(folder)["rows"]]
    }
    found = {folder: has for folder, has in found.items() if any(has)}
    return {folder: has for folder, has in found.items() if not is_archive(folder)} or found


def on_fresh_seeds(
    pair: Comparison,
    count: int | None,
    device: "torch.device",
    out: Path,
    train: "Callable[[PlannedRun, EngineSettings], Result]",
) -> Comparison:
    """The same pair on seeds that no track uses, each side at the rate that it chose.

    Args:
        pair: what to train again.
        count: how many seeds; None for as many as there are.
        device: where to train.
        out: the folder of such runs.
        train: carries out a run.

    Raises:
        BenchbedError: there are not as many seeds, or a side cannot be trained again.
    """
    from benchbed.runs import again

    seeds = again.fresh_seeds(again.MOST if count is None else count)
    plans = [again.plan_again(result, seeds, device, out) for result in pair.results]
    first, second = (train(*plan) for plan in plans)
    return pair_of(pair.names, (first, second))


def pair_of(names: tuple[str, str], results: tuple[Result, Result], adjusted: float | None = None) -> Comparison:
    """Compare two results that are known to be of one level; arguments are the fields of `Comparison`."""
    first, second = (result.restricted_steps for result in results)
    return Comparison(names, results, *ratio_of_means(first, second), permutation_p(first, second), adjusted)


def _ratio(pair: Comparison) -> LevelRatio:
    """Of the first's mean steps to the second's, as one level among several."""
    first, _ = pair.results
    solved, seeds = first.summary.solved, first.summary.seeds
    budget = first.config.budget.steps
    return LevelRatio(pair.ratio, pair.bound, pair.interval, solved, seeds, first.restricted_steps, budget)


def _called(side: Side) -> str:
    return side if isinstance(side, str) else side.config.mixer.name


def _run(side: Side) -> Result | None:
    """A run that was handed over or lies in a folder; None for an entry."""
    if isinstance(side, Result):
        return side
    path = Path(side)
    return load_result(path) if path.is_dir() or path.name == "result.yaml" else None


def _entry(boards: Path, name: str, track: str | None, level: str | None) -> tuple[str, Result, Path]:
    """An entry's name, its run, and the folder of its board."""
    entry = load_entry(found := find_entry(boards, name, track, level))
    return entry.entry, entry.result, found.parent
