"""Tests between entries, against brute force, SciPy and simulation."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchbed.boards.ranking import rank
from benchbed.config.protocol import SIGNIFICANT
from benchbed.results.stats import (
    correlation_interval,
    detectable_ratio,
    holm,
    paired_p,
    permutation_p,
    ratio_of_means,
    seed_agreement,
)

grid = st.integers(1, 20).map(lambda k: 25 * k)
SIDES = (("fast", 100), ("slow", 1000))
small = st.lists(grid, min_size=1, max_size=5)


@given(small, small)
def test_the_permutation_p_is_that_of_brute_force(first, second):
    pooled = np.array([*first, *second])
    observed = abs(np.mean(first) - np.mean(second))
    extreme = total = 0
    for chosen in combinations(range(len(pooled)), len(first)):
        mask = np.isin(np.arange(len(pooled)), chosen)
        total += 1
        extreme += abs(pooled[mask].mean() - pooled[~mask].mean()) >= observed - 1e-9
    assert permutation_p(first, second) == pytest.approx(extreme / total)
    assert permutation_p(second, first) == pytest.approx(extreme / total)


@settings(max_examples=10, deadline=None)
@given(st.lists(grid, min_size=5, max_size=5), st.lists(grid, min_size=5, max_size=5))
def test_the_permutation_p_is_scipys(first, second):
    expected = stats.permutation_test((first, second), lambda a, b: float(np.mean(a) - np.mean(b)), n_resamples=1000)
    assert permutation_p(first, second) == pytest.approx(expected.pvalue)


def test_the_smallest_p_is_that_of_its_number_of_seeds():
    """Three seeds a side cannot give less than 0.1, which is why they are never ranked; sixteen are counted too."""
    assert permutation_p([25] * 3, [50] * 3) == pytest.approx(0.1)
    assert permutation_p(range(1, 9), range(101, 109)) == pytest.approx(2 / 12870)
    assert permutation_p(range(1, 17), range(101, 117)) == pytest.approx(2 / 601080390)
    assert permutation_p([2000] * 8, [2000] * 8) == 1


def counted(first, second):
    """The permutation p by Python's integers, which know no largest."""
    pooled = [*first, *second]
    ways = {(0, 0): 1}
    for value in pooled:
        for (size, total), number in list(ways.items()):
            ways[size + 1, total + value] = ways.get((size + 1, total + value), 0) + number
    m, n, whole = len(first), len(pooled), sum(pooled)
    sides = {total: number for (size, total), number in ways.items() if size == m}
    observed = abs(n * sum(first) - m * whole)
    return sum(number for s, number in sides.items() if abs(n * s - m * whole) >= observed) / sum(sides.values())


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(30, 48), st.integers(30, 48))
def test_the_permutation_p_is_exact_where_64_bits_do_not_hold_the_ways(data, m, n):
    few = st.integers(1, 4).map(lambda k: 25 * k)
    first, second = (data.draw(st.lists(few, min_size=size, max_size=size)) for size in (m, n))
    assert permutation_p(first, second) == pytest.approx(counted(first, second), rel=1e-10)


@pytest.mark.parametrize(("m", "n"), [(48, 48), (16, 1000), (300, 300)])
def test_the_permutation_p_of_many_seeds_is_about_that_of_a_t_test(m, n):
    random = np.random.default_rng(0)
    first, second = (25 * random.integers(1, 20, size) for size in (m, n))
    for shift in (0, 25, 50):
        p = permutation_p(list(first + shift), list(second))
        assert p == pytest.approx(stats.ttest_ind(first + shift, second)[1], rel=0.5, abs=1e-6), shift


@given(st.lists(st.tuples(grid, grid), min_size=1, max_size=8))
def test_the_paired_p_is_that_of_brute_force(pairs):
    differences = np.array([a - b for a, b in pairs])
    flipped = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=len(pairs))]
    expected = np.mean([value >= abs(differences.sum()) for value in flipped])
    assert paired_p([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx(expected)


def test_the_paired_p_of_many_seeds_is_the_same_in_each_call():
    """Beyond 17 seeds the swaps are drawn: a verdict that depends on the draw is none."""
    random = np.random.default_rng(0)
    first, second = random.normal(0, 1, 32), random.normal(0.1, 1, 32)
    p = paired_p(first.tolist(), second.tolist())
    assert p == paired_p(first.tolist(), second.tolist())
    assert p == pytest.approx(stats.ttest_rel(first, second)[1], rel=0.2)


def test_holm_is_the_textbooks():
    """Four hypotheses: 0.005 x 4, 0.01 x 3, then 0.03 x 2, and 0.04 x 1 is raised to it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_and_keeps_the_order(values):
    adjusted = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, adjusted, strict=True))
    for i, j in combinations(range(len(values)), 2):
        if values[i] <= values[j]:
            assert adjusted[i] <= adjusted[j]


def test_rank_is_one_more_than_those_who_are_significantly_faster():
    board = {
        "slow": [2000] * 8,
        "fast": [100, 125, 150, 175, 100, 125, 150, 175],
        "fast too": [125, 125, 150, 200, 100, 125, 150, 175],
        "middle": [800, 900, 1000, 1100, 800, 900, 1000, 1100],
    }
    ranks, pairs = rank(board)
    assert ranks == {"fast": (1, 2), "fast too": (1, 2), "middle": (3, 3), "slow": (4, 4)}
    assert len(pairs) == 6
    # Five of six pairs have the smallest p there is: Benjamini and Hochberg take it times six, divided by five.
    assert min(pair.adjusted for pair in pairs) == pytest.approx(2 / 12870 * 6 / 5)
    alone, none = rank({"one": [1, 2]})
    assert (alone, none) == ({"one": (1, 1)}, [])


def test_a_long_board_still_tells_apart_what_is_apart():
    fast, slow = ({f"{name} {i}": [first + 25 * k for k in range(8)] for i in range(20)} for name, first in SIDES)
    ranks, pairs = rank(fast | slow)
    assert {ranks[name] for name in fast} == {(1, 20)}
    assert {ranks[name] for name in slow} == {(21, 40)}
    assert sum(pair.adjusted < 0.05 for pair in pairs) == 400
    assert min(holm([pair.p for pair in pairs])) > 0.05, "which is why the boards do not use it"


def test_few_of_the_pairs_that_are_told_apart_are_alike():
    """Fifteen mixers in five groups of three: of the pairs told apart, how many are of one group, on average?"""
    random = np.random.default_rng(3)
    groups = np.repeat([200, 300, 450, 900, 1800], 3)
    shares, found = [], []
    for _ in range(60):
        times = groups[:, None] * np.exp(0.5 * random.standard_normal((15, 8)))
        steps = np.minimum(2000, np.ceil(times / 25) * 25).astype(int).tolist()
        _, pairs = rank({str(i): row for i, row in enumerate(steps)})
        told = [(int(pair.first), int(pair.second)) for pair in pairs if pair.adjusted < 0.05]
        alike = sum(groups[a] == groups[b] for a, b in told)
        shares.append(alike / max(1, len(told)))
        found.append((len(told) - alike) / 90)
    assert np.mean(shares) < 0.05
    assert np.mean(found) > 0.6


@given(st.lists(st.lists(grid, min_size=8, max_size=8), min_size=1, max_size=4))
def test_nobody_ranks_behind_without_someone_significantly_faster(board):
    ranks, pairs = rank({str(i): steps for i, steps in enumerate(board)})
    assert min(place.rank for place in ranks.values()) == 1
    assert max(place.last for place in ranks.values()) == len(board)
    beaten = sum(pair.adjusted < 0.05 for pair in pairs)
    assert sum(place.rank for place in ranks.values()) == len(board) + beaten
    assert sum(place.last for place in ranks.values()) == len(board) ** 2 - beaten


def test_the_test_keeps_its_level_when_seeds_are_alike():
    """Two mixers with one distribution of quantised, censored steps differ in at most 5% of boards."""
    random = np.random.default_rng(1)
    steps = np.minimum(2000, np.ceil(random.exponential(900, (1000, 2, 8)) / 25) * 25).astype(int)
    assert np.mean([permutation_p(*pair) < 0.05 for pair in steps]) < 0.065


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_the_interval_of_the_ratio_covers(factor):
    random = np.random.default_rng(2)
    times = np.ceil(random.gamma(2.0, 150, (200_000, 2)) * [factor, 1] / 25) * 25
    times = np.minimum(times, 2000).astype(int)
    truth = times[:, 0].mean() / times[:, 1].mean()
    hits = 0
    for sample in times[:8000].reshape(1000, 8, 2):
        ratio, interval = ratio_of_means(*sample.T.tolist())
        assert interval is not None
        assert interval[0] <= ratio <= interval[1]
        hits += interval[0] <= truth <= interval[1]
    assert hits / 1000 > 0.92


@pytest.mark.parametrize("deviation", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("seeds", [8, 16])
def test_a_detectable_ratio_is_detected_in_about_four_of_five_tries(deviation, seeds):
    """Of the logarithm of steps; steps are of a grid, as on a board, and the test is the exact one."""
    rng = np.random.default_rng(0)

    def told_apart(ratio, tries=250):
        sides = np.exp(deviation * rng.standard_normal((2, tries, seeds))) * 400
        sides[0] *= ratio
        rounded = np.maximum(5, 5 * np.rint(sides / 5).astype(int))
        return sum(permutation_p(a, b) < SIGNIFICANT for a, b in zip(*rounded.tolist(), strict=True)) / tries

    spread = np.exp(deviation * rng.standard_normal((2, 4000))) * 400
    ratio = detectable_ratio(*spread.tolist(), seeds=seeds)
    assert ratio is not None
    assert 0.8 < told_apart(ratio) < 0.9
    assert told_apart(ratio**0.5) < 0.5, "and a smaller one is not"


def test_more_seeds_detect_less_and_what_never_varies_has_no_detectable_ratio():
    first, second = [100, 150, 200, 250], [300, 200, 350, 275]
    four, as_they_are, sixteen = (detectable_ratio(first, second, seeds) or 0 for seeds in (4, None, 16))
    assert four == as_they_are > sixteen > 1
    assert detectable_ratio([5, 5, 5], [7, 7, 7]) is None


def test_a_ratio_of_what_never_varies_has_no_interval():
    assert ratio_of_means([2000] * 8, [2000] * 8) == (1.0, None)
    assert ratio_of_means([100], [200]) == (0.5, None)


def test_seeds_that_are_slow_for_everybody_are_found():
    random = np.random.default_rng(4)
    difficulty = np.arange(8) * 100
    board = [difficulty + random.integers(0, 150, 8) for _ in range(6)]
    agreement = seed_agreement([row.tolist() for row in board])
    assert agreement is not None
    pairs = [np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1] for a, b in combinations(board, 2)]
    assert agreement[0] == pytest.approx(np.mean(pairs))
    assert agreement[1] < 0.001


def test_seeds_that_are_slow_by_chance_are_not():
    random = np.random.default_rng(5)
    p = [seed_agreement(random.integers(1, 20, (5, 8)).tolist()) for _ in range(60)]
    assert np.mean([found is not None and found[1] < 0.05 for found in p]) < 0.15
    assert seed_agreement([[2000] * 8, [25, 50] * 4]) is None


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.9])
def test_the_interval_of_the_rank_correlation_covers(strength):
    rng = np.random.default_rng(0)
    true = 6 / np.pi * np.arcsin(strength / 2)  # Spearman's of two normal variables
    found = []
    for _ in range(2000):
        x = rng.normal(size=22)
        y = strength * x + np.sqrt(1 - strength**2) * rng.normal(size=22)
        found.append(correlation_interval(float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]), 22))
    assert 0.93 <= np.mean([low <= true <= high for low, high in found]) <= 0.98


def test_a_perfect_order_and_three_points_have_no_interval():
    assert correlation_interval(1.0, 22) is correlation_interval(-1.0, 22) is correlation_interval(0.5, 3) is None
