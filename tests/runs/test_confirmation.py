"""A solve counts only where the answer was not in view, whatever a mixer does to see it."""

import os
import signal
import subprocess
import sys
import time

import cheats
import pytest
import torch
from planned import planned
from strangers import install

from benchbed.errors import PluginError
from benchbed.runs.execute import execute
from benchbed.training import group, workers
from benchbed.training.confirmation import hidden
from benchbed.training.confirmation.hidden import Confirmation, confirm
from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import make_recipe

LOOP, VMAP = (EngineSettings(engine, torch.device("cpu")) for engine in ("loop", "vmap"))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    points = "".join(f"{name.lower()} = cheating:{name}\n" for name in cheats.NAMES)
    install(tmp_path, "cheating", f"[benchbed.mixers]\n{points}", cheating=cheats.SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("cheating", None)
    yield
    sys.modules.pop("cheating", None)


def train(configure, name, folder, engine=LOOP, **changes):
    settings = {"learning_rate": 0.01, "seeds": 1, "max_steps": 200} | changes
    run = planned(configure(f"cheating:{name.lower()}", "linear_map@s2", **settings), folder)
    return execute(run, engine, lambda _: None).result


@pytest.mark.parametrize("name", cheats.NAMES)
def test_no_cheat_gets_a_solved_seed(configure, installed, tmp_path, monkeypatch, name):
    result = train(configure, name, tmp_path / "honest")
    assert [row.status for row in result.members] == ["leaked"]
    assert result.summary.solved == 0
    assert "leaks: seeds 0 meet the criterion only with later tokens in view" in result.unranked
    sys.modules.pop("cheating")
    # It is the confirmation that finds it out: without it there are solves.
    monkeypatch.setattr(group, "confirm", lambda *_: Confirmation(solved=True, leaks=False))
    monkeypatch.setattr(workers, "forks", lambda: False)
    assert train(configure, name, tmp_path / "fooled").summary.solved > 0


def test_the_vectorised_engine_asks_again_as_well(configure, installed, tmp_path):
    result = train(configure, "Plain", tmp_path, VMAP)
    assert result.environment.engine == "vmap"
    assert [row.status for row in result.members] == ["leaked"]


@pytest.mark.parametrize("engine", [LOOP, VMAP], ids=["loop", "vmap"])
def test_nothing_changes_for_a_causal_mixer(configure, tmp_path, monkeypatch, engine):
    def trained(folder):
        run = planned(configure("multi_head_attention", "linear_map@s1"), folder)
        result = execute(run, engine, lambda _: None).result
        return [row.model_dump(exclude={"seconds"}) for row in (*result.tuning, *result.members)]

    asked = []

    def watched(*given):
        asked.append(confirm(*given))
        return asked[-1]

    monkeypatch.setattr(workers, "forks", lambda: False)  # in this process, where what is changed here counts
    monkeypatch.setattr(group, "confirm", watched)
    rows = trained(tmp_path / "asked")
    assert asked
    assert set(asked) == {Confirmation(solved=True, leaks=False)}
    # A member is asked once a solve, not at the evaluation that confirms it as well.
    assert len(asked) <= 2 * sum(row["status"] == "solved" for row in rows)
    monkeypatch.setattr(group, "confirm", lambda *_: Confirmation(solved=True, leaks=False))
    assert trained(tmp_path / "believed") == rows


def asked_again(configure, mixer="multi_head_attention", task="linear_map@s1", right=None, **changes):
    """The answer for a model that has not been trained, as if it had met the criterion."""
    recipe, instance = make_recipe(configure(mixer, task, **changes))
    model = recipe.make_model(0, instance).eval()
    held_out = recipe.held_out_data(0, instance)
    with torch.no_grad():
        seen = model(held_out.tokens).argmax(-1) == held_out.targets
    shared, own = group.fixed_tensors([model], torch.device("cpu"))
    fixed = shared | {name: tensor[0] for name, tensor in own.items()}
    weights = group.flatten(model)
    return confirm(recipe, 0, instance, held_out, seen if right is None else right(seen), weights, fixed)


@pytest.mark.parametrize(
    ("mixer", "task"),
    [
        ("multi_head_attention", "linear_map@s1"),
        ("gated_delta_net", "associative_recall"),
        ("lstm", "induction"),
        ("gru", "hops"),
    ],
)
def test_a_causal_mixer_predicts_the_same_with_the_future_hidden(configure, monkeypatch, mixer, task):
    """So the accuracy is corrected by nothing: what the criterion sees is what it saw."""
    seen = []
    recipe, instance = make_recipe(configure(mixer, task))
    monkeypatch.setattr(
        type(instance), "solved", lambda self, accuracy: seen.append(accuracy) or accuracy.mean(-1) < 2
    )
    assert asked_again(configure, mixer, task) == Confirmation(solved=True, leaks=False)
    model = recipe.make_model(0, instance).eval()
    held_out = recipe.held_out_data(0, instance)
    with torch.no_grad():
        right = model(held_out.tokens).argmax(-1) == held_out.targets
    assert torch.allclose(seen[-1], right.float().mean(0), atol=1e-6)


def test_a_few_predictions_that_change_by_rounding_are_no_leak(configure):
    assert asked_again(configure, right=lambda seen: seen) == Confirmation(solved=False, leaks=False)
    assert asked_again(configure, right=torch.ones_like) == Confirmation(solved=False, leaks=True)


def test_only_tokens_that_the_criterion_reads_are_asked_about(configure):
    def read(task):
        instance = make_recipe(configure("mlp_mixer", task))[1]
        return hidden._read_by_criterion(instance, int(instance.scored.sum()))

    assert read("linear_map@s1") == [0, 1, 2, 3]
    automaton = make_recipe(configure("mlp_mixer", "cellular_automata"))[1]
    last, state = int(automaton.scored.sum()), read("cellular_automata")
    assert state == list(range(last - len(state), last)), "the last of the states"
    assert len(state) < last


FRAGILE = """
import os
import torch
from torch import nn

class Fragile(nn.Module):
    '''Breaks in every process but the one that trains it.'''
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)
        if os.environ.get("THE_ONE") != str(os.getpid()):
            HOW
    def forward(self, x):
        print("what a mixer prints is no answer")
        return self.project(torch.cat((x[:, 1:], x[:, :1]), dim=1))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "message"),
    [("raise ValueError('not here')", "ValueError: not here"), ("os.kill(os.getpid(), 9)", r"it ended \(.+\)")],
)
def test_a_mixer_that_cannot_be_asked_again_is_told_and_the_next_one_is(
    configure, tmp_path, monkeypatch, how, message
):
    source = FRAGILE.replace("HOW", how)
    install(tmp_path, "fragile", "[benchbed.mixers]\nfragile = fragile:Fragile\n", fragile=source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("THE_ONE", str(os.getpid()))
    monkeypatch.setattr(workers, "forks", lambda: False)  # it can be trained here, and be asked nowhere else
    sys.modules.pop("fragile", None)
    run = planned(configure("fragile:fragile", learning_rate=0.01, max_steps=200), tmp_path / "run")
    with pytest.raises(
        PluginError, match=rf"Fragile meets the criterion, and cannot be asked again.*: {message}; what"
    ):
        execute(run, LOOP, lambda _: None)
    assert asked_again(configure, right=torch.ones_like).leaks, "the next one is"


@pytest.mark.slow
def test_the_other_process_ends_with_this_one_however_it_ends(tmp_path):
    code = """
import os, signal, sys, torch
import functools
from benchbed.training import fork_server
from benchbed.training.confirmation import examiner
assert examiner.ask(functools.partial, abs, [-1, 2]) == [1, 2]
print(fork_server._server._process.pid, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""
    for end in ("killed", "done"):
        process = subprocess.run([sys.executable, "-c", code, end], capture_output=True, text=True)
        number = int(process.stdout)
        limit = time.monotonic() + 20
        while alive(number) and time.monotonic() < limit:
            time.sleep(0.05)
        assert not alive(number), end


def alive(number):
    try:
        os.kill(number, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")
