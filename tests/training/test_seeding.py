"""What a seed draws, to the number: with every torch and on every machine the same, or a board's seeds mean nothing.

A failure here is no bug by itself: a start was changed, on purpose or not, or this torch draws otherwise. Then
entries of that mixer or level are no longer verified seed by seed; docs/protocol.md says which those are.
"""

import pytest
import torch
from torch import Tensor

from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.plugins.registry import plugins
from benchbed.training.recipe import make_recipe
from benchbed.training.step.forward import flatten

WEIGHTS = {
    "delta_net": 8.4169,
    "gated_delta_net": -16.3103,
    "gated_linear_attention": 3.0749,
    "gmlp": -10.4443,
    "grouped_query_attention": -29.8995,
    "gru": 4.4999,
    "hyena": -17.0875,
    "kimi_delta_attention": 3.5248,
    "linear_attention": 0.8332,
    "linear_rnn": 7.2391,
    "lstm": 16.5021,
    "mamba": -16.7335,
    "mamba2": -9.9903,
    "mlp_mixer": (-10.0338, -13.8514),  # `trunc_normal_` of torch 2.14, and of 2.11
    "multi_head_attention": -25.3499,
    "multi_query_attention": -27.0024,
    "retention": -15.9776,
    "rwkv7": 1.5200,
    "sliding_window_attention": -25.3499,
    "softmax_attention": -25.3499,
    "static_mixer": -13.0339,
    "xlstm": -6.6292,
}
"""Of a model with each mixer, seed 0, on `linear_map@s3`."""
DATA = {
    "linear_map@s3": -86.6,
    "linear_map@bits16": -70.0,
    "cellular_automata@pool": 40.2,
    "cellular_automata@fresh": -220.6,
    "associative_recall@single": 224.3,
    "associative_recall@multi": -230.7,
    "associative_recall@capacity": -200.9,
    "induction@short": 426.1,
    "hops@two": -13.1,
    "selective_copy@four": -230.5,
    "state_tracking@parity": -87.3,
    "state_tracking@s3": -28.1,
    "state_tracking@a5": 1708.5,
}
"""Of each level of `lite`, seed 0, the second interval."""


def checksum(drawn: Tensor) -> float:
    """A number that changes with every number drawn and with their order."""
    drawn = drawn.double().flatten()
    return float((drawn * torch.arange(len(drawn), dtype=torch.float64).cos()).sum())


def test_every_mixer_and_level_has_its_number():
    assert set(WEIGHTS) == {p.label for p in plugins("mixer") if p.built_in and not p.needs_cuda}
    assert list(DATA) == list(load_track("lite").level_names)


@pytest.mark.parametrize("mixer", WEIGHTS)
def test_a_seed_draws_the_weights_that_it_has_always_drawn(mixer):
    recipe, task = make_recipe(RunRequest(mixer, "linear_map", load_track("lite")).resolve("cpu"))
    known = WEIGHTS[mixer] if isinstance(WEIGHTS[mixer], tuple) else (WEIGHTS[mixer],)
    found = checksum(flatten(recipe.make_model(0, task)))
    assert any(found == pytest.approx(one, abs=2e-4) for one in known)


@pytest.mark.parametrize("level", DATA)
def test_a_seed_draws_the_data_that_it_has_always_drawn(level):
    recipe, _ = make_recipe(RunRequest("static_mixer", level, load_track("lite")).resolve("cpu"))
    assert checksum(recipe.training_data(0, recipe.make_task(0), 1).tokens) == pytest.approx(DATA[level], abs=0.1)
