"""What is said to be left is never less than what comes."""

import math
import os

import pytest
import torch
from clock import run_script
from planned import planned

from benchbed.runs import estimate
from benchbed.runs.estimate import most_seconds, most_steps
from benchbed.runs.execute import execute
from benchbed.training.engine import EngineSettings
from benchbed.training.fork_server import forks
from benchbed.training.group import Group

CPU = EngineSettings("loop", torch.device("cpu"), cores=1)


@pytest.fixture
def unsolvable(configure, tiny, tmp_path):
    """A run that nobody solves in 20 steps, and that may lead to rates on both sides of the grid."""
    optimiser = tiny.optimiser.model_copy(update={"further_rates": [0.0001, 0.001, 0.03]})
    config = configure(task="linear_map@s2", max_steps=20).model_copy(update={"optimiser": optimiser})
    return planned(config, tmp_path)


def test_what_is_left_is_a_bound_at_every_moment(unsolvable):
    """Further rates count as well: the best of the grid may be an end of it."""
    seen, done, before = [], 0, []

    def watch(progress):
        nonlocal done, before
        if before and progress.trajectories[0].member != before[0].member:
            done += sum(t.step for t in before)
        before = progress.trajectories
        left = progress.seconds_left * progress.steps_per_second
        seen.append((done + sum(t.step for t in before), left if left else math.inf))

    first = most_steps(unsolvable)
    result = execute(unsolvable, CPU, watch).result
    whole = sum(row.trained_steps for row in [*result.tuning, *result.members])
    assert len({row.learning_rate for row in result.tuning}) > 2, "a further rate was tried, or this shows nothing"
    assert whole == seen[-1][0]
    assert first >= whole
    assert all(trained + left >= whole - 1e-6 for trained, left in seen)
    assert most_steps(unsolvable) == most_seconds(unsolvable, CPU) == 0, "it is finished"


@pytest.mark.parametrize("stage", ["tuning", "scoring"])
def test_what_a_checkpoint_holds_is_taken_off(unsolvable, stage):
    left = 0.0

    def interrupt(progress):
        nonlocal left
        left = progress.seconds_left * progress.steps_per_second
        if progress.stage == stage and any(t.step for t in progress.trajectories):
            raise KeyboardInterrupt

    whole = most_steps(unsolvable)
    with pytest.raises(KeyboardInterrupt):
        execute(unsolvable, CPU, interrupt)
    assert most_steps(unsolvable) == pytest.approx(left)
    assert 0 < most_steps(unsolvable) < whole


def test_a_race_that_is_over_is_taken_off(unsolvable):
    """Of it rows are kept, and no curves whose lengths could be added."""
    optimiser, seeds = unsolvable.config.optimiser, len(unsolvable.config.tuning_seeds)

    def interrupt(progress):
        if progress.trajectories[0].member.learning_rate not in optimiser.learning_rates:
            raise KeyboardInterrupt

    whole = most_steps(unsolvable)
    with pytest.raises(KeyboardInterrupt):
        execute(unsolvable, CPU, interrupt)
    over = len(optimiser.learning_rates) * seeds * unsolvable.config.budget.steps
    assert most_steps(unsolvable) == whole - over


def test_time_is_steps_times_a_measured_step_over_the_cores(unsolvable, monkeypatch):
    monkeypatch.setattr(estimate, "_seconds_a_step", lambda recipe, engine, members: 0.5 / members)
    both = EngineSettings("auto", torch.device("cpu"), cores=2)
    assert most_seconds(unsolvable, CPU) == 2 * most_seconds(unsolvable, both) == 0.5 * most_steps(unsolvable)


@pytest.mark.parametrize(("reason", "measured"), [(None, 16), ("it cannot", 1)])
def test_a_gpu_is_measured_as_it_trains(unsolvable, monkeypatch, reason, measured):
    """Many members as one, but for a mixer that trains one by one; no core divides the time."""
    monkeypatch.setattr(estimate, "why_not_vmap", lambda recipe, device: reason)
    monkeypatch.setattr(estimate, "_seconds_a_step", lambda recipe, engine, members: members)
    gpu = EngineSettings("auto", torch.device("cuda"), cores=2)
    assert most_seconds(unsolvable, gpu) == measured * most_steps(unsolvable)


@pytest.mark.skipif(not forks(), reason="elsewhere than on Linux there is no glibc to tell")
def test_a_step_is_measured_in_memory_that_is_kept_as_where_members_train():
    """A pass of `mamba` had 22,000 page faults, and was measured nearly twice as slow as it trains."""
    script = """
import resource, torch
from benchbed.config.request import RunRequest
from benchbed.runs.costs import seconds_a_step
from benchbed.training.recipe import make_recipe
recipe, _ = make_recipe(RunRequest("mamba", "linear_map", "lite").resolve("cpu"))
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds_a_step([recipe], torch.device("cpu"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    _, faults = run_script(script, environment=plain)
    assert int(faults) < 22_000, "five passes, whose memory the call before has taken"


def test_what_is_measured_is_what_is_trained(unsolvable, monkeypatch):
    """The steps to an evaluation and the evaluation, and not gradients alone; members that are one share the time."""
    done = []
    take, evaluate = Group.take, Group._evaluate
    monkeypatch.setattr(Group, "take", lambda group, *batch: done.append(len(group.members)) or take(group, *batch))
    monkeypatch.setattr(Group, "_evaluate", lambda group: done.append("evaluated") or evaluate(group))
    clock = iter((100.0, 120.0))
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    every = unsolvable.recipe.budget.evaluate_every
    assert estimate._seconds_a_step(unsolvable.recipe, CPU, 4) == 20 / every / 4
    assert done == [4] * every + ["evaluated"]
