"""The step of emergence, and what is said over seeds."""

from itertools import combinations
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbed.lm.emergence import Emergence, compare_groups, criterion, emergence, summarise_groups
from benchbed.lm.scoring import Score


def scores(values, steps=None):
    steps = steps or [100 * i for i in range(len(values))]
    return {step: Score(value, 0.0, 0.0, 1.0) for step, value in zip(steps, values, strict=True)}


def seed(step, last=1000, *, group="a", after=None, number=0) -> Emergence:
    return Emergence(f"{group}-seed{number}", group, number, "copying", step, after, last, None, None, 0.5, None)


def test_it_holds_and_holds_at_the_next():
    found = emergence(scores([0, 0.9, 0, 0.9, 0.9, 0, 0.9]), "accuracy", 0.5)
    assert (found["step"], found["after"], found["lost"]) == (300, 200, 500)
    assert (found["before"], found["value"], found["best"]) == (0, 0.9, 0.9)


def test_never_is_censored_at_the_last_checkpoint():
    for values in ([0, 0, 0], [0, 0.9, 0], [0, 0, 0.9]):  # the last one: nothing confirms it
        found = emergence(scores(values), "accuracy", 0.5)
        assert (found["step"], found["last"]) == (None, 200)


def test_a_gap_makes_the_interval_wider():
    found = emergence(scores([0, 0.9, 0.9], [0, 700, 800]), "accuracy", 0.5)
    assert (found["after"], found["step"]) == (0, 700)
    found = emergence(scores([0.9, 0.9]), "accuracy", 0.5)
    assert (found["after"], found["step"]) == (None, 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 1))
def test_it_is_what_a_person_would_read_off(values, least):
    found = emergence(scores(values), "accuracy", least)
    holding = "".join("x" if value >= least else "." for value in values)
    place = holding.find("xx")
    assert found["step"] == (None if place < 0 else 100 * place)
    assert found["after"] == (None if place < 1 else 100 * (place - 1))


def test_the_criterion_is_half_way_from_chance():
    assert criterion(0.5, None) == 0.75
    assert criterion(0.1, 0.9) == 0.9


def test_no_seed_is_dropped():
    seeds = [seed(200, after=100), seed(None), seed(600, after=500), seed(None, last=800)]
    (found,) = summarise_groups(seeds)
    assert (found.emerged, found.seeds, found.horizon) == (2, 4, 800)
    assert found.mean_steps == fmean([200, 800, 600, 800])
    assert found.mean_from == fmean([100, 800, 500, 800])
    assert found.median_steps is None
    assert (found.earliest, found.latest) == (200, 600)
    low, high = found.share_interval
    assert 0 < low < 0.5 < high < 1


def test_what_came_after_the_horizon_counts_as_not_come():
    (found,) = summarise_groups([seed(900, after=800), seed(None, last=500)])
    assert (found.emerged, found.mean_steps, found.horizon) == (0, 500, 500)


def test_groups_are_compared_by_the_exact_test():
    first, second = [100, 200, 300, 1000], [600, 700, 1000, 1000]
    seeds = [seed(None if s == 1000 else s, group="a", number=i) for i, s in enumerate(first)]
    seeds += [seed(None if s == 1000 else s, group="b", number=i) for i, s in enumerate(second)]
    (pair,) = compare_groups(seeds)
    pooled = [*first, *second]
    observed = abs(fmean(first) - fmean(second))
    splits: list[Any] = list(combinations(range(8), 4))
    extreme = 0
    for chosen in splits:
        mine = [pooled[i] for i in chosen]
        rest = [pooled[i] for i in range(8) if i not in chosen]
        extreme += abs(fmean(mine) - fmean(rest)) >= observed - 1e-9
    assert pair.p == pytest.approx(extreme / len(splits))
    assert (pair.first, pair.second, pair.ratio) == ("a", "b", pytest.approx(fmean(first) / fmean(second)))


def test_groups_that_were_watched_unequally_long_are_cut_to_the_shorter():
    seeds = [seed(700, group="a", after=600), seed(400, 500, group="b", after=300)]
    (pair,) = compare_groups(seeds)
    assert pair.ratio == pytest.approx(500 / 400)
