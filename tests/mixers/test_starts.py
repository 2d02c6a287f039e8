"""How every parameter of the zoo starts, as docs/zoo.md says: each has a line here, and no mixer is left out."""

import math

import pytest
import torch
from torch import Tensor

from benchbed.plugins.registry import find, plugins

DIM, LENGTH, INSTANCES = 64, 16, 24


def uniform(bound):
    """Uniform between -bound and bound."""

    def holds(drawn: Tensor) -> None:
        assert drawn.abs().max() <= bound
        assert drawn.abs().max() > 0.9 * bound
        assert drawn.std() == pytest.approx(bound * 3**-0.5, rel=0.1)

    return holds


def between(low, high):
    """Uniform between two numbers."""
    return lambda drawn: uniform((high - low) / 2)(drawn - (high + low) / 2)


def normal(deviation):
    """Normal around 0."""

    def holds(drawn: Tensor) -> None:
        assert abs(drawn.mean()) < 5 * deviation * drawn.numel() ** -0.5
        assert drawn.std() == pytest.approx(deviation, rel=0.15)
        assert drawn.abs().max() > 2.2 * deviation

    return holds


def cut_normal(deviation):
    """Normal around 0 that is cut off at two deviations of what was cut."""

    def holds(drawn: Tensor) -> None:
        assert drawn.std() == pytest.approx(deviation, rel=0.05)
        assert drawn.abs().max() <= 2 * deviation / 0.8796
        assert drawn.abs().max() > 1.9 * deviation / 0.8796

    return holds


def equal(value):
    """This, in every instance."""
    return lambda drawn: torch.testing.assert_close(
        drawn, torch.as_tensor(value, dtype=drawn.dtype).expand_as(drawn), rtol=1e-5, atol=1e-6
    )


def through(function, holds):
    """Holds of a function of the numbers."""
    return lambda drawn: holds(function(drawn.double()))


def parts(*each, dim=0):
    """One statement for each of equal parts of a matrix or a vector."""

    def holds(drawn: Tensor) -> None:
        for part, statement in zip(drawn.chunk(len(each), dim=dim + 1), each, strict=True):
            statement(part)

    return holds


def orthogonal(gain):
    """Orthonormal columns times the gain."""

    def holds(drawn: Tensor) -> None:
        for matrix in drawn:
            torch.testing.assert_close(matrix.T @ matrix, gain**2 * torch.eye(matrix.shape[1]), rtol=0, atol=1e-5)

    return holds


def linear(inputs):
    """As nn.Linear and nn.Conv1d draw weights and biases."""
    return uniform(inputs**-0.5)


def softplus(x):
    return torch.nn.functional.softplus(x)


step = through(lambda x: softplus(x).log(), between(math.log(0.001), math.log(0.1)))
unit = uniform((3 / DIM) ** 0.5)
attention = {"query_key_value.weight": unit, "output.weight": unit}
grouped = {"query.weight": unit, "key_value.weight": unit, "output.weight": unit}
convolution = linear(4)
ACROSS = torch.arange(DIM) / (DIM - 1)
WITHIN = (torch.arange(DIM) % 16) / 7.5 - 1
ZIGZAG = WITHIN * WITHIN.abs()
BANDS = torch.arange(DIM) / DIM
RETENTION = 2**-2.5 * math.sqrt(6 / (DIM + DIM))
WIDER = math.sqrt(6 / (3 * DIM))

STARTS = {
    "multi_head_attention": attention,
    "softmax_attention": attention,
    "sliding_window_attention": attention,
    "grouped_query_attention": grouped,
    "multi_query_attention": grouped,
    "linear_attention": {"query_key_value.weight": linear(DIM), "output.weight": linear(DIM)},
    "mlp_mixer": {
        "inward.weight": cut_normal(LENGTH**-0.5),
        "inward.bias": equal(0),
        "outward.weight": cut_normal((4 * LENGTH) ** -0.5),
        "outward.bias": equal(0),
    },
    "gmlp": {
        "inward.weight": uniform(math.sqrt(6 / (DIM + 2 * DIM))),
        "inward.bias": normal(1e-6),
        "norm.weight": equal(1),
        "norm.bias": equal(0),
        "matrix": normal(1e-6),
        "bias": equal(1),
        "outward.weight": uniform(math.sqrt(6 / (DIM + DIM))),
        "outward.bias": normal(1e-6),
    },
    "static_mixer": {"value.weight": linear(DIM), "output.weight": linear(DIM), "matrix": linear(LENGTH)},
    "gru": {f"recurrence.{name}_l0": linear(DIM) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    "lstm": {
        "recurrence.weight_ih_l0": linear(DIM),
        "recurrence.weight_hh_l0": linear(DIM),
        "recurrence.bias_ih_l0": parts(linear(DIM), equal(1), linear(DIM), linear(DIM)),
        "recurrence.bias_hh_l0": parts(linear(DIM), equal(0), linear(DIM), linear(DIM)),
    },
    "retention": {
        "query_key.weight": uniform(RETENTION),
        "value_gate.weight": uniform(2**-2.5 * WIDER),
        "output.weight": uniform(WIDER / 2),
    },
    "gated_linear_attention": {
        "projections.weight": linear(DIM),
        "forget.0.weight": linear(DIM),
        "forget.1.weight": linear(16),
        "forget.1.bias": linear(16),
        "scale": equal(1),
        "output.weight": linear(DIM),
    },
    "delta_net": {
        "query_key_value.weight": linear(DIM),
        "convolution.weight": convolution,
        "beta.weight": linear(DIM),
        "scale": equal(1),
        "output.weight": linear(DIM),
    },
    "gated_delta_net": {
        "query_key_value.weight": linear(DIM),
        "convolution.weight": convolution,
        "gate.weight": linear(DIM),
        "beta_step.weight": linear(DIM),
        "log_rate": through(torch.exp, between(0, 16)),
        "step_bias": step,
        "scale": equal(1),
        "output.weight": linear(2 * DIM),
    },
    "kimi_delta_attention": {
        "query_key_value.weight": linear(DIM),
        "convolution.weight": convolution,
        "beta.weight": linear(DIM),
        "forget.0.weight": linear(DIM),
        "forget.1.weight": linear(16),
        "gate.0.weight": linear(DIM),
        "gate.1.weight": linear(16),
        "log_rate": through(torch.exp, between(1, 16)),
        "step_bias": step,
        "scale": equal(1),
        "output.weight": linear(DIM),
    },
    "rwkv7": {
        "shifts": equal(torch.stack([1 - BANDS**power for power in (0.2, 0.9, 0.7, 0.7, 0.9, 0.2)])),
        "receptance.weight": uniform(0.5 * DIM**-0.5),
        "key.weight": uniform(0.05 * DIM**-0.5),
        "value.weight": uniform(0.5 * DIM**-0.5),
        "decay.0.weight": equal(0),
        "decay.2.weight": orthogonal(0.1),
        "decay.2.bias": equal(-6 + 6 * ACROSS + 0.5 + 2.5 * ZIGZAG),
        "rate.0.weight": equal(0),
        "rate.1.weight": orthogonal(0.1),
        "rate.1.bias": equal(-0.19 + 0.3 * ZIGZAG + 0.4 * (ACROSS - 0.5)),
        "gate.0.weight": equal(0),
        "gate.2.weight": orthogonal(0.1),
        "erase_scale": equal(0.71 - 0.1 * (ACROSS - 0.5)),
        "key_scale": equal(1.02),
        "bonus": equal(-0.04),
        "norm.weight": equal(1),
        "norm.bias": equal(0),
        "output.weight": equal(0),
    },
    "mamba": {
        "inward.weight": linear(DIM),
        "convolution.weight": convolution,
        "convolution.bias": convolution,
        "select.weight": linear(2 * DIM),
        "step.weight": linear(4),
        "step.bias": step,
        "log_rate": equal(torch.arange(1.0, 17).log()),
        "skip": equal(1),
        "output.weight": linear(2 * DIM),
    },
    "mamba2": {
        "inward.weight": linear(DIM),
        "convolution.weight": convolution,
        "convolution.bias": convolution,
        "step_bias": step,
        "log_rate": through(torch.exp, between(1, 16)),
        "skip": equal(1),
        "scale": equal(1),
        "output.weight": linear(2 * DIM),
    },
    "linear_rnn": {
        "inward.weight": normal(DIM**-0.5),
        "inward.bias": equal(0),
        "convolution.weight": normal(0.1 * 4**-0.5),
        "convolution.bias": equal(0),
        "gate_weight": normal(16**-0.5),
        "gate_bias": equal(0),
        "rate": through(lambda x: (-2 * softplus(x)).exp(), between(0.9**2, 0.999**2)),
        "output.weight": normal(DIM**-0.5),
        "output.bias": equal(0),
    },
    "xlstm": {
        "cell.projections.weight": normal((2 / (5 * DIM)) ** 0.5),
        "cell.gates.weight": equal(0),
        "cell.gates.bias": parts(normal(0.1), equal(torch.tensor([3.0, 4, 5, 6]))),
        "scale": equal(1),
        "output.weight": normal(2 * DIM**-0.5),
    },
    "hyena": {
        "inward.weight": linear(DIM),
        "inward.bias": linear(DIM),
        "convolution.weight": linear(3),
        "convolution.bias": linear(3),
        "layers.0.weight": linear(5),
        "layers.0.bias": linear(5),
        "layers.1.weight": linear(64),
        "layers.1.bias": linear(64),
        "layers.2.weight": linear(64),
        "layers.2.bias": linear(64),
        "frequency": equal(10),
        "filters.weight": linear(64),
        "skip": normal(1),
        "outward.weight": linear(DIM),
        "outward.bias": linear(DIM),
    },
}


def drawn(name, **options):
    """Every parameter of several instances, `(INSTANCES, ...)`."""
    torch.manual_seed(0)
    built = [find("mixer", name).load()(DIM, LENGTH, **options) for _ in range(INSTANCES)]
    return {
        key: torch.stack([mixer.get_parameter(key).detach() for mixer in built])
        for key in dict(built[0].named_parameters())
    }


@pytest.mark.parametrize("name", [p.name for p in plugins("mixer") if p.built_in and not p.needs])
def test_every_parameter_starts_as_stated(name):
    found = drawn(name)
    assert found.keys() == STARTS[name].keys()
    for key, numbers in found.items():
        STARTS[name][key](numbers)


def test_the_scalar_memory_starts_as_stated():
    found = drawn("xlstm", cell="slstm")
    falling = 5 - 12 * (torch.arange(16) / 15) ** 0.3
    assert found.keys() == {
        "cell.projections.weight",
        "cell.projections.bias",
        "cell.recurrent",
        "scale",
        "output.weight",
    }
    normal((2 / (5 * DIM)) ** 0.5)(found["cell.projections.weight"])
    parts(equal(0), equal(falling.repeat(4)), equal(0), equal(0))(found["cell.projections.bias"])
    equal(0)(found["cell.recurrent"])


def test_the_decays_of_the_linear_rnn_are_the_eighth_powers_of_a_ring():
    """As `rnn_param_init` of google-deepmind/recurrentgemma, with the gate wide open: a = r^8, r^2 uniform."""
    mixer = find("mixer", "linear_rnn").load()(DIM, LENGTH)
    radius = (-8 * softplus(mixer.rate.detach())).exp() ** (1 / 8)
    assert 0.9 <= float(radius.min()) <= float(radius.max()) <= 0.999
