"""Is one mixer faster than another? Exact tests on the steps of their seeds, for a pair and across a board.

Every argument called `steps` has one number a seed: min(steps to solve, budget).
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np

from benchbed.config.protocol import CONFIDENCE, POWER

__all__ = [
    "correlation_interval",
    "detectable_ratio",
    "holm",
    "paired_p",
    "permutation_p",
    "rank_correlation",
    "ratio_of_means",
    "seed_agreement",
    "t_interval",
]


_SHUFFLES = 10_000


def permutation_p(first: Sequence[int], second: Sequence[int]) -> float:
    """Two-sided p of the exact permutation test on the difference of means, for independent seeds.

    All C(m+n, n) ways to share the pooled steps out are counted, by dynamic programming over their sums: sixteen
    seeds a side have 601 million, which `scipy.stats.permutation_test` could only sample. Where they are more than 64
    bits hold, from 34 seeds a side, they are counted in floating point, to ten digits and more. The seeds of two
    mixers share their task instances; if those make both fast or slow together, this test errs on the safe side.

    Args:
        first: steps.
        second: likewise; not as many as the first need be.
    """
    fewer, more = sorted((list(first), list(second)), key=len)
    pooled = np.array([*fewer, *more], dtype=np.int64)
    unit = np.gcd.reduce(pooled)
    values, total = pooled // unit, int(pooled.sum() // unit)
    fits = math.comb(len(pooled), len(fewer)) < 2**63
    # Counts, or chances where each value is taken with the chance `taken`: the same but for a factor.
    taken, left = (1, 1) if fits else (len(fewer) / len(pooled), len(more) / len(pooled))
    ways = np.zeros((len(fewer) + 1, total + 1), dtype=np.int64 if fits else np.float64)
    ways[0, 0] = 1  # ways[k, s]: subsets of size k with sum s
    for value in values:
        with_it = taken * ways[:-1, : total + 1 - value]
        if not fits:
            ways *= left
        ways[1:, value:] += with_it
    # In integers, so that ties are ties: n * sum(fewer) against m * total, m of n values being those.
    distances = np.abs(len(pooled) * np.arange(total + 1) - len(fewer) * total)
    observed = distances[int(sum(fewer) // unit)]
    return float(ways[-1, distances >= observed].sum() / ways[-1].sum())


def paired_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of the test that swaps the two numbers of a seed, for two trainings of the same seeds.

    Up to 17 seeds it is exact; of more, 131,072 of the ways to swap are drawn, the same in each call.

    Args:
        first: steps, or another measure, of the seeds.
        second: of the same seeds, in the same order.
    """
    from scipy.stats import permutation_test

    if len(first) < 2 or list(first) == list(second):
        return 1.0
    result = permutation_test(
        (np.array(first, float), np.array(second, float)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**17,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values of one family by Holm's step-down method (SciPy has none)."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, largest = [1.0] * len(values), 0.0
    for position, i in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - position) * values[i]))
        adjusted[i] = largest
    return adjusted


def seed_agreement(board: Sequence[Sequence[int]]) -> tuple[float, float] | None:
    """Are the same seeds slow for every mixer? Their mean rank correlation between mixers, and its one-sided p.

    A seed fixes the task instance, the data and the random numbers of the initial weights.

    Args:
        board: steps of every entry, each in the same order of seeds.

    Returns:
        The correlation and p; None where fewer than two entries have seeds that differ.
    """
    from scipy.stats import rankdata

    ranks = np.array([rankdata(steps) for steps in board if len(set(steps)) > 1])
    if len(ranks) < 2:
        return None
    ranks -= ranks.mean(axis=1, keepdims=True)
    ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
    shuffled = np.random.default_rng(0).permuted(np.broadcast_to(ranks, (_SHUFFLES, *ranks.shape)), axis=2)
    observed, others = (np.square(r.sum(axis=-2)).sum(axis=-1) for r in (ranks, shuffled))
    # |sum of n unit vectors|^2 = n + n (n - 1) times their mean product.
    correlation = (observed - len(ranks)) / (len(ranks) * (len(ranks) - 1))
    return float(correlation), float((np.sum(others >= observed - 1e-9) + 1) / (_SHUFFLES + 1))


def ratio_of_means(steps: Sequence[int], baseline: Sequence[int]) -> tuple[float, list[float] | None]:
    """Ratio of mean steps to a baseline's, with its interval by the delta method on the logarithm (Welch's t).

    Where seeds were stopped by the budget it is the ratio of restricted means, not of the times that nobody saw.

    Returns:
        The ratio and its 95% interval; None where neither side varies.
    """
    from scipy.stats import t

    ratio = fmean(steps) / fmean(baseline)
    error, freedom = _log_ratio_error(steps, baseline)
    if not error:
        return ratio, None
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return ratio, [ratio * math.exp(-half), ratio * math.exp(half)]


def detectable_ratio(steps: Sequence[int], baseline: Sequence[int], seeds: int | None = None) -> float | None:
    """The smallest ratio of means that the exact test tells apart in four of five tries, if seeds spread as these do.

    By the normal approximation to the power, on the logarithm and with Welch's t. It says what so many seeds can see,
    and nothing about the ratio that these came to.

    Args:
        steps: of one side.
        baseline: of the other.
        seeds: a side; by default as many as there are.

    Returns:
        The ratio, above 1; None where neither side varies.
    """
    from scipy.stats import t

    error, freedom = _log_ratio_error(steps, baseline, seeds)
    if not error:
        return None
    return math.exp(float(t.ppf((1 + CONFIDENCE) / 2, freedom) + t.ppf(POWER, freedom)) * error)


def _log_ratio_error(steps: Sequence[int], baseline: Sequence[int], seeds: int | None = None) -> tuple[float, float]:
    """Standard error of the logarithm of a ratio of means (delta method), and Welch's degrees of freedom.

    Both are 0 where neither side varies, or one has a single seed.
    """
    sides = [np.array(side, float) for side in (steps, baseline)]
    if min(map(len, sides)) < 2:
        return 0.0, 0.0
    counts = [seeds or len(side) for side in sides]
    parts = [side.var(ddof=1) / side.mean() ** 2 / count for side, count in zip(sides, counts, strict=True)]
    if not sum(parts):
        return 0.0, 0.0
    freedom = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    return math.sqrt(sum(parts)), float(freedom)


def t_interval(values: Sequence[float]) -> list[float]:
    """95% interval of the mean of at least two numbers (Student's t)."""
    from scipy.stats import t

    mean = fmean(values)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values)))
    return [mean - half, mean + half]


def rank_correlation(x: Sequence[float], y: Sequence[float], *, shuffles: int = 20_000) -> tuple[float, float]:
    """Does y rise with x? Spearman's rank correlation and its permutation p, two-sided; 0 and 1 if one is constant.

    Args:
        x: numbers.
        y: as many, in the same order.
        shuffles: of y.
    """
    from scipy.stats import rankdata

    x_ranks, y_ranks = (rankdata(values) - (len(values) + 1) / 2 for values in (x, y))
    spread = float(np.sqrt((x_ranks @ x_ranks) * (y_ranks @ y_ranks)))
    if spread == 0:
        return 0.0, 1.0
    observed = float(x_ranks @ y_ranks)
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.broadcast_to(y_ranks, (shuffles, len(y_ranks))), axis=1) @ x_ranks
    extreme = np.abs(shuffled) >= abs(observed) * (1 - 1e-12)
    return observed / spread, float((extreme.sum() + 1) / (shuffles + 1))


def correlation_interval(correlation: float, count: int) -> list[float] | None:
    """95% interval of Spearman's rank correlation (Bonett & Wright, 2000, Psychometrika 65).

    Fisher's z with a standard error of sqrt((1 + r^2 / 2) / (n - 3)), which stays honest where ranks are far apart.

    Args:
        correlation: r.
        count: n, the number of pairs of numbers.

    Returns:
        The interval; None for fewer than four pairs, and where the order is one and the same or its reverse.
    """
    from scipy.stats import norm

    if count < 4 or abs(correlation) >= 1:
        return None
    half = float(norm.ppf((1 + CONFIDENCE) / 2)) * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    return [math.tanh(math.atanh(correlation) + side) for side in (-half, half)]
