"""Every built-in mixer, by existing: a new file in `mixers/` is tested without a line here."""

import pickle

import pytest
import torch
from torch.func import functional_call, vmap
from torch.nn import functional as F

from benchbed.errors import OptionError
from benchbed.plugins.registry import find, plugins
from benchbed.runs.costs import measure_costs
from benchbed.training.recipe import make_recipe

NAMES = [p.name for p in plugins("mixer") if p.built_in and not p.needs]
SIZES = [(16, 8), (64, 16), (24, 5)]


def build(name, dim=16, length=8, **options):
    torch.manual_seed(0)
    return find("mixer", name).load()(dim, length, **options)


def shaken(mixer):
    """Off its start, which may be an output of zero."""
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, dtype=parameter.dtype)
    return mixer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dim", "length"), SIZES)
def test_shape_and_gradients(name, dim, length):
    mixer = shaken(build(name, dim, length))
    x = torch.randn(3, length, dim)
    y = mixer(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    for parameter in mixer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0
    assert torch.equal(mixer(x), y), "the same input gives the same output"
    assert torch.allclose(mixer(x[1:2]), y[1:2], rtol=0, atol=1e-5), "sequences of a batch do not meet"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("gru", "lstm")])
def test_gradients_of_two_members_at_once_are_those_of_each(name):
    """In double precision, where nothing but the arithmetic can differ."""
    mixer = build(name).double()
    random = torch.Generator().manual_seed(1)
    members = {
        key: (p.detach() + 0.1 * torch.randn(2, *p.shape, generator=random)).double().requires_grad_()
        for key, p in mixer.named_parameters()
    }
    x, probe = torch.randn(2, 2, 3, 8, 16, generator=random).double()
    together = vmap(lambda own, tokens: functional_call(mixer, own, (tokens,)))(members, x)
    batched = torch.autograd.grad((together * probe).sum(), list(members.values()))
    for row in range(2):
        alone = functional_call(mixer, {key: p[row] for key, p in members.items()}, (x[row],))
        looped = torch.autograd.grad((alone * probe[row]).sum(), list(members.values()))
        for mine, theirs in zip(batched, looped, strict=True):
            assert torch.allclose(mine[row], theirs[row], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_earlier_token_reaches_every_later_one(name):
    """A mixer that looks at less than it may would pass the leak check and fail silently."""
    mixer = shaken(build(name).double())
    x = torch.randn(1, 8, 16, dtype=torch.float64, requires_grad=True)
    for t in range(8):
        (gradient,) = torch.autograd.grad(mixer(x)[:, t].square().sum(), x)
        assert (gradient.abs().amax(dim=(0, 2))[: t + 1] > 0).all()


@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("gru", 3)])
def test_the_cost_of_recurrences_is_counted(configure, name, gates):
    """torch counts nothing of a fused LSTM. A layer has two products of D x D a gate and token."""

    def cost(layers):
        return measure_costs(*make_recipe(configure(name, mixer_options={"layers": layers}))).flops_per_token

    assert cost("2") - cost("1") == gates * 2 * 2 * 16 * 16


@pytest.mark.parametrize("name", NAMES)
def test_pickles(name):
    mixer = build(name)
    x = torch.randn(2, 8, 16)
    assert torch.equal(pickle.loads(pickle.dumps(mixer))(x), mixer(x))


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(build(n), "score_bias")])
def test_the_weights_of_attention_sum_to_one_whatever_the_bias(name):
    mixer = build(name)
    x = torch.randn(2, 8, 16)
    before = mixer.mixing_weights(x)
    mixer.score_bias[6, 2] = 2.0
    after = mixer.mixing_weights(x)
    assert torch.allclose(after.sum(-1), torch.ones(()))
    odds = after[:, :, 6, 2] / after[:, :, 6, 3] / (before[:, :, 6, 2] / before[:, :, 6, 3])
    assert torch.allclose(odds, torch.tensor(2.0).exp())


def test_attention_equals_pytorchs():
    mixer = build("multi_head_attention", heads=4)
    x = torch.randn(3, 8, 16)
    query, key, value = (part.view(3, 8, 4, 4).transpose(1, 2) for part in mixer.query_key_value(x).chunk(3, dim=-1))
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    expected = mixer.output(mixed.transpose(1, 2).reshape(3, 8, 16))
    assert torch.allclose(mixer(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "groups"), [("multi_query_attention", {}, 1), ("grouped_query_attention", {"groups": 4}, 4)]
)
def test_shared_keys_and_values_equal_pytorchs(name, options, groups):
    mixer = build(name, heads=8, **options)
    x = torch.randn(3, 8, 16)
    query = mixer.query(x).view(3, 8, 8, 2).transpose(1, 2)
    key, value = (part.view(3, 8, groups, 2).transpose(1, 2) for part in mixer.key_value(x).chunk(2, dim=-1))
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    expected = mixer.output(mixed.transpose(1, 2).reshape(3, 8, 16))
    assert torch.allclose(mixer(x), expected, rtol=0, atol=1e-6)


def test_linear_attention_equals_its_recurrence():
    mixer = build("linear_attention", heads=4).double()
    x = torch.randn(2, 8, 16, dtype=torch.float64)
    query, key, value = mixer._project(x)
    query, key = F.elu(query) + 1, F.elu(key) + 1
    state = torch.zeros(2, 4, 4, 4, dtype=torch.float64)
    normaliser = torch.zeros(2, 4, 4, dtype=torch.float64)
    outputs = []
    for t in range(8):
        state = state + key[:, :, t, :, None] * value[:, :, t, None, :]
        normaliser = normaliser + key[:, :, t]
        numerator = (query[:, :, t, :, None] * state).sum(-2)
        outputs.append(numerator / (query[:, :, t] * normaliser).sum(-1, keepdim=True))
    mixed = torch.stack(outputs, dim=2).transpose(1, 2).reshape(2, 8, 16)
    assert torch.allclose(mixer(x), mixer.output(mixed), rtol=0, atol=1e-12)


def test_mlp_mixer_equals_a_loop_over_its_blocks():
    mixer = build("mlp_mixer", expansion=3)
    x = torch.randn(2, 8, 16)
    expected = torch.zeros_like(x)
    for t in range(8):
        for block in range(t + 1):
            rows = slice(3 * block, 3 * block + 3)
            seen = torch.einsum("ht,btd->bhd", mixer.inward.weight[rows, : block + 1], x[:, : block + 1])
            hidden = F.gelu(seen + mixer.inward.bias[rows, None])
            expected[:, t] += torch.einsum("h,bhd->bd", mixer.outward.weight[t, rows], hidden)
        expected[:, t] += mixer.outward.bias[t]
    assert torch.allclose(mixer(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in NAMES if "heads" in find("mixer", n).resolve({})])
def test_heads_must_divide_the_width(name):
    with pytest.raises(OptionError, match=r"expected heads to divide .*found heads=3"):
        build(name, heads=3)
