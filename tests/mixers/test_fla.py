"""The twins by flash-linear-attention: for the same weights the same function as benchbed's own mixers.

Where there is a GPU its kernels run on it; elsewhere Triton's interpreter (`triton_interpreter.py` chooses it) runs
them on the CPU, as they are written and slowly. `pip install -e ".[oracles]"`.
"""

import builtins
import sys

import pytest
import torch
from oracles import DIM, LENGTH, compare, convolution, ours, stack, take

from benchbed.plugins import registry
from benchbed.plugins.registry import find, plugins
from benchbed.training.devices import float32_products

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TWINS = [plugin.name for plugin in plugins("mixer") if plugin.built_in and plugin.needs_cuda]

QUERY_KEY_VALUE = stack("layer.q_proj.weight", "layer.k_proj.weight", "layer.v_proj.weight")
GATE = "layer.g_proj.weight"
OUTPUT = take("layer.o_proj.weight")


def convolutions(theirs):
    return torch.cat([convolution(f"layer.{stream}_conv1d.weight")(theirs) for stream in "qkv"])


MAPPINGS = {
    "delta_net": {
        "query_key_value.weight": QUERY_KEY_VALUE,
        "convolution.weight": convolutions,
        "beta.weight": take("layer.b_proj.weight"),
        "scale": take("layer.o_norm.weight"),
        "output.weight": OUTPUT,
    },
    "gated_delta_net": {
        "query_key_value.weight": QUERY_KEY_VALUE,
        "convolution.weight": convolutions,
        "gate.weight": take(GATE),
        "beta_step.weight": stack("layer.b_proj.weight", "layer.a_proj.weight"),
        "log_rate": take("layer.A_log"),
        "step_bias": take("layer.dt_bias"),
        "scale": take("layer.o_norm.weight"),
        "output.weight": OUTPUT,
    },
    "gated_linear_attention": {
        "projections.weight": stack("layer.q_proj.weight", "layer.k_proj.weight", "layer.v_proj.weight", GATE),
        "forget.0.weight": take("layer.gk_proj.0.weight"),
        "forget.1.weight": take("layer.gk_proj.1.weight"),
        "forget.1.bias": take("layer.gk_proj.1.bias"),
        "scale": take("layer.g_norm_swish_gate.weight"),
        "output.weight": OUTPUT,
    },
    "kimi_delta_attention": {
        "query_key_value.weight": QUERY_KEY_VALUE,
        "convolution.weight": convolutions,
        "beta.weight": take("layer.b_proj.weight"),
        "forget.0.weight": take("layer.f_proj.0.weight"),
        "forget.1.weight": take("layer.f_proj.1.weight"),
        "gate.0.weight": take("layer.g_proj.0.weight"),
        "gate.1.weight": take("layer.g_proj.1.weight"),
        "log_rate": take("layer.A_log"),
        "step_bias": take("layer.dt_bias"),
        "scale": take("layer.o_norm.weight"),
        "output.weight": OUTPUT,
    },
    "linear_attention": {"query_key_value.weight": QUERY_KEY_VALUE, "output.weight": OUTPUT},
    "retention": {
        "query_key.weight": stack("layer.q_proj.weight", "layer.k_proj.weight"),
        "value_gate.weight": stack("layer.v_proj.weight", GATE),
        "output.weight": OUTPUT,
    },
    "rwkv7": {
        "shifts": lambda theirs: torch.cat([theirs[f"layer.x_{part}"].flatten(1) for part in "rwkvag"], dim=1),
        "receptance.weight": take("layer.r_proj.weight"),
        "key.weight": take("layer.k_proj.weight"),
        "value.weight": take("layer.v_proj.weight"),
        "decay.0.weight": take("layer.w_lora.lora.0.weight"),
        "decay.2.weight": take("layer.w_lora.lora.2.weight"),
        "decay.2.bias": take("layer.w_lora.lora.2.bias"),
        "rate.0.weight": take("layer.a_lora.lora.0.weight"),
        "rate.1.weight": take("layer.a_lora.lora.2.weight"),
        "rate.1.bias": take("layer.a_lora.lora.2.bias"),
        "gate.0.weight": take("layer.g_lora.lora.0.weight"),
        "gate.2.weight": take("layer.g_lora.lora.2.weight"),
        "erase_scale": take("layer.k_k"),
        "key_scale": take("layer.k_a"),
        "bonus": take("layer.r_k"),
        "norm.weight": take("layer.g_norm.weight"),
        "norm.bias": take("layer.g_norm.bias"),
        "output.weight": OUTPUT,
    },
}


@pytest.fixture
def twin(monkeypatch):
    """Builds a twin, on a machine without a GPU too."""
    pytest.importorskip("fla.layers")
    if not torch.cuda.is_available():
        monkeypatch.setattr(registry, "lacking", lambda needs: [])
        _teach_the_interpreter(monkeypatch)

    return lambda name: find("mixer", f"fla:{name}").load()(DIM, LENGTH)


class TritonInteger(int):
    """The interpreter counts a kernel's loops in plain integers, which lack what Triton's have."""

    def to(self, _):
        return self


def _teach_the_interpreter(monkeypatch):
    from triton.runtime.autotuner import Autotuner

    # Without a device there is nothing to time: the first way to cut a kernel into blocks is as good as any.
    monkeypatch.setattr(Autotuner, "_bench", lambda *_, **__: [0.0, 0.0, 0.0])
    for name, module in list(sys.modules.items()):
        if name.startswith("fla.ops"):
            monkeypatch.setattr(module, "range", lambda *a: map(TritonInteger, builtins.range(*a)), raising=False)


def test_every_twin_is_compared():
    assert sorted(MAPPINGS) == [name.removeprefix("fla:") for name in TWINS]


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_twin_is_the_same_function(twin, name):
    theirs = twin(name)
    if name == "kimi_delta_attention":
        theirs.layer.g_proj[1].bias = None  # all that it has and ours has not
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with float32_products(tf32=False):  # as the engine trains; Triton's own default is TF32
        compare(ours(name), theirs, theirs, MAPPINGS[name], dtype=torch.float32, tolerance=1e-4, device=device)
