"""Groups as large as memory allows: a limit that is pretended changes who trains beside whom, and no result."""

import pytest
import torch

from benchbed.config.request import RunRequest
from benchbed.errors import DeviceError
from benchbed.runs.execute import execute, prepare
from benchbed.training import engine
from benchbed.training.engine import EngineSettings, members_at_once
from benchbed.training.ensemble import Ensemble
from benchbed.training.group import Group
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

CPU = torch.device("cpu")
MEMBERS = [Member(seed, rate) for seed in range(4) for rate in (0.0005, 0.01)]


def train(recipe):
    return Ensemble(recipe, MEMBERS, EngineSettings("vmap", CPU)).train(lambda _: None)


class Memory:
    """Refuses groups of more than some members, and remembers what it was asked for."""

    def __init__(self, monkeypatch, limit, when=lambda calls: True):
        self.limit, self.groups, self.calls = limit, [], 0
        real = Group.gradients

        def gradients(group, tokens, targets):
            self.calls += 1
            self.groups.append(len(group.members))
            if len(group.members) > self.limit and when(self.calls):
                raise torch.OutOfMemoryError("pretended")
            return real(group, tokens, targets)

        monkeypatch.setattr(Group, "gradients", gradients)


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_a_group_that_finds_no_memory_is_halved_and_the_numbers_stay(configure, monkeypatch, limit):
    recipe, _ = make_recipe(configure())
    free = train(recipe)
    memory = Memory(monkeypatch, limit)
    tight = train(recipe)
    assert max(memory.groups) == len(MEMBERS), "all at once is tried first"
    assert max(memory.groups[3:]) <= max(limit, 4)
    for mine, theirs in zip(tight, free, strict=True):
        assert (mine.member, mine.status, mine.step) == (theirs.member, theirs.status, theirs.step)
        assert [e.step for e in mine.evaluations] == [e.step for e in theirs.evaluations]
        for one, other in zip(mine.evaluations[:4], theirs.evaluations[:4], strict=True):
            assert torch.allclose(torch.tensor(one.loss), torch.tensor(other.loss), atol=1e-4)


def test_memory_that_runs_out_in_the_middle_of_an_interval_loses_no_step(configure, monkeypatch):
    """Step 13 of an interval of 10: the group goes back to where the interval began, and nothing is counted twice."""
    recipe, _ = make_recipe(configure())
    free = train(recipe)
    every = recipe.budget.evaluate_every
    memory = Memory(monkeypatch, 4, when=lambda calls: calls == every + every // 2)
    tight = train(recipe)
    assert memory.groups[every + every // 2 - 1] == len(MEMBERS)
    assert memory.groups[every + every // 2] == 4
    assert [t.steps_to_solve for t in tight] == [t.steps_to_solve for t in free]
    assert [[e.step for e in t.evaluations] for t in tight] == [[e.step for e in t.evaluations] for t in free]


def test_one_member_that_is_too_much_is_told(tiny_path, tmp_path, monkeypatch):
    request = RunRequest("static_mixer", "linear_map@s1", str(tiny_path), checked=False)
    monkeypatch.setattr(engine, "why_not_vmap", lambda *_: None)
    Memory(monkeypatch, 0)
    with pytest.raises(DeviceError, match="ran out of memory"):
        execute(prepare(request.resolve("cpu"), tmp_path), EngineSettings("vmap", CPU), lambda _: None)


def test_the_first_size_follows_from_one_member_and_the_free_memory(monkeypatch):
    def most(level, gigabytes, mixer="multi_head_attention"):
        monkeypatch.setattr(engine, "free_memory", lambda _: int(gigabytes * 1e9))
        recipe, _ = make_recipe(RunRequest(mixer, level, "lite").resolve("cpu"))
        return members_at_once(recipe, CPU)

    one = most("linear_map@s3", 1)
    assert one > 1
    assert most("linear_map@s3", 2) == pytest.approx(2 * one, abs=2)
    assert most("linear_map@s3", 1e-6) == 1, "one is always tried"
    # Two layers keep about twice as much as one.
    assert most("cellular_automata@pool", 1) < one
    monkeypatch.undo()
    recipe, _ = make_recipe(RunRequest("static_mixer", "linear_map@s3", "lite").resolve("cpu"))
    assert members_at_once(recipe, CPU) >= 1000, "a CPU has no limit of its own"


def test_what_one_member_keeps_is_measured(monkeypatch):
    """A mixer that keeps one tensor of a known size more, by hand, takes room of that size."""
    recipe, task = make_recipe(RunRequest("multi_head_attention", "linear_map@s3", "lite").resolve("cpu"))
    tokens = recipe.batch_size(task) * task.length
    monkeypatch.setattr(engine, "free_memory", lambda _: int(1e9))
    found = 0.8 * 1e9 / members_at_once(recipe, CPU)
    # Activations of width 64 and 256 of one layer: tens of them a token, float32; far from one and from a thousand.
    assert 10 * 64 * 4 * tokens < found < 200 * 64 * 4 * tokens
