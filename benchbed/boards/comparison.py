"""One pair of runs of the same level, and the test between them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbed.boards.board import Costs
from benchbed.boards.entries.entry import entry_folder, load_entry
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.standings import training_costs
from benchbed.config.protocol import SIGNIFICANT
from benchbed.errors import ResultError
from benchbed.reporting.wording import bound
from benchbed.results.result import Result, load_result
from benchbed.results.stats import permutation_p, ratio_of_means

if TYPE_CHECKING:
    import torch

    from benchbed.runs.execute import PlannedRun
    from benchbed.training.engine import EngineSettings

__all__ = ["Comparison", "compare", "on_fresh_seeds", "pair_of"]

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
