import math

import pytest

from benchbed.training.trajectory import Evaluation, Member, Trajectory


def trajectory(solved, budget=50, losses=None, finite=None):
    found = Trajectory(Member(0, 1e-3), budget)
    for number, met in enumerate(solved):
        loss = losses[number] if losses else 0.5
        ok = finite[number] if finite else True
        found.evaluations.append(Evaluation(10 * (number + 1), [loss, loss], [1.0, 1.0], met, ok))
    return found


@pytest.mark.parametrize(
    ("solved", "status", "steps"),
    [
        ([], "training", None),
        ([True], "training", None),
        ([True, True], "solved", 10),
        ([True, False, True, True], "solved", 30),
        ([False, True, False, True], "training", None),
        ([False] * 5, "unsolved", None),
        ([False, False, False, True, True], "solved", 40),
        # Nothing confirms a solve at the very end of the budget.
        ([False, False, False, False, True], "unsolved", None),
    ],
)
def test_a_solve_is_confirmed_by_the_next_evaluation(solved, status, steps):
    found = trajectory(solved)
    assert (found.status, found.steps_to_solve) == (status, steps)


def test_divergence_ends_a_member():
    found = trajectory([False, False], finite=[True, False])
    assert found.status == "diverged"
    assert found.steps_to_solve is None
    assert math.isnan(found.evaluations[-1].mean_loss)


def test_the_plateau_ends_at_94_percent_of_chance():
    assert trajectory([False] * 3, losses=[1.0, 0.94, 0.5]).plateau_end(1.0) == 20
    assert trajectory([False] * 3, losses=[1.0, 0.95, 0.941]).plateau_end(1.0) is None


def test_at_95_percent_exactly_an_output_is_not_known():
    assert Evaluation(10, [0.1] * 4, [0.94, 0.95, 0.951, 1.0], solved=False, finite=True).known == 2


def test_survives_a_checkpoint():
    found = trajectory([False, True], losses=[1.0, 0.9])
    found.seconds = 1.5
    assert Trajectory.from_plain(found.to_plain()) == found
