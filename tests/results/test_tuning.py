"""Tuning is a function of what the seeds did, whoever came first; giving a rate up never changes which one wins."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbed.config.tracks import OptimiserSettings
from benchbed.results.scoring import MemberRow, member_row
from benchbed.results.tuning import (
    choose_learning_rate,
    further_rates,
    giving_up,
    most_to_come,
    races,
    stops_by_mistake,
)
from benchbed.training.trajectory import Evaluation, Member, Trajectory, give_up_in_order

EVERY, BUDGET = 10, 100
GRID = [0.1, 0.2, 0.3]


def settings(rates=GRID, further=(0.01, 0.05, 0.4, 0.8)):
    return OptimiserSettings(
        learning_rates=list(rates), further_rates=list(further), betas=[0.9, 0.999], weight_decay=0.0, warmup_steps=0
    )


def row(steps, rate, loss: float | None = 0.5, status=None):
    return MemberRow(
        seed=0,
        learning_rate=rate,
        status=status or ("unsolved" if steps is None else "solved"),
        steps=steps,
        plateau_end=None,
        final_loss=loss,
        trained_steps=steps + EVERY if steps else BUDGET,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([row(10, 0.1), row(None, 0.1), row(90, 0.2), row(90, 0.2)], 0.2),
        ([row(50, 0.1), row(40, 0.2)], 0.2),
        ([row(None, 0.1, loss=0.3), row(None, 0.2, loss=0.2)], 0.2),
        ([row(None, 0.1, loss=None, status="diverged"), row(None, 0.2, loss=9.0)], 0.2),
        ([row(50, 0.2), row(50, 0.1)], 0.1),
    ],
)
def test_the_learning_rate_with_most_solves_then_fewest_steps_then_lowest_loss(rows, chosen):
    assert choose_learning_rate(rows, BUDGET) == chosen


@pytest.mark.parametrize(
    ("steps", "tried_next"),
    [
        ({0.1: 50, 0.2: 20, 0.3: 40}, []),
        ({0.1: 20, 0.2: 30, 0.3: 40}, [0.05]),
        ({0.1: 40, 0.2: 30, 0.3: 20}, [0.4]),
        ({0.05: 20, 0.1: 30, 0.2: 40}, [0.01]),
        ({0.01: 20, 0.05: 30, 0.1: 40}, []),
        ({0.05: 30, 0.1: 20, 0.2: 40}, []),
        ({0.2: 20}, [0.05, 0.4]),
    ],
)
def test_a_further_rate_is_tried_while_the_best_is_an_end(steps, tried_next):
    assert further_rates([row(s, rate) for rate, s in steps.items()], settings(), BUDGET) == tried_next


@given(st.data(), st.sampled_from([GRID, GRID[:1], GRID[1:]]), st.sets(st.sampled_from([0.01, 0.05, 0.4, 0.8])))
def test_no_more_rates_are_tried_than_are_said_to_come(data, grid, further):
    """Whatever the rates lead to; and where each is better than the last, as many as that."""
    optimiser = settings(grid, further)
    entered, rows, promised = list(grid), [], None
    while entered:
        to_come = most_to_come(entered, optimiser)
        assert promised is None or promised >= len(entered) + to_come
        rows += [row(data.draw(st.sampled_from([10, 20, 30])), rate) for rate in entered]
        entered, promised = further_rates(rows, optimiser, BUDGET), to_come
    upwards = [row(int(10 / rate), rate) for rate in grid]
    assert most_to_come(grid, settings(grid, (0.4, 0.8))) == 2
    assert further_rates(upwards, settings(grid, (0.4, 0.8)), BUDGET) == [0.4]
    assert most_to_come([0.4], settings(grid, (0.4, 0.8))) == 1


def test_the_races_of_rows_are_told_from_the_rows():
    rows = [row(s, rate) for rate, s in {0.1: 30, 0.2: 40, 0.3: 50, 0.05: 20, 0.01: 60}.items()]
    assert list(races(rows, settings(), BUDGET)) == [GRID, [0.05], [0.01]]
    assert list(races(rows, settings(further=()), BUDGET)) == [GRID]
    assert list(races(rows[:3], settings(), BUDGET)) == [GRID, [0.05]], "the rows of a race that should have been run"
    assert list(races([], settings(), BUDGET)) == [GRID]


def evaluate(trajectory, meets):
    """One more evaluation of a member that meets the criterion from `meets` on; it diverges at a negative step."""
    step = trajectory.step + EVERY
    finite = meets is None or meets > 0 or step < -meets
    met = meets is not None and finite and step >= meets > 0
    trajectory.evaluations.append(Evaluation(step, [0.5], [1.0], met, finite))


def tune(plan, order, decide=None):
    """Rows of members `{(rate, seed): when it meets the criterion}` that advance in an order of the scheduler's."""
    members = {key: Trajectory(Member(key[1], key[0]), BUDGET) for key in plan}
    everyone, decided = list(members.values()), 0
    while training := [key for key, t in members.items() if t.status == "training"]:
        key = order(training, members)
        evaluate(members[key], plan[key])
        if decide:
            decided = give_up_in_order(everyone, partial(decide, 0), EVERY, decided)
    return [member_row(t, chance_loss=1.0) for t in everyone]


def in_turns(training, members):
    return min(training, key=lambda key: members[key].step)


ends = st.none() | st.sampled_from([10 * k for k in range(1, 10)]) | st.sampled_from([-20, -50])
plans = st.lists(st.lists(ends, min_size=3, max_size=3), min_size=3, max_size=3).map(
    lambda rows: {(rate, seed): end for rate, seeds in zip(GRID, rows, strict=True) for seed, end in enumerate(seeds)}
)


@given(plans, st.randoms(use_true_random=False))
def test_giving_up_depends_on_no_schedule_and_changes_no_choice(plan, random):
    decide = giving_up([[]], BUDGET)
    rows = tune(plan, in_turns, decide)
    assert tune(plan, lambda training, _: random.choice(training), decide) == rows
    assert tune(plan, lambda training, _: training[0], decide) == rows
    assert tune(plan, lambda training, _: training[-1], decide) == rows
    whole = tune(plan, in_turns)
    assert choose_learning_rate(rows, BUDGET) == choose_learning_rate(whole, BUDGET)
    assert further_rates(rows, settings(), BUDGET) == further_rates(whole, settings(), BUDGET)
    for stopped, same in zip(rows, whole, strict=True):
        assert stopped == same or (stopped.status == "stopped" and stopped.trained_steps <= same.trained_steps)
    assert list(stops_by_mistake(rows, settings(), BUDGET)) == []
    assert sum(r.trained_steps for r in rows) <= sum(r.trained_steps for r in whole)


def test_a_hopeless_rate_is_given_up_as_soon_as_it_is_hopeless():
    plan = {(0.1, 0): 20, (0.1, 1): 20, (0.2, 0): 40, (0.2, 1): 10, (0.3, 0): None, (0.3, 1): -10}
    rows = tune(plan, in_turns, giving_up([[]], BUDGET))
    assert [(r.status, r.trained_steps) for r in rows] == [
        ("solved", 30),  # both seeds of 0.1 have solved, at 20 on average
        ("solved", 30),
        ("stopped", 40),  # 40 and 10 make 25, and nothing before step 40 was worse than 20
        ("solved", 20),
        ("stopped", 20),  # with a seed diverged it comes to one solved at best, and 0.2 has one, earlier
        ("diverged", 10),
    ]


@given(plans, st.sampled_from([-EVERY, EVERY]))
def test_a_stop_at_another_step_than_the_first_possible_is_found(plan, shift):
    rows = tune(plan, in_turns, giving_up([[]], BUDGET))
    stopped = [r for r in rows if r.status == "stopped"]
    if not stopped:
        return
    rate, at = stopped[0].learning_rate, stopped[0].trained_steps

    def moved(r):
        hit = r.status == "stopped" and r.learning_rate == rate
        return r.model_copy(update={"trained_steps": at + shift}) if hit else r

    mistakes = list(stops_by_mistake([moved(r) for r in rows], settings(), BUDGET))
    assert bool(mistakes) == (shift < 0), "later is a waste and no mistake"


def test_a_later_race_is_run_against_what_is_known():
    known = [row(20, rate) for rate in GRID]
    plan = {(0.05, 0): 10, (0.05, 1): None}
    earlier = [[*known, *known]]
    rows = tune(plan, in_turns, giving_up(earlier, BUDGET))
    assert [(r.status, r.trained_steps) for r in rows] == [("solved", 20), ("stopped", 40)]
