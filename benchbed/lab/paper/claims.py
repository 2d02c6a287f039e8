"""Does a claim hold? Tests on numbers that were measured seed by seed, each with a verdict of three."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from benchbed.config.protocol import SIGNIFICANT
from benchbed.results.stats import correlation_interval, holm, paired_p, rank_correlation, t_interval

__all__ = [
    "Samples",
    "Verdict",
    "abruptness",
    "fall_shares",
    "judge_abruptness",
    "judge_fall",
    "judge_middle",
    "judge_returns",
    "judge_rise",
]

Holds = Literal["holds", "does not hold", "undecided"]

_SHUFFLES = 20_000
_ABRUPT = 1 / 3


class Samples(NamedTuple):
    """The points of one line: a value of x and one measured number for each seed of each cell."""

    label: str
    x: list[float]
    y: list[float]


class Verdict(NamedTuple):
    """What came out."""

    outcome: Holds
    test: str
    p: float
    effect: str


def judge_rise(lines: Sequence[Samples]) -> Verdict:
    """Whether y rises with x in every line.

    It holds if every line alone is significant (the intersection-union test: its p is the largest, and needs no
    adjustment); it does not hold if a line is significant the other way after Holm's adjustment.
    """
    return _judge_trend(lines, rises=True)


def judge_fall(lines: Sequence[Samples]) -> Verdict:
    """Whether y falls with x in every line; judged as a rise is."""
    return _judge_trend(lines, rises=False)


def judge_middle(lines: Sequence[Samples]) -> Verdict:
    """Whether y is largest in the middle: whether it rises with the nearness of x to the middle of its line."""
    middles = [(min(line.x) + max(line.x)) / 2 for line in lines]
    near = [line._replace(x=[-abs(x - middle) for x in line.x]) for line, middle in zip(lines, middles, strict=True)]
    return _judge_trend(near, rises=True)


def judge_returns(lines: Sequence[Samples]) -> Verdict:
    """Whether y falls by more over the first half of the places of x than over the second, in every line.

    An odd number of places, in equal ratios, makes the halves equal. Seeds share their task at every place, so that
    each has both falls; their difference is tested by the exact test that swaps the two falls of a seed. Lines are
    combined as those of a trend are.
    """
    found, told = dict[str, tuple[float, float]](), list[str]()
    for line in lines:
        places = sorted(set(line.x))
        assert len(places) % 2 == 1, places
        first, middle, last = places[0], places[len(places) // 2], places[-1]
        at = {place: np.array([y for x, y in zip(line.x, line.y, strict=True) if x == place]) for place in places}
        falls = at[first] - at[middle], at[middle] - at[last]
        p = paired_p(falls[0].tolist(), falls[1].tolist())
        found[line.label] = float((falls[0] - falls[1]).mean()), p
        shown = [f"{fall.mean():.3f}{_interval(t_interval(fall.tolist()))}" for fall in falls]
        told.append(
            f"a fall of {shown[0]} from {first:g} to {middle:g} and of {shown[1]} from there to {last:g} "
            f"({line.label}, p = {p:.2g})"
        )
    test = "exact test that swaps the two falls of a seed, two-sided; every line must agree"
    return _combined(found, "; ".join(told), test, positive=True)


def _judge_trend(lines: Sequence[Samples], *, rises: bool) -> Verdict:
    found = {line.label: rank_correlation(line.x, line.y, shuffles=_SHUFFLES) for line in lines}
    varied = {line.label: len(line.x) if len(set(line.y)) > 1 else 0 for line in lines}
    told = ", ".join(
        f"{rho:+.2f}{_interval(correlation_interval(rho, varied[label]), '+.2f')} ({label}, p = {p:.2g})"
        for label, (rho, p) in found.items()
    )
    test = f"Spearman, permutation of seeds, two-sided, {_SHUFFLES:,} shuffles; every line must agree"
    return _combined(found, f"rank correlation {told}", test, positive=rises)


def _combined(found: dict[str, tuple[float, float]], effect: str, test: str, *, positive: bool) -> Verdict:
    """The verdict over lines, of the effect of each and its p."""
    adjusted = dict(zip(found, holm([p for _, p in found.values()]), strict=True))
    against = [name for name, (size, _) in found.items() if (size > 0) != positive and adjusted[name] < SIGNIFICANT]
    largest = max(p if (size > 0) == positive else 1.0 for size, p in found.values())
    outcome: Holds = "does not hold" if against else "holds" if largest < SIGNIFICANT else "undecided"
    p = min(adjusted[name] for name in against) if against else largest
    return Verdict(outcome, test, p, effect)


def _interval(interval: list[float] | None, form: str = ".3f") -> str:
    return "" if interval is None else f" [{interval[0]:{form}}, {interval[1]:{form}}]"


def fall_shares(steps: Sequence[int], losses: np.ndarray, chance_loss: float) -> list[float | None]:
    """For every output, which share of the steps up to there its fall took: near 0 it is a cliff, near 1 a slope.

    It falls from the last evaluation at which its lowest loss so far was within a twentieth of chance, which ends its
    plateau, to the first at which four fifths of its whole fall lie behind it. A loss that decays exponentially to a
    hundredth of chance has a share of 0.97, a power law one of 0.98: they begin to fall at once.

    Args:
        steps: of the K evaluations.
        losses: `(K, N)` in nats.
        chance_loss: in nats.

    Returns:
        A share an output; None for one that did not fall by half of chance.
    """
    lowest = np.minimum.accumulate(losses)  # the way back from a spike is no discovery
    shares: list[float | None] = []
    for curve in lowest.T:
        fall = chance_loss - curve[-1]
        on_plateau = np.flatnonzero(curve > 0.95 * chance_loss)
        begin = steps[on_plateau[-1]] if len(on_plateau) else 0
        end = steps[int(np.argmax(curve <= chance_loss - 0.8 * fall))]
        shares.append((end - begin) / end if fall > chance_loss / 2 else None)
    return shares


def abruptness(steps: Sequence[int], losses: np.ndarray, chance_loss: float) -> float:
    """Share of outputs whose fall takes at most a third of the steps up to there; arguments are `fall_shares`'."""
    return float(
        np.mean([share is not None and share <= _ABRUPT for share in fall_shares(steps, losses, chance_loss)])
    )


def judge_abruptness(shares: Sequence[float]) -> Verdict:
    """Are most outputs abrupt in most seeds? An exact sign test over seeds."""
    from scipy.stats import binomtest

    count = sum(share > 0.5 for share in shares)
    p = float(binomtest(count, len(shares), 0.5).pvalue)
    most = 2 * count > len(shares)
    outcome: Holds = "undecided" if p >= SIGNIFICANT else "holds" if most else "does not hold"
    effect = f"most outputs fall abruptly in {count} of {len(shares)} seeds; {np.mean(shares):.0%} of all outputs do"
    return Verdict(outcome, "exact sign test over seeds, two-sided", p, effect)
