"""At which step does each seed gain a capability, and do groups of models differ in it?

Measured at checkpoints alone: a capability that holds at one and not at the one before came somewhere in between, and
one that never holds is censored at the last. Both are kept, and no seed is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any, Literal

from benchbed.lm.scoring import Score
from benchbed.results.scoring import mean_interval, rate_interval, restricted, restricted_mean
from benchbed.results.stats import permutation_p, ratio_of_means

__all__ = [
    "Emergence",
    "GroupSummary",
    "Metric",
    "Pair",
    "compare_groups",
    "criterion",
    "emergence",
    "summarise_groups",
]

Metric = Literal["accuracy", "greedy", "probability"]


@dataclass(frozen=True)
class Emergence:
    """One seed and one capability."""

    model: str
    group: str
    seed: int
    capability: str
    step: int | None
    """The first checkpoint at which it holds, and at the next one too; None for never."""
    after: int | None
    """The checkpoint before that one: the capability came after it. None where there is none."""
    last: int
    """The last checkpoint: where one that never came is censored."""
    before: float | None
    """The metric at `after`."""
    value: float | None
    """The metric at `step`."""
    best: float
    """The highest at any checkpoint."""
    lost: int | None
    """The first later checkpoint at which it no longer holds, if there is one."""


@dataclass(frozen=True)
class GroupSummary:
    """Models that differ in their seed alone, and one capability."""

    group: str
    capability: str
    seeds: int
    emerged: int
    share_interval: list[float]
    """Wilson's, of the share of seeds in which it emerged."""
    horizon: int
    """Steps up to which every seed was watched; what came later counts as not come."""
    mean_steps: float
    """Of min(step, horizon)."""
    mean_interval: list[float] | None
    """Student's t; None for one seed, or where it emerged in none."""
    mean_from: float
    """The same mean of the checkpoints before: the true one lies between both."""
    median_steps: float | None
    """None where it came in half of the seeds or fewer."""
    earliest: int | None
    latest: int | None
    """Of the seeds in which it came."""


@dataclass(frozen=True)
class Pair:
    """Two groups and one capability: exact permutation test on min(step, horizon), and the ratio of their means."""

    capability: str
    first: str
    second: str
    ratio: float
    interval: list[float] | None
    p: float


def criterion(chance: float, given: float | None) -> float:
    """What a metric must reach: by default half of the way from chance to one."""
    return (1 + chance) / 2 if given is None else given


def emergence(scores: Mapping[int, Score], metric: Metric, threshold: float) -> dict[str, Any]:
    """When one seed gained one capability: the fields of `Emergence` from `step` on.

    Args:
        scores: by step.
        metric: which number counts.
        threshold: that it must reach.
    """
    steps = sorted(scores)
    values = [getattr(scores[step], metric) for step in steps]
    holds = [value >= threshold for value in values]
    first = next((index for index in range(len(steps) - 1) if holds[index] and holds[index + 1]), None)
    came = first is not None
    earlier = first - 1 if first else None
    lost = next((steps[i] for i in range(first + 1, len(steps)) if not holds[i]), None) if came else None
    return {
        "step": steps[first] if came else None,
        "after": None if earlier is None else steps[earlier],
        "last": steps[-1],
        "before": None if earlier is None else values[earlier],
        "value": values[first] if came else None,
        "best": max(values),
        "lost": lost,
    }


def summarise_groups(found: Sequence[Emergence]) -> list[GroupSummary]:
    """One summary a group and capability, in the order in which they come."""
    keys = dict.fromkeys((one.capability, one.group) for one in found)
    return [_summary([one for one in found if (one.capability, one.group) == key]) for key in keys]


def compare_groups(found: Sequence[Emergence]) -> list[Pair]:
    """Every two groups, capability by capability; up to the steps to which both were watched."""
    pairs = []
    for capability in dict.fromkeys(one.capability for one in found):
        groups: dict[str, list[Emergence]] = {}
        for one in found:
            if one.capability == capability:
                groups.setdefault(one.group, []).append(one)
        for first, second in combinations(groups, 2):
            horizon = min(one.last for one in (*groups[first], *groups[second]))
            sides = [[_within(one.step, horizon) for one in groups[name]] for name in (first, second)]
            ratio, interval = ratio_of_means(*sides)
            pairs.append(Pair(capability, first, second, ratio, interval, permutation_p(*sides)))
    return pairs


def _summary(seeds: Sequence[Emergence]) -> GroupSummary:
    horizon = min(one.last for one in seeds)
    steps = [one.step if one.step is not None and one.step <= horizon else None for one in seeds]
    came = [step for step in steps if step is not None]
    starts = [horizon if step is None else one.after or 0 for one, step in zip(seeds, steps, strict=True)]
    middle = median(float("inf") if step is None else step for step in steps)
    return GroupSummary(
        group=seeds[0].group,
        capability=seeds[0].capability,
        seeds=len(seeds),
        emerged=len(came),
        share_interval=rate_interval(len(came), len(seeds)),
        horizon=horizon,
        mean_steps=restricted_mean(steps, horizon),
        mean_interval=mean_interval(steps, horizon) if came else None,
        mean_from=sum(starts) / len(starts),
        median_steps=middle if middle <= horizon else None,
        earliest=min(came, default=None),
        latest=max(came, default=None),
    )


def _within(step: int | None, horizon: int) -> int:
    return max(1, min(restricted(step, horizon), horizon))
