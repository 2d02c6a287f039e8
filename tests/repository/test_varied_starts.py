"""The mixers of `benchmarks/starts.py`: the first start is the board's, and the others are as said."""

import pytest
import starts
import torch

WIDTH, TOKENS = 64, 128


def drawn(mixer, **options):
    torch.manual_seed(0)
    return dict(mixer(WIDTH, TOKENS, **options).named_parameters())


@pytest.mark.parametrize(
    ("varied", "built_in", "start"),
    [
        (starts.Attention, starts.MultiHeadAttention, "tensor2tensor"),
        (starts.TokenMlp, starts.MlpMixer, "flax"),
        (starts.SpatialGate, starts.Gmlp, "timm"),
        (starts.Static, starts.StaticMixer, "torch"),
        (starts.GatedDelta, starts.GatedDeltaNet, "fla"),
        (starts.TimeMix, starts.Rwkv7, "rwkv-lm"),
        (starts.MatrixMemory, starts.Xlstm, "xlstm"),
        (starts.Griffin, starts.LinearRnn, "recurrentgemma"),
        (starts.SelectiveState, starts.Mamba, "mamba"),
    ],
)
def test_the_first_start_is_the_built_in_mixers(varied, built_in, start):
    ours, theirs = drawn(varied, start=start), drawn(built_in)
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        assert torch.equal(parameter, theirs[name]), name
    assert all(torch.equal(parameter, ours[name]) for name, parameter in drawn(varied).items()), "and the default"


HIDDEN = 4 * TOKENS


@pytest.mark.parametrize(
    ("varied", "start", "deviations"),
    [
        (starts.Attention, "torch", {"query_key_value.weight": (3 * 64) ** -0.5, "output.weight": (3 * 64) ** -0.5}),
        (starts.Attention, "gpt2", {"query_key_value.weight": 0.02, "output.weight": 0.02 / 2**0.5}),
        (
            starts.TokenMlp,
            "timm",
            {"inward.weight": (2 / (TOKENS + HIDDEN)) ** 0.5, "outward.weight": (2 / (TOKENS + HIDDEN)) ** 0.5},
        ),
        (
            starts.TokenMlp,
            "torch",
            {
                "inward.weight": (3 * TOKENS) ** -0.5,
                "inward.bias": (3 * TOKENS) ** -0.5,
                "outward.weight": (3 * HIDDEN) ** -0.5,
                "outward.bias": (3 * HIDDEN) ** -0.5,
            },
        ),
        (
            starts.SpatialGate,
            "lucidrains",
            {"matrix": 1e-3 / TOKENS / 3**0.5, "inward.weight": (3 * 64) ** -0.5, "outward.weight": (3 * 64) ** -0.5},
        ),
        (
            starts.SpatialGate,
            "torch",
            {"matrix": (3 * TOKENS) ** -0.5, "bias": (3 * TOKENS) ** -0.5, "inward.weight": (3 * 64) ** -0.5},
        ),
        (
            starts.Static,
            "tensor2tensor",
            {"matrix": TOKENS**-0.5, "value.weight": 64**-0.5, "output.weight": 64**-0.5},
        ),
        (
            starts.GatedDelta,
            "fla-model",
            dict.fromkeys(["query_key_value.weight", "gate.weight", "output.weight", "convolution.weight"], 0.02),
        ),
        (
            starts.GatedDelta,
            "tensor2tensor",
            {"query_key_value.weight": 64**-0.5, "beta_step.weight": 64**-0.5, "output.weight": 128**-0.5},
        ),
        (
            starts.TimeMix,
            "fla",
            {"receptance.weight": 64**-0.5, "key.weight": 0.1 * 64**-0.5, "value.weight": 64**-0.5},
        ),
        (
            starts.TimeMix,
            "torch",
            dict.fromkeys([f"{name}.weight" for name in ("receptance", "key", "value", "output")], (3 * 64) ** -0.5),
        ),
        (starts.MatrixMemory, "7b", {"output.weight": 64**-0.5}),
        (
            starts.MatrixMemory,
            "torch",
            {"cell.projections.weight": (3 * 64) ** -0.5, "output.weight": (3 * 64) ** -0.5},
        ),
        (
            starts.MatrixMemory,
            "gpt2",
            {"cell.projections.weight": 0.02, "cell.gates.weight": 0.02, "output.weight": 0.02 / 2**0.5},
        ),
        (starts.Griffin, "gpt2", {"inward.weight": 0.02, "output.weight": 0.02 / 2**0.5}),
        (
            starts.SelectiveState,
            "fla-model",
            {"inward.weight": 0.02, "select.weight": 0.02, "output.weight": 0.02},
        ),
        (
            starts.SelectiveState,
            "mad",
            dict.fromkeys([f"{name}.weight" for name in ("inward", "select", "step", "output")], 0.02),
        ),
        (starts.Griffin, "transformers", {"gate_weight": 0.1 * 16**-0.5}),
        (
            starts.Griffin,
            "torch",
            {
                "inward.weight": (3 * 64) ** -0.5,
                "output.weight": (3 * 64) ** -0.5,
                "gate_weight": (3 * 16) ** -0.5,
                "convolution.weight": (3 * 4) ** -0.5,
            },
        ),
    ],
)
def test_the_others_have_the_deviations_that_are_said_of_them(varied, start, deviations):
    found = drawn(varied, start=start)
    for name, deviation in deviations.items():
        few = 0.2 if found[name].dim() == 1 else 0.05
        assert found[name].std().item() == pytest.approx(deviation, rel=few), name
    unchanged = drawn(varied)
    assert all(not torch.equal(found[name], unchanged[name]) for name in deviations)


def test_the_gates_of_the_7b_start_closed_or_half_open_and_those_that_forget_as_they_were():
    found, unchanged = (drawn(starts.MatrixMemory, start=start) for start in ("7b", "xlstm"))
    biases, before = found["cell.gates.bias"], unchanged["cell.gates.bias"]
    assert torch.equal(biases[:4], torch.full((4,), -10.0))
    assert torch.equal(biases[4:], before[4:])
    query_key_value, out = found["cell.projections.weight"].split([2 * 64, 64])
    assert torch.equal(query_key_value, unchanged["cell.projections.weight"][: 2 * 64])
    assert not out.any()


def test_one_formula_for_all_takes_the_biases_that_a_layer_had_chosen():
    for mixer, start, names in [
        (starts.SelectiveState, "mad", ["step.bias"]),
        (starts.MatrixMemory, "gpt2", ["cell.gates.bias"]),
        (starts.Griffin, "gpt2", ["inward.bias", "output.bias"]),
    ]:
        found = drawn(mixer, start=start)
        assert not any(found[name].any() for name in names)


def test_flas_model_leaves_mamba_its_steps():
    found, unchanged = (drawn(starts.SelectiveState, start=start) for start in ("fla-model", "mamba"))
    for name in ("step.weight", "step.bias", "log_rate", "skip", "convolution.weight", "convolution.bias"):
        assert torch.equal(found[name], unchanged[name]), name


def test_the_gates_bias_stays_at_one():
    assert torch.equal(drawn(starts.SpatialGate, start="lucidrains")["bias"], torch.ones(TOKENS))
