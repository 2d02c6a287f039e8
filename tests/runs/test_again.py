"""Training what a finished run trained once more."""

import pytest
import torch

from benchbed.errors import ResultError
from benchbed.results.result import load_result
from benchbed.runs.again import plan_again
from benchbed.runs.execute import execute

CPU = torch.device("cpu")


@pytest.fixture
def finished(published_boards):
    """A ranked run, tuned and scored."""
    return load_result(published_boards / "runs" / "mlp_mixer")


def test_the_same_seeds_train_step_for_step_the_same(finished, tmp_path):
    plan, settings = plan_again(finished, finished.config.scoring_seeds[2:4], CPU, tmp_path)
    again = execute(plan, settings, lambda _: None).result
    assert again.restricted_steps == finished.restricted_steps[2:4]
    assert [row.final_loss for row in again.members] == [row.final_loss for row in finished.members[2:4]]


def test_another_source_is_not_trained_in_its_place(finished, tmp_path):
    mixer = finished.config.mixer.model_copy(update={"source_hash": "0"})
    config = finished.config.model_copy(update={"mixer": mixer})
    other = finished.model_copy(update={"config": config})
    with pytest.raises(ResultError, match="has another source than the one that was scored"):
        plan_again(other, [0], CPU, tmp_path)


def test_what_made_a_run_unranked_still_does(finished, tmp_path):
    config = finished.config.model_copy(update={"unranked": ["--no-check"]})
    plan, _ = plan_again(finished.model_copy(update={"config": config}), [0, 1], CPU, tmp_path)
    rate = f"{finished.learning_rate:g}"
    assert plan.config.unranked == ["--no-check", f"seeds 0 to 1 at the rate of a finished run, {rate}"]
    assert plan.folder.is_relative_to(tmp_path)
