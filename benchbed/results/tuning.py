"""Which learning rates are tried, when one of them is given up, and which one wins.

All of it is a function of what the tuning seeds did by a step, and of nothing that a clock or a scheduler decides; so
runs on any number of cores agree, and whoever audits an entry can decide again.

A race begins with the track's grid. While the best rate is an end of those tried, and the track has a further one
beyond it, that one runs a race of its own against what is known.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from benchbed.config.tracks import OptimiserSettings
from benchbed.results.scoring import MemberRow, restricted
from benchbed.training.trajectory import Trajectory

__all__ = [
    "Known",
    "choose_learning_rate",
    "further_rates",
    "given_up_at",
    "giving_up",
    "most_to_come",
    "overtaken",
    "races",
    "stops_by_mistake",
]


class Known(NamedTuple):
    """What is known of a tuning seed by some step."""

    ended: bool
    """It solved, diverged, leaked or spent its budget."""
    steps: int | None
    """Steps to solve, if it did."""


def choose_learning_rate(rows: Sequence[MemberRow], budget: int) -> float:
    """The rate with the most solved tuning seeds; ties go to fewer steps, then lower loss, then the smaller rate.

    A seed that was stopped counts as unsolved: its rate could no longer win.
    """

    def merit(rate: float) -> tuple[float, float, float, float]:
        mine = [row for row in rows if row.learning_rate == rate]
        losses = [math.inf if row.final_loss is None else row.final_loss for row in mine]
        return (*_merit([row.steps for row in mine], budget), fmean(losses), rate)

    return min({row.learning_rate for row in rows}, key=merit)


def further_rates(rows: Sequence[MemberRow], optimiser: OptimiserSettings, budget: int) -> list[float]:
    """The rates to try next: the nearest further one beyond the end that the best rate is; often none."""
    tried = {row.learning_rate for row in rows}
    best = choose_learning_rate(rows, budget)
    below = [rate for rate in optimiser.further_rates if rate < min(tried)]
    above = [rate for rate in optimiser.further_rates if rate > max(tried)]
    found = [max(below)] if below and best == min(tried) else []
    return found + ([min(above)] if above and best == max(tried) else [])


def most_to_come(entered: Sequence[float], optimiser: OptimiserSettings) -> int:
    """How many further rates may yet be tried after a race, at most.

    Args:
        entered: the rates of the race.
        optimiser: the grid and the further rates.
    """
    grid, further = optimiser.learning_rates, optimiser.further_rates
    down = sum(rate < min(entered) for rate in further) if min(entered) <= min(grid) else 0
    up = sum(rate > max(entered) for rate in further) if max(entered) >= max(grid) else 0
    # The best of several is one end at most, and what is beyond it can only be beaten or lead further.
    return down + up if len(grid) == 1 else max(down, up)


def given_up_at(rows: Sequence[MemberRow]) -> int | None:
    """The step at which the rate of these rows was given up, if it was."""
    return next((row.trained_steps for row in rows if row.status == "stopped"), None)


def overtaken(known: Mapping[float, Sequence[Known]], step: int, budget: int) -> set[float]:
    """The rates that can no longer win: the best that can come of them is worse than what another has already.

    A seed in training can at best have met the criterion just now, and at worst never will.

    Args:
        known: by rate, what is known of its seeds by a step.
        step: the step.
        budget: in steps.
    """
    surest = min(_merit([outcome.steps for outcome in seeds], budget) for seeds in known.values())
    best = {rate: _merit([o.steps if o.ended else step for o in seeds], budget) for rate, seeds in known.items()}
    return {rate for rate, merit in best.items() if merit > surest}


def giving_up(
    earlier: Sequence[Sequence[MemberRow]], budget: int
) -> Callable[[int, list[Trajectory], int], set[float]]:
    """What decides for `Ensemble.train` which rates of a race are given up.

    Args:
        earlier: the rows of earlier races, by run.
        budget: in steps.
    """
    settled = [_by_rate(rows, budget) for rows in earlier]

    def decide(run: int, racing: list[Trajectory], step: int) -> set[float]:
        known = dict[float, list[Known]]()
        for t in racing:
            ended = t.status != "training" and t.step <= step
            seeds = known.setdefault(t.member.learning_rate, [])
            seeds.append(Known(ended, t.steps_to_solve if ended else None))
        return overtaken(known | settled[run], step, budget)

    return decide


def races(rows: Sequence[MemberRow], optimiser: OptimiserSettings, budget: int) -> Iterator[list[float]]:
    """The rates of each race that these rows must be of: the grid, then the further ones that it led to."""
    entered, known = list(optimiser.learning_rates), list[MemberRow]()
    while entered:
        yield entered
        more = [row for row in rows if row.learning_rate in entered]
        known += more
        entered = further_rates(known, optimiser, budget) if more else []


def stops_by_mistake(rows: Sequence[MemberRow], optimiser: OptimiserSettings, budget: int) -> Iterator[str]:
    """What is wrong with the stops among the rows: a rate was given up that could still have won."""
    settled: dict[float, list[Known]] = {}
    for rates in races(rows, optimiser, budget):
        racing = [row for row in rows if row.learning_rate in rates]
        for rate in rates:
            at = {row.trained_steps for row in racing if row.learning_rate == rate and row.status == "stopped"}
            if at and (len(at) > 1 or rate not in overtaken(_by_rate(racing, max(at)) | settled, max(at), budget)):
                yield f"rate {rate:g} was stopped at {', '.join(map(str, sorted(at)))}, and could still have won"
        settled |= _by_rate(racing, budget)


def _by_rate(rows: Sequence[MemberRow], step: int) -> dict[float, list[Known]]:
    """What of rows was known at a step; one that was stopped later or there was in training."""
    known = dict[float, list[Known]]()
    for row in rows:
        ended = row.trained_steps < step or (row.trained_steps == step and row.status != "stopped")
        known.setdefault(row.learning_rate, []).append(Known(ended, row.steps if ended else None))
    return known


def _merit(steps: Sequence[int | None], budget: int) -> tuple[int, float]:
    """Less is better: more solved seeds, then fewer steps."""
    return -sum(s is not None for s in steps), fmean(restricted(s, budget) for s in steps)
