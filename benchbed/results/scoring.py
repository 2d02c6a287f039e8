"""From one row a seed to a score: censoring-aware, and nothing by hand that SciPy has.

All runs share one budget, so the Kaplan-Meier curve is the empirical distribution function and the restricted
mean is `mean(min(steps, budget))`: a run that never solved counts with the whole budget and is not dropped.
"""

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from benchbed.config.protocol import CONFIDENCE
from benchbed.results.stats import t_interval
from benchbed.storage.schema import Strict
from benchbed.training.trajectory import Trajectory

__all__ = [
    "MemberRow",
    "Summary",
    "mean_interval",
    "median_interval",
    "member_row",
    "rate_interval",
    "restricted",
    "restricted_mean",
    "summarise",
]


class MemberRow(Strict):
    """What one member came to."""

    seed: NonNegativeInt
    learning_rate: PositiveFloat
    status: Literal["solved", "unsolved", "diverged", "leaked", "stopped"]
    """Leaked: it met the criterion only with later tokens in view, and is counted as unsolved. Stopped: a tuning seed
    whose rate could no longer win after `trained_steps`.
    """
    steps: PositiveInt | None
    """Steps to solve; None where the budget ended first or the member diverged."""
    plateau_end: PositiveInt | None
    """First evaluation at which the scored loss was at most 0.94 of chance."""
    final_loss: float | None
    """Held-out loss in nats at the last evaluation; None if it was not finite."""
    known: NonNegativeInt | None = Field(default=None, exclude_if=lambda known: known is None)
    """Scored tokens that it predicts right in more than 95% of held-out sequences then; None in older results."""
    trained_steps: PositiveInt
    seconds: NonNegativeFloat

    @model_validator(mode="after")
    def _steps_if_solved(self) -> Self:
        if (self.steps is not None) != (self.status == "solved"):
            raise ValueError(f"expected steps exactly where a seed solved, found {self.status} and {self.steps}")
        return self


class Summary(Strict):
    """The score over all seeds; intervals are for 95% confidence."""

    seeds: PositiveInt
    solved: NonNegativeInt
    diverged: NonNegativeInt
    solve_rate: Annotated[float, Field(ge=0, le=1)]
    solve_rate_interval: list[float]
    """Wilson."""
    mean_steps: PositiveFloat
    """Mean of min(steps, budget)."""
    mean_steps_interval: list[float] | None
    """Student's t, kept within the budget; None for one seed, or where no seed solved."""
    median_steps: PositiveFloat | None
    """None where half of the seeds or more did not solve."""
    median_interval: list[float | None] | None
    """Exact, from order statistics, so 95% or more; an end is None if it was not reached. None below six seeds."""
    mean_plateau_end: PositiveFloat | None
    """Mean of min(plateau end, budget); None where no seed left the plateau."""
    seconds: NonNegativeFloat


def member_row(trajectory: Trajectory, chance_loss: float) -> MemberRow:
    """The row of a member that has finished."""
    last, status = trajectory.evaluations[-1], trajectory.status
    assert status != "training"
    return MemberRow(
        seed=trajectory.member.seed,
        learning_rate=trajectory.member.learning_rate,
        status=status,
        steps=trajectory.steps_to_solve,
        plateau_end=trajectory.plateau_end(chance_loss),
        final_loss=float(f"{last.mean_loss:.6g}") if last.finite else None,
        known=last.known,
        trained_steps=last.step,
        seconds=round(trajectory.seconds, 3),
    )


def summarise(rows: Sequence[MemberRow], budget: int) -> Summary:
    """The score of the scoring rows under one budget."""
    steps = [row.steps for row in rows]
    solved = sum(s is not None for s in steps)
    middle = median(math.inf if s is None else s for s in steps)
    plateau_ends = [row.plateau_end for row in rows]
    return Summary(
        seeds=len(rows),
        solved=solved,
        diverged=sum(row.status == "diverged" for row in rows),
        solve_rate=solved / len(rows),
        solve_rate_interval=rate_interval(solved, len(rows)),
        mean_steps=restricted_mean(steps, budget),
        mean_steps_interval=mean_interval(steps, budget) if solved else None,
        median_steps=float(middle) if math.isfinite(middle) else None,
        median_interval=median_interval(steps, budget),
        mean_plateau_end=restricted_mean(plateau_ends, budget) if any(plateau_ends) else None,
        seconds=round(math.fsum(row.seconds for row in rows), 3),
    )


def restricted(value: int | None, budget: int) -> int:
    """min(value, budget), where None is what did not come within the budget: steps to solve, or the plateau's end."""
    return budget if value is None else value


def rate_interval(solved: int, seeds: int) -> list[float]:
    """Wilson's interval of the share of seeds that solved."""
    from scipy.stats import binomtest

    wilson = binomtest(solved, seeds).proportion_ci(CONFIDENCE, method="wilson")
    return [float(wilson.low), float(wilson.high)]


def restricted_mean(steps: Sequence[int | None], budget: int) -> float:
    """Mean of min(steps, budget): the area under the Kaplan-Meier curve up to the budget."""
    return fmean(restricted(s, budget) for s in steps)


def mean_interval(steps: Sequence[int | None], budget: int) -> list[float] | None:
    """Student's t-interval; a bootstrap covers too seldom at sixteen seeds and fewer."""
    within = [float(restricted(s, budget)) for s in steps]
    if len(within) < 2:
        return None
    low, high = t_interval(within)
    return [max(0.0, low), min(float(budget), high)]


def median_interval(steps: Sequence[int | None], budget: int) -> list[float | None] | None:
    """Exact, from order statistics; None for too few seeds, and an end is None where it was not reached."""
    from scipy.stats import quantile_test

    never = budget + 1
    interval = quantile_test([never if s is None else s for s in steps], p=0.5).confidence_interval(CONFIDENCE)
    if math.isnan(interval.low) or math.isnan(interval.high):
        return None
    return [None if end == never else float(end) for end in (interval.low, interval.high)]
