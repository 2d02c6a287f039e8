"""What trains is what its author wrote: nothing hidden from torch, a start for every seed, true gradients."""

import random
import re

import numpy as np
import planted_starts
import pytest
import torch
from planted_mixers import Dropout
from planted_starts import FAULTS, HONEST, ItsOwnGenerator, KeepsThem, PowersOfTwo, Recomputes
from torch import nn

from benchbed.checks.mixer import LEAK_CHECKS, Subject, conformance
from benchbed.errors import PluginError
from benchbed.training.engine import EngineSettings, why_not_vmap
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

DIM, LENGTH = 16, 8
CPU = torch.device("cpu")


def failed(mixer, **subject):
    return {
        f.check: f.message for f in conformance(Subject(mixer, {}, DIM, LENGTH, **subject)) if f.status == "failed"
    }


def recipe_of(configure, mixer, monkeypatch, **changes):
    """A recipe of a class that is no plug-in, made as a run makes it."""
    from benchbed.plugins.registry import Plugin

    real = Plugin.load
    monkeypatch.setattr(Plugin, "load", lambda self: mixer if self.name == "static_mixer" else real(self))
    monkeypatch.setattr(
        Plugin, "resolve", lambda self, *_, **__: {} if self.kind == "mixer" else {"sparsity": 2, "state_size": 4}
    )
    return make_recipe(configure("static_mixer", "linear_map@s2", **changes))[0]


@pytest.mark.parametrize("mixer", FAULTS, ids=lambda mixer: mixer.__name__)
def test_what_torch_does_not_see_is_refused_by_the_check_and_before_training(configure, monkeypatch, mixer):
    assert any(re.search(FAULTS[mixer], message) for message in failed(mixer).values())
    with pytest.raises(PluginError, match=FAULTS[mixer]):
        recipe_of(configure, mixer, monkeypatch)


def test_seeds_that_start_alike_are_found():
    assert "every seed starts alike, though project.weight looks drawn" in failed(ItsOwnGenerator)["starts"]


@pytest.mark.parametrize("mixer", HONEST, ids=lambda mixer: mixer.__name__)
def test_layers_as_people_write_them_raise_no_alarm_and_train(configure, monkeypatch, mixer):
    assert failed(mixer) == {}
    if mixer is planted_starts.NoParameters:
        return
    recipe = recipe_of(configure, mixer, monkeypatch, max_steps=20)
    (trained,) = Ensemble(recipe, [Member(0, 0.01)], EngineSettings("loop", CPU)).train(lambda _: None)
    assert trained.evaluations[-1].finite


def losses(recipe, engine):
    trained = Ensemble(recipe, [Member(0, 0.01), Member(1, 0.01)], EngineSettings(engine, CPU)).train(lambda _: None)
    return torch.tensor([e.mean_loss for t in trained for e in t.evaluations])


def test_activations_that_are_computed_again_train_as_those_that_are_kept(configure, monkeypatch):
    kept = losses(recipe_of(configure, KeepsThem, monkeypatch, max_steps=40), "loop")
    again = recipe_of(configure, Recomputes, monkeypatch, max_steps=40)
    assert torch.equal(losses(again, "loop"), kept)
    assert why_not_vmap(again, CPU) is not None or torch.allclose(losses(again, "vmap"), kept, atol=1e-4)


def test_equal_seeds_start_alike_whatever_else_was_drawn(configure, monkeypatch):
    recipe = recipe_of(configure, planted_starts.DrawsWithNumpy, monkeypatch)
    weights = []
    for _ in range(2):
        model = recipe.make_model(3, recipe.make_task(3))
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        np.random.rand(5)
        random.random()
    assert torch.equal(*weights)
    other = recipe.make_model(4, recipe.make_task(4))
    assert not torch.equal(weights[0], torch.cat([p.detach().flatten() for p in other.parameters()]))


def test_a_mixer_says_which_levels_it_cannot_do():
    levels = {"lite even": (DIM, 8), "lite odd": (DIM, 24)}
    found = {f.check: f for f in conformance(Subject(PowersOfTwo, {}, DIM, LENGTH, levels), ("shapes",))}
    assert found["shapes"].status == "note"
    assert found["shapes"].message == (
        f"cannot do lite odd (lite odd: width {DIM}, 24 tokens: expected a power of two, found 24); can do lite even"
    )


def test_a_length_that_a_mixer_does_not_have_is_no_leak_but_its_own_must_work():
    assert failed(PowersOfTwo) == {}
    own = list(conformance(Subject(PowersOfTwo, {}, DIM, 6)))
    assert own[0].status == "failed"
    # One cause is shown once; the rest is not tried.
    assert "failed" not in {finding.status for finding in own[1:]}
    assert [finding.message for finding in own].count("not tried: the same error as in 'shapes'") > 5


def test_chance_and_memory_are_no_leak_of_the_future_and_unrank_all_the_same():
    class Spectral(planted_starts.Base):
        def __init__(self, dim: int, length: int) -> None:
            super().__init__(dim, length)
            self.project = nn.utils.parametrizations.spectral_norm(self.project)

    assert set(failed(Dropout)) == {"no randomness"}
    assert set(failed(Spectral)) == {"no state"}
    assert {"no randomness", "no state"} <= set(LEAK_CHECKS)
