"""Does a claim hold? Tests on numbers that were measured seed by seed, each with a verdict of three."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from benchbed.config.protocol import SIGNIFICANT
from benchbed.results.stats import holm, rank_correlation

__all__ = ["Samples", "Verdict", "abruptness", "fall_shares", "judge_abruptness", "judge_trend"]

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


def judge_trend(lines: Sequence[Samples], *, rises: bool) -> Verdict:
    """Whether y rises (or falls) with x in every line as it is claimed.

    It holds if every line alone is significant (the intersection-union test: its p is the largest, and needs no
    adjustment); it does not hold if a line is significant the other way after Holm's adjustment.
    """
    found = {line.label: rank_correlation(line.x, line.y, shuffles=_SHUFFLES) for line in lines}
    adjusted = dict(zip(found, holm([p for _, p in found.values()]), strict=True))
    against = [name for name, (rho, _) in found.items() if (rho > 0) != rises and adjusted[name] < SIGNIFICANT]
    largest = max(p if (rho > 0) == rises else 1.0 for rho, p in found.values())
    outcome: Holds = "does not hold" if against else "holds" if largest < SIGNIFICANT else "undecided"
    p = min(adjusted[name] for name in against) if against else largest
    effect = "rank correlation " + ", ".join(
        f"{rho:+.2f} ({label}, p = {p:.2g})" for label, (rho, p) in found.items()
    )
    test = f"Spearman, permutation of seeds, two-sided, {_SHUFFLES:,} shuffles; every line must agree"
    return Verdict(outcome, test, p, effect)


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
