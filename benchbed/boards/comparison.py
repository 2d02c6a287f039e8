"""One pair of runs of the same level and the test between them, or two mixers on every level that both have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbed.boards.board import Costs
from benchbed.boards.entries.entry import entry_folder, load_entry
from benchbed.boards.folders import find_boards, in_order, is_archive
from benchbed.boards.overall import LevelRatio, Overall, over_levels
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.standings import training_costs
from benchbed.config.protocol import FRESH_SEEDS, SIGNIFICANT
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError, ResultError
from benchbed.reporting.wording import bound, labels, options_line
from benchbed.results.result import RESULT, Result, load_result
from benchbed.results.stats import detectable_ratio, holm, permutation_p, ratio_of_means

if TYPE_CHECKING:
    import torch

    from benchbed.runs.execute import PlannedRun
    from benchbed.training.engine import EngineSettings

__all__ = [
    "Comparison",
    "LevelComparison",
    "compare",
    "compare_levels",
    "find_run",
    "find_shared",
    "on_fresh_seeds",
    "pair_of",
]

Side = str | Result
"""A run, or what finds one: an entry's name or file, or a run's folder."""
Sides = str | Sequence[Result]
"""One mixer on several levels: the name of its entries, or its runs."""


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
        return bound(*((result.summary.solved, result.summary.seeds) for result in self.results))

    @property
    def solved(self) -> bool:
        """Whether a seed of either solved."""
        return any(result.summary.solved for result in self.results)

    def detectable(self, seeds: int | None = None) -> float | None:
        """See `detectable_ratio`, of so many seeds a side; by default of as many as there are."""
        first, second = (result.restricted_steps for result in self.results)
        return detectable_ratio(first, second, seeds)

    @property
    def costs(self) -> list[Costs]:
        """See `training_costs`, one a run."""
        return [training_costs(result) for result in self.results]

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "names": list(self.names),
            "seeds": [result.config.scoring_seeds for result in self.results],
            "steps": [result.restricted_steps for result in self.results],
            "known": [[row.known for row in result.members] for result in self.results],
            "ratio": self.ratio,
            "bound": self.bound.strip(),
            "ratio_interval": self.interval,
            "p": self.p,
            "adjusted": self.adjusted,
            "detectable_ratio": self.detectable(),
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


def compare(boards: Path, sides: Sequence[Side], track: str | None, level: str | None) -> Comparison:
    """Read two runs or entries and compare them; an entry beside a run is looked for on the run's board.

    Raises:
        BenchbedError: one cannot be read, or they are not runs of one level, track and budget.
    """
    runs = [find_run(side) for side in sides]
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
    adjusted = None
    if home is not None and home == other_home:
        pairs = {frozenset((p["first"], p["second"])): p["adjusted"] for p in read_standings(home)["pairs"]}
        adjusted = pairs.get(frozenset((name, other_name)))
    mine, theirs = labels([(name, first.config.mixer.options), (other_name, second.config.mixer.options)])
    return pair_of((mine, theirs), (first, second), adjusted)


def find_shared(boards: Path, sides: tuple[Sides, Sides], track: str | None) -> dict[Path, list[Side | None]]:
    """What two mixers have on each board where either has something: an entry's name or a run, or None.

    Boards of earlier versions of a track count where they are named, where a run is of one, or where neither has any
    others.

    Raises:
        EntryError: there is no such track, a name is no entry's, or the two share no board.
        ResultError: runs of one side are of several mixers, or two of one level.
    """
    places = [_places(boards, side, track) for side in sides]
    for side, mine in zip(sides, places, strict=True):
        if isinstance(side, str) and not mine:
            find_entry(boards, side, track, None)
    found = {folder: [mine.get(folder) for mine in places] for folder in in_order({*places[0], *places[1]})}
    runs = {folder for mine in places for folder, one in mine.items() if isinstance(one, Result)}
    found = {f: both for f, both in found.items() if f in runs or not is_archive(f)} or found
    if not any(all(both) for both in found.values()):
        held = [[f"{f.parent.name}/{f.name}" for f, both in found.items() if both[i] is not None] for i in (0, 1)]
        where = " and ".join(
            f"{_called(side)} on {', '.join(on) or 'none'}" for side, on in zip(sides, held, strict=True)
        )
        raise EntryError(f"expected a level that both have been run on, found {where}")
    return found


def compare_levels(
    boards: Path, shared: Mapping[Path, Sequence[Side | None]], again: Callable[[Comparison], Comparison]
) -> list[LevelComparison]:
    """Compare two mixers on every level that both have, track by track.

    Args:
        boards: the folder that holds the tracks.
        shared: what they have, of `find_shared`.
        again: what is made of each pair: itself, or the same one `on_fresh_seeds`.

    Raises:
        BenchbedError: an entry cannot be read, runs are of two budgets, or `again` fails.
    """
    tracks: dict[Path, dict[str, Sequence[Side | None]]] = {}
    for folder, both in shared.items():
        tracks.setdefault(folder.parent, {})[folder.name] = both
    return [_on_track(boards, tracks[home], home, again) for home in tracks if any(map(all, tracks[home].values()))]


def _on_track(
    boards: Path, shared: Mapping[str, Sequence[Side | None]], folder: Path, again: Callable[[Comparison], Comparison]
) -> LevelComparison:
    couples = {level: (first, second) for level, (first, second) in shared.items() if first and second}
    pairs = {level: again(compare(boards, both, folder.name, level)) for level, both in couples.items()}
    ratios = {level: _ratio(pair) for level, pair in pairs.items() if pair.solved}
    (any_pair, *_) = pairs.values()
    return LevelComparison(
        names=any_pair.names,
        track=folder.name,
        pairs=pairs,
        adjusted=dict(zip(pairs, holm([pair.p for pair in pairs.values()]), strict=True)),
        alone=[[level for level in shared if shared[level][side] and level not in pairs] for side in (0, 1)],
        overall=over_levels(any_pair.names[0], ratios, load_track(str(folder / "track.yaml"))) if ratios else None,
    )


def _places(boards: Path, side: Sides, track: str | None) -> Mapping[Path, Side]:
    """The boards that a mixer has entries on, or its runs belong to, with what it has there."""
    if isinstance(side, str):
        return {
            folder: side
            for folder in find_boards(boards, track, None)
            if any(row["rank"] and side in (row["name"], row["entry"]) for row in read_standings(folder)["rows"])
        }
    mixers = dict.fromkeys(
        f"{run.config.mixer.name} {options_line(run.config.mixer.options)}".strip() for run in side
    )
    if len(mixers) > 1:
        raise ResultError(f"expected runs of one mixer, found {' and '.join(mixers)}")
    places = {entry_folder(boards, run): run for run in side}
    if len(places) < len(side):
        levels = ", ".join(run.config.level for run in side)
        raise ResultError(f"{_called(side)}: expected one run a level, found runs of {levels}")
    return {folder: run for folder, run in places.items() if track in (None, folder.parent.name)}


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

    seeds = again.fresh_seeds(len(FRESH_SEEDS) if count is None else count)
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


def _called(side: Side | Sides) -> str:
    if isinstance(side, str):
        return side
    (run, *_) = [side] if isinstance(side, Result) else side
    return run.config.mixer.name


def find_run(side: Side) -> Result | None:
    """A run that was handed over or lies in a folder; None for an entry.

    A folder beside us that is called as a mixer is, such as a package of it, is no run.
    """
    if isinstance(side, Result):
        return side
    path = Path(side)
    inside = path.is_dir() and (len(path.parts) > 1 or (path / RESULT).exists())
    return load_result(path) if inside or path.name == RESULT else None


def _entry(boards: Path, name: str, track: str | None, level: str | None) -> tuple[str, Result, Path]:
    """An entry's name, its run, and the folder of its board."""
    entry = load_entry(found := find_entry(boards, name, track, level))
    return entry.entry, entry.result, found.parent
