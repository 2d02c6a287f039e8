"""Mixers of the zoo against independent implementations, forward and gradients.

Whole layers where `transformers` or timm has one, with the same weights; the recurrence alone where only fla-core has
it. `pip install -e ".[oracles]"`; nothing of it is needed to run benchbed. Literal recurrences are in `test_zoo.py`.
"""

import importlib
import sys

import pytest
import torch
from einops import rearrange
from oracles import BATCH, DIM, HEADS, LENGTH, close, compare, convolution, ours, stack, take
from torch import nn

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def transformers(name, monkeypatch=None):
    """Its module of this architecture; with `monkeypatch` as where fla is not installed, whose kernels need a GPU."""
    module = f"transformers.models.{name}.modeling_{name}"
    if monkeypatch:
        monkeypatch.setitem(sys.modules, "fla", None)
        monkeypatch.delitem(sys.modules, module, raising=False)
    pytest.importorskip("transformers")  # where it is installed, a module that is missing is an error
    return importlib.import_module(module)


def test_rope():
    layers = transformers("llama")
    config = layers.LlamaConfig(
        hidden_size=DIM, num_attention_heads=HEADS, num_key_value_heads=HEADS, attn_implementation="eager"
    )
    theirs, rotary = layers.LlamaAttention(config, 0), layers.LlamaRotaryEmbedding(config)
    mask = torch.full((LENGTH, LENGTH), -torch.inf).triu(1)[None, None]

    def call(x):
        angles = rotary(x, torch.arange(LENGTH)[None])
        return theirs(x, position_embeddings=angles, attention_mask=mask.to(x))[0]

    mapping = {
        "query_key_value.weight": stack("q_proj.weight", "k_proj.weight", "v_proj.weight"),
        "output.weight": take("o_proj.weight"),
    }
    # Their angles and softmax are in single precision whatever the weights are.
    compare(ours("multi_head_attention", heads=HEADS, positions="rope"), theirs, call, mapping, tolerance=2e-6)


def test_alibi():
    theirs = transformers("bloom").build_alibi_tensor(torch.ones(1, LENGTH), HEADS, torch.float32)
    expected = theirs.view(HEADS, 1, LENGTH)
    distances = ours("multi_head_attention", heads=HEADS, positions="alibi").distances
    # Theirs leaves out what the softmax does not see: a number for every row.
    assert torch.allclose(-distances + distances[:, :, :1], expected.expand(HEADS, LENGTH, LENGTH))


def test_mamba():
    layers = transformers("mamba")

    theirs = layers.MambaMixer(layers.MambaConfig(hidden_size=DIM, num_hidden_layers=1), 0).eval()
    mapping = {
        "inward.weight": take("in_proj.weight"),
        "convolution.weight": convolution("conv1d.weight"),
        "convolution.bias": take("conv1d.bias"),
        "select.weight": take("x_proj.weight"),
        "step.weight": take("dt_proj.weight"),
        "step.bias": take("dt_proj.bias"),
        "log_rate": take("A_log"),
        "skip": take("D"),
        "output.weight": take("out_proj.weight"),
    }
    compare(ours("mamba"), theirs, theirs, mapping, dtype=torch.float32, tolerance=2e-5)


def test_mamba2():
    layers = transformers("mamba2")

    config = layers.Mamba2Config(
        hidden_size=DIM, num_heads=HEADS, head_dim=2 * DIM // HEADS, state_size=64, n_groups=1, num_hidden_layers=1
    )
    theirs = layers.Mamba2Mixer(config, 0).eval()
    mapping = {
        "inward.weight": take("in_proj.weight"),
        "convolution.weight": convolution("conv1d.weight"),
        "convolution.bias": take("conv1d.bias"),
        "step_bias": take("dt_bias"),
        "log_rate": take("A_log"),
        "skip": take("D"),
        "scale": take("norm.weight"),
        "output.weight": take("out_proj.weight"),
    }
    compare(ours("mamba2", heads=HEADS), theirs, theirs, mapping, dtype=torch.float32, tolerance=2e-5)


def test_linear_rnn():
    layers = transformers("recurrent_gemma")

    config = layers.RecurrentGemmaConfig(hidden_size=DIM, lru_width=DIM, num_attention_heads=HEADS)
    theirs = layers.RecurrentGemmaRecurrentBlock(config, 0)

    def call(x):
        return theirs(x, torch.arange(LENGTH)[None], torch.ones(BATCH, LENGTH), use_cache=False)[0]

    mapping = {
        "inward.weight": stack("linear_x.weight", "linear_y.weight"),
        "inward.bias": stack("linear_x.bias", "linear_y.bias"),
        "convolution.weight": convolution("conv_1d.weight"),
        "convolution.bias": take("conv_1d.bias"),
        "gate_weight": lambda w: torch.stack((w["rg_lru.input_gate_weight"], w["rg_lru.recurrent_gate_weight"])),
        "gate_bias": lambda w: torch.stack((w["rg_lru.input_gate_bias"], w["rg_lru.recurrent_gate_bias"])),
        "rate": take("rg_lru.recurrent_param"),
        "output.weight": take("linear_out.weight"),
        "output.bias": take("linear_out.bias"),
    }
    compare(ours("linear_rnn", heads=HEADS), theirs, call, mapping, tolerance=2e-6)


def test_gated_delta_net(monkeypatch):
    layers = transformers("qwen3_next", monkeypatch)

    width = DIM // HEADS
    config = layers.Qwen3NextConfig(
        hidden_size=DIM,
        linear_num_value_heads=HEADS,
        linear_num_key_heads=HEADS,
        linear_key_head_dim=width,
        linear_value_head_dim=2 * width,
        rms_norm_eps=1e-5,
        num_hidden_layers=1,
    )
    theirs = layers.Qwen3NextGatedDeltaNet(config, 0).eval()

    def streams(weights):
        by_head = weights["in_proj_qkvz.weight"].view(HEADS, 6 * width, DIM)
        return [part.flatten(0, 1) for part in by_head.split([width, width, 2 * width, 2 * width], dim=1)]

    mapping = {
        "query_key_value.weight": lambda w: torch.cat(streams(w)[:3]),
        "gate.weight": lambda w: streams(w)[3],
        "convolution.weight": convolution("conv1d.weight"),
        "beta_step.weight": lambda w: w["in_proj_ba.weight"].view(HEADS, 2, DIM).transpose(0, 1),
        "log_rate": take("A_log"),
        "step_bias": take("dt_bias"),
        "scale": take("norm.weight"),
        "output.weight": take("out_proj.weight"),
    }
    compare(ours("gated_delta_net", heads=HEADS), theirs, theirs, mapping, dtype=torch.float32, tolerance=2e-5)


def test_kimi_delta_attention(monkeypatch):
    layers = transformers("kimi_linear", monkeypatch)

    config = layers.KimiLinearConfig(
        hidden_size=DIM,
        linear_num_heads=HEADS,
        linear_head_dim=DIM // HEADS,
        rms_norm_eps=1e-5,
        num_hidden_layers=1,
    )
    theirs = layers.KimiLinearDeltaAttention(config, 0).eval()
    mapping = {
        "query_key_value.weight": stack("q_proj.weight", "k_proj.weight", "v_proj.weight"),
        "convolution.weight": convolution("conv1d.weight"),
        "beta.weight": take("b_proj.weight"),
        "forget.0.weight": take("forget_gate.f_a_proj.weight"),
        "forget.1.weight": take("forget_gate.f_b_proj.weight"),
        "gate.0.weight": take("g_a_proj.weight"),
        "gate.1.weight": take("g_b_proj.weight"),
        "log_rate": take("forget_gate.A_log"),
        "step_bias": take("forget_gate.dt_bias"),
        "scale": take("o_norm.weight"),
        "output.weight": take("o_proj.weight"),
    }
    compare(ours("kimi_delta_attention", heads=HEADS), theirs, theirs, mapping, dtype=torch.float32, tolerance=2e-5)


def test_xlstm():
    layers = transformers("xlstm")

    config = layers.xLSTMConfig(
        hidden_size=DIM, num_heads=HEADS, num_blocks=1, chunk_size=7, autocast_kernel_dtype="float32", mode="train"
    )
    theirs = layers.xLSTMLayer(config)
    mapping = {
        "cell.projections.weight": stack("q.weight", "k.weight", "v.weight", "ogate_preact.weight"),
        "cell.gates.weight": stack("igate_preact.weight", "fgate_preact.weight"),
        "cell.gates.bias": stack("igate_preact.bias", "fgate_preact.bias"),
        "scale": take("multihead_norm.weight"),
        "output.weight": take("out_proj.weight"),
    }
    compare(
        ours("xlstm", heads=HEADS),
        theirs,
        lambda x: theirs(x)[0],
        mapping,
        dtype=torch.float32,
        tolerance=5e-5,
    )


def test_gmlp():
    from timm.layers.mlp import Mlp
    from timm.models.mlp_mixer import SpatialGatingUnit

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.unit = SpatialGatingUnit(2 * DIM, LENGTH)
            self.mlp = Mlp(DIM, 2 * DIM, norm_layer=None)
            self.mlp.fc2 = nn.Linear(DIM, DIM)

        def forward(self, x):
            # timm's unit sees all tokens; a mask over its weights makes it causal.
            weight = self.unit.proj.weight
            gated = torch.func.functional_call(
                self.unit, {"proj.weight": weight.tril()}, (self.mlp.act(self.mlp.fc1(x)),)
            )
            return self.mlp.fc2(gated)

    theirs = Block()
    mapping = {
        "inward.weight": take("mlp.fc1.weight"),
        "inward.bias": take("mlp.fc1.bias"),
        "norm.weight": take("unit.norm.weight"),
        "norm.bias": take("unit.norm.bias"),
        "matrix": take("unit.proj.weight"),
        "bias": take("unit.proj.bias"),
        "outward.weight": take("mlp.fc2.weight"),
        "outward.bias": take("mlp.fc2.bias"),
    }
    compare(ours("gmlp"), theirs, theirs, mapping)


@pytest.fixture
def streams():
    """Queries, keys, values, log decays `(B, H, T, d)` and a rate `(B, H, T)`, with gradients."""
    torch.manual_seed(3)
    query, key, value, decay = torch.randn(4, BATCH, HEADS, LENGTH, 8)
    key = key / key.norm(dim=-1, keepdim=True)
    return [t.requires_grad_() for t in (query, key, value, -decay.exp(), torch.rand(BATCH, HEADS, LENGTH))]


def same_with_gradients(mine, expected, inputs, tolerance=2e-5):
    close(mine, expected, tolerance)
    probe = torch.randn(mine.shape, generator=torch.Generator().manual_seed(4))
    for a, b in zip(
        torch.autograd.grad((mine * probe).sum(), inputs, retain_graph=True),
        torch.autograd.grad((expected * probe).sum(), inputs),
        strict=True,
    ):
        close(a, b, tolerance)


def naive(path, name):
    pytest.importorskip("fla")
    return getattr(importlib.import_module(f"fla.ops.{path}.naive"), name)


shared = importlib.import_module("benchbed.mixers._recurrence")


def test_the_gated_recurrence_of_fla(streams):
    query, key, value, decay, _ = streams
    arguments = (t.transpose(1, 2) for t in (query, key, value, decay))
    expected = naive("gla", "naive_recurrent_gla")(*arguments)
    expected = expected[0] if isinstance(expected, tuple) else expected
    mine = shared.decayed_products(query, key, decay) @ value * 8**-0.5
    same_with_gradients(mine, expected.transpose(1, 2), streams[:4])


def test_the_retention_of_fla():
    torch.manual_seed(3)
    mixer = ours("retention", heads=HEADS)
    query, key, value = (torch.randn(BATCH, HEADS, LENGTH, 8).requires_grad_() for _ in range(3))
    expected = naive("retention", "naive_retention")(query, key, value)
    mine = query @ key.transpose(-1, -2) * 8**-0.5 * mixer.kept @ value
    same_with_gradients(mine, expected, [query, key, value])


def test_the_delta_rule_of_fla(streams):
    query, key, value, _, rate = streams
    expected = naive("delta_rule", "delta_rule_recurrence")(query, key, value, rate)[0]
    beta = rate[..., None]
    written = shared.solve_chain(-beta * (key @ key.transpose(-1, -2)), beta * value)
    mine = (query @ key.transpose(-1, -2)).tril() @ written * 8**-0.5
    same_with_gradients(mine, expected, [query, key, value, rate])


def test_the_kimi_delta_rule_of_fla(streams):
    query, key, value, decay, rate = streams
    arguments = (t.transpose(1, 2) for t in (query, key, value, decay, rate))
    expected = naive("kda", "naive_recurrent_kda")(*arguments)[0].transpose(1, 2)
    beta = rate[..., None]
    read, met = shared.decayed_products(torch.stack((query, key)), key, decay)
    mine = read @ shared.solve_chain(-beta * met, beta * value) * 8**-0.5
    same_with_gradients(mine, expected, streams)


def test_the_generalised_delta_rule_of_fla(streams):
    """RWKV-7's: it erases along one vector and writes back along another."""
    query, key, value, decay, rate = streams
    decay = (0.6 * decay / (1 - decay)).detach().requires_grad_()
    erase, back = -key, rate[..., None] * key
    expected = naive("generalized_delta_rule.dplr", "dplr_recurrence")(query, query, value, erase, back, decay)[0]
    readers = torch.stack((query, erase * (-decay).exp()))
    (read, met), (read_new, met_new) = shared.decayed_products(
        readers, torch.stack((back, query))[:, None], decay, block=16
    )
    mine = (read @ shared.solve_chain(met, met_new.tril(-1) @ value) + read_new @ value) * 8**-0.5
    same_with_gradients(mine, expected, [query, key, value, decay, rate])


def test_the_layout_of_heads():
    """What the mapping of weights takes for granted: head h has channels h d to (h + 1) d."""
    x = torch.arange(12.0).view(1, 1, 12)
    assert rearrange(x, "b t (h d) -> b h t d", h=3)[0, 1, 0].tolist() == [4, 5, 6, 7]
