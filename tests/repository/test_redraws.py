"""`benchmarks/redraws.py`: one part of a seed is drawn anew and the others are not; its statistics are known ones."""

import numpy as np
import pytest
import redraws
import torch

from benchbed.config.request import RunRequest
from benchbed.training.recipe import make_recipe

NUMBERS = [100 * turn + seed for turn in range(1 + 3 * redraws.ANEW) for seed in range(16)]


@pytest.fixture(scope="module")
def recipes():
    """A recipe as runs have it, and the same with parts that are drawn anew."""
    recipe, _ = make_recipe(RunRequest("mlp_mixer", "linear_map@s3", "lite").resolve("cpu"))
    return recipe, redraws.Redrawn.of(recipe)


def parts(recipe, number):
    """What a member of this number trains from."""
    task = recipe.make_task(number)
    return {
        "instance": task.matrix,
        "weights": torch.cat([p.detach().flatten() for p in recipe.make_model(number, task).parameters()]),
        # States alone: what follows them is of the instance as well.
        "data": recipe.training_data(number, task, 3).tokens[..., :8],
        "held out": recipe.held_out_data(number, task).tokens[..., :8],
    }


def test_every_training_is_another_and_ten_are_of_a_seed():
    draws = [redraws.draws_of(number) for number in NUMBERS]
    assert len(set(draws)) == 160
    assert all(sum(part != number % 100 for part in draw) <= 1 for number, draw in zip(NUMBERS, draws, strict=True))


def test_a_seed_as_it_is_is_the_entrys(recipes):
    ours, theirs = parts(recipes[1], 7), parts(recipes[0], 7)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("number", "anew"),
    [(107, {"weights"}), (407, {"instance"}), (707, {"data", "held out"}), (907, {"data", "held out"})],
)
def test_one_part_is_drawn_anew_and_the_others_are_not(recipes, number, anew):
    before, after = parts(recipes[1], 7), parts(recipes[1], number)
    assert {name for name in before if not torch.equal(before[name], after[name])} == anew


def test_the_correlation_is_that_of_those_who_defined_it():
    """Six targets and four judges, Shrout & Fleiss (1979), tables 2 and 4; the interval is of R's package psych."""
    rated = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = redraws.alike(np.array(rated, float))
    assert found.share == pytest.approx(0.17, abs=0.005)
    assert found.interval == pytest.approx((-0.13, 0.72), abs=0.005)
    assert found.p == pytest.approx(0.16, abs=0.03), "by the F distribution"


def test_what_is_shared_is_seen_and_chance_is_not():
    rng = np.random.default_rng(1)
    noise, shared = rng.normal(size=(16, 4)), rng.normal(size=(16, 1))
    alone, together = redraws.alike(noise), redraws.alike(noise + 3 * shared)
    assert alone.interval[0] < 0 < alone.interval[1]
    assert alone.p > 0.05
    assert together.interval[0] < 0.9 < together.interval[1], "nine parts of ten of the variance"
    assert together.p < 1e-3
    assert together.factor == pytest.approx(alone.factor), "which is of the trainings of one seed"
    assert redraws.factor(np.log([[100, 200, 400], [100, 100, 100]])) == pytest.approx(2 ** (4 / 6))


def test_a_table_is_read_as_it_was_written(tmp_path):
    rows = ["anew,seed,steps,budget", ",0,100,2000", ",1,200,2000"]
    for part in redraws.PARTS:
        rows += [f"{part},{seed},{'' if seed else 400},2000" for seed in (1, 0) for _ in range(3)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    for groups in redraws.read(tmp_path / "table.csv").values():
        assert np.exp(groups) == pytest.approx(np.array([[100, 400, 400, 400], [200, 2000, 2000, 2000]]))
