"""The counts of `benchmarks/best_of_many.py`, on settings whose winners are known."""

import best_of_many
import pytest


def winners(path, *rows):
    """Of one setting, from rows of an architecture, a rate and one seed's scores on validation and on test data."""
    head = "Model,Task,Difficulty,Target_Params,LR,Best_Val_Score,Test_Score"
    path.write_text("\n".join([head, *(f"{model},recall,small,1000,{rest}" for model, rest in rows)]) + "\n")
    (models,) = best_of_many.read(path).values()
    return best_of_many.winners(models)


def test_a_lucky_run_wins_by_the_best_and_not_by_the_mean(tmp_path):
    steady, lucky = [0.1] * 5, [0.0, *[0.9] * 4]
    scores = {("A", "0.01"): steady, ("A", "0.1"): [0.5] * 5, ("B", "0.01"): lucky}
    rows = [(model, f"{rate},{score},{score}") for (model, rate), seeds in scores.items() for score in seeds]
    found = winners(tmp_path / "runs.csv", *rows)
    assert (found.best, found.mean) == ({"B"}, "A")
    assert found.p == pytest.approx(12 / 252), "the splits that put all four slow seeds on one side"


def test_a_rate_is_chosen_on_validation_data_and_one_that_diverged_is_not(tmp_path):
    rows = [("A", "0.01,0.4,0.2"), ("A", "0.1,0.3,0.6"), ("A", "1,nan,"), ("B", "0.01,0.5,0.5")]
    found = winners(tmp_path / "runs.csv", *rows, *rows)
    assert found[:2] == ({"A"}, "B")
    assert found.rates == {"A": "0.1"}


@pytest.mark.parametrize("rate", ["", "0.01"])
def test_who_has_one_setting_needs_no_validation_data(tmp_path, rate):
    rows = [("ESN", f"{rate},,0.1"), ("A", "0.01,0.2,0.2")]
    assert winners(tmp_path / "runs.csv", *rows, *rows)[:2] == ({"ESN"}, "ESN")
