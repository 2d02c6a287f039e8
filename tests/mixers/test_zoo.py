"""The parallel forms of recurrences against the recurrences themselves, step by step from the papers' equations."""

import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published import BOARDS, page
from torch.nn import functional as F

from benchbed.boards.entries.entry import load_entry
from benchbed.lab.profile.start import measure_start
from benchbed.plugins.registry import find, plugins
from benchbed.training.seeding import seeded_globally

shared = importlib.import_module("benchbed.mixers._recurrence")

LENGTH = 21


def build(name, dim=16, length=LENGTH, **options):
    """With weights that are not those it starts with, so that zeros and ones hide nothing."""
    torch.manual_seed(0)
    mixer = find("mixer", name).load()(dim, length, **options).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape))
    return mixer


@pytest.fixture
def x():
    return torch.randn(2, LENGTH, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def agrees(mixer, x, expected, tolerance):
    """The output, and the gradient of every weight, which `expected` was computed from as well."""
    weights = list(mixer.parameters())
    probe = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2))
    found = mixer(x)
    assert torch.allclose(found, expected, rtol=0, atol=tolerance)
    pairs = (torch.autograd.grad((y * probe).sum(), weights, retain_graph=True) for y in (found, expected))
    for mine, theirs in zip(*pairs, strict=True):
        assert torch.allclose(mine, theirs, rtol=tolerance, atol=tolerance * float(theirs.abs().max()))


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 40), chunk=st.integers(1, 40), seed=st.integers(0, 9))
def test_scan(length, chunk, seed):
    torch.manual_seed(seed)
    decay, drive = torch.rand(2, length, 3, 2, dtype=torch.float64), torch.randn(2, length, 3, 2, dtype=torch.float64)
    state, expected = torch.zeros(2, 3, 2, dtype=torch.float64), []
    for t in range(length):
        state = decay[:, t] * state + drive[:, t]
        expected.append(state)
    assert torch.allclose(shared.scan(decay, drive, chunk), torch.stack(expected, dim=1), rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 40), block=st.sampled_from([1, 2, 8, 16]), seed=st.integers(0, 9))
def test_decayed_products(length, block, seed):
    torch.manual_seed(seed)
    query, key = torch.randn(2, 3, length, 5, dtype=torch.float64)
    decay = -torch.rand(3, length, 5, dtype=torch.float64)
    expected = torch.zeros(3, length, length, dtype=torch.float64)
    for t in range(length):
        left = torch.ones(3, 5, dtype=torch.float64)
        for s in range(t, -1, -1):
            expected[:, t, s] = (query[:, t] * key[:, s] * left).sum(-1)
            left = left * decay[:, s].exp()
    assert torch.allclose(shared.decayed_products(query, key, decay, block), expected, rtol=0, atol=1e-12)
    scalar = decay[..., 0]
    same = decay[..., :1].expand_as(query)
    between = shared.decay_between(scalar) * (query @ key.mT)
    assert torch.allclose(between, shared.decayed_products(query, key, same), rtol=0, atol=1e-12)


def test_decays_that_leave_nothing_give_finite_numbers():
    """Dividing by a decay of e^-1000 would not."""
    query, key = torch.randn(2, 32, 4)
    decay = torch.full((32, 4), -1000.0).requires_grad_()
    products = shared.decayed_products(query, key, decay)
    assert torch.allclose(products, torch.diag((query * key).sum(-1)))
    assert torch.allclose(shared.decay_between(decay[:, 0]), torch.eye(32))
    products.sum().backward()
    assert decay.grad is not None
    assert decay.grad.isfinite().all()


def test_solve_chain():
    torch.manual_seed(0)
    matrix, drive = torch.randn(2, 9, 9, dtype=torch.float64), torch.randn(2, 9, 3, dtype=torch.float64)
    expected = torch.zeros_like(drive)
    for t in range(9):
        expected[:, t] = drive[:, t] + (matrix[:, t, :t, None] * expected[:, :t]).sum(1)
    assert torch.allclose(shared.solve_chain(matrix, drive), expected)
    matrix.requires_grad_()
    drive.requires_grad_()
    assert torch.autograd.gradcheck(shared.solve_chain, (0.3 * matrix, drive))


def test_rwkv7(x):
    mixer = build("rwkv7", heads=2)
    before = torch.cat((torch.zeros(2, 1, 16, dtype=torch.float64), x[:, :-1]), dim=1)
    r, w, k, v, a, g = (x + (before - x) * shift for shift in mixer.shifts)
    r, k, v, a = mixer.receptance(r), mixer.key(k), mixer.value(v), mixer.rate(a).sigmoid()
    decay = torch.exp(-torch.exp(torch.tensor(-0.5, dtype=torch.float64)) * mixer.decay(w).sigmoid())
    erase = k * mixer.erase_scale
    k = k * (1 + (a - 1) * mixer.key_scale)
    r, decay, k, v, a, erase = (t.unflatten(-1, (2, 8)) for t in (r, decay, k, v, a, erase))
    erase = erase / (erase.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    state = torch.zeros(2, 2, 8, 8, dtype=torch.float64)  # values, keys
    outputs = []
    for t in range(LENGTH):
        transition = torch.diag_embed(decay[:, t]) - erase[:, t, :, :, None] * (a * erase)[:, t, :, None, :]
        state = state @ transition + v[:, t, :, :, None] * k[:, t, :, None, :]
        outputs.append((state @ r[:, t, :, :, None]).squeeze(-1))
    mixed = mixer.norm(torch.stack(outputs, dim=1).flatten(0, 1).flatten(-2)).view(2, LENGTH, 16)
    bonus = (r * k * mixer.bonus).sum(-1, keepdim=True) * v
    agrees(mixer, x, mixer.output((mixed + bonus.flatten(-2)) * mixer.gate(g)), 1e-12)


def test_retention(x):
    """The paper's recurrence (equation 6), with the rotation as products of complex numbers."""
    mixer = build("retention", heads=2)
    query, key = (
        torch.complex(*stream.unflatten(-1, (2, 2, 4)).unbind(-2)) for stream in mixer.query_key(x).chunk(2, dim=-1)
    )
    value, gate = mixer.value_gate(x).chunk(2, dim=-1)
    value = value.unflatten(-1, (2, 16))
    state = torch.zeros(2, 2, 4, 16, dtype=torch.complex128)
    kept = 1 - 2.0 ** -(5 + torch.arange(2, dtype=torch.float64))
    outputs = []
    for t in range(LENGTH):
        turn = torch.exp(1j * t * 10_000.0 ** (-torch.arange(4, dtype=torch.float64) / 4))
        state = kept[:, None, None] * state + (key[:, t] * turn)[..., None] * value[:, t, :, None, :]
        outputs.append(((query[:, t] * turn).conj()[..., None] * state).sum(-2).real * 8**-0.5)
    mixed = torch.stack(outputs, dim=1)
    mixed = mixed / (mixed.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    # The angles and rates of the mixer were rounded to single precision when it was built.
    agrees(mixer, x, mixer.output(mixed.flatten(-2) * F.silu(gate)), 1e-5)


def test_gated_linear_attention(x):
    mixer = build("gated_linear_attention", heads=2)
    query, key, value, gate = mixer.projections(x).split(mixer.widths, dim=-1)
    kept = mixer.forget(x).sigmoid() ** (1 / 16)
    query, key, kept = (t.unflatten(-1, (2, 4)) for t in (query, key, kept))
    value = value.unflatten(-1, (2, 8))
    state = torch.zeros(2, 2, 4, 8, dtype=torch.float64)
    outputs = []
    for t in range(LENGTH):
        state = kept[:, t, :, :, None] * state + key[:, t, :, :, None] * value[:, t, :, None, :]
        outputs.append((query[:, t, :, :, None] * state).sum(-2) / 2)
    mixed = torch.stack(outputs, dim=1)
    mixed = mixed / (mixed.square().mean(-1, keepdim=True) + 1e-5).sqrt() * mixer.scale
    agrees(mixer, x, mixer.output(mixed.flatten(-2) * F.silu(gate)), 1e-12)


@pytest.mark.parametrize("strength", [1, 2])
def test_delta_net(x, strength):
    mixer = build("delta_net", heads=2, negative_eigenvalues=strength == 2)
    streams = F.silu(mixer.convolution(mixer.query_key_value(x)))
    query, key, value = (t.unflatten(-1, (2, 8)) for t in streams.chunk(3, dim=-1))
    query, key = (t / (t.square().sum(-1, keepdim=True) + 1e-6).sqrt() for t in (query, key))
    beta = strength * mixer.beta(x).sigmoid()
    state = torch.zeros(2, 2, 8, 8, dtype=torch.float64)  # values, keys
    outputs = []
    for t in range(LENGTH):
        k, v, b = key[:, t], value[:, t], beta[:, t, :, None, None]
        held = (state @ k[..., None]).squeeze(-1)
        state = state + b * (v - held)[..., None] * k[..., None, :]
        outputs.append((state @ query[:, t, :, :, None]).squeeze(-1) * 8**-0.5)
    mixed = torch.stack(outputs, dim=1)
    mixed = mixed / (mixed.square().mean(-1, keepdim=True) + 1e-5).sqrt() * mixer.scale
    agrees(mixer, x, mixer.output(mixed.flatten(-2)), 1e-12)


@pytest.mark.parametrize("name", ["gated_delta_net", "kimi_delta_attention"])
def test_a_write_of_full_strength_turns_round_what_a_key_held(name):
    """With beta at 2 and one token again and again: from nothing to 2 v, to -2 v + 2 v, which is nothing again."""
    mixer = build(name, heads=2, kernel=1, negative_eigenvalues=True)
    x = torch.randn(1, 1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mixer.log_rate.fill_(-30)  # nothing decays
        (gate,) = [parameter for key, parameter in mixer.named_parameters() if key.startswith("beta")]
        gate.copy_((50 * x[0] / x.square().sum()).expand_as(gate))  # all gates are open
    mixed = mixer(x.expand(1, 4, 16)).abs().amax(-1)[0]
    assert mixed[0] > 0.01
    # The norm of a key is 1 but for the millionth under its root, which keeps it from dividing by nothing.
    assert torch.allclose(mixed / mixed[0], torch.tensor([1.0, 0.0, 1.0, 0.0]).double(), rtol=0, atol=1e-2)


def test_slstm(x):
    """Without the stabiliser, which changes no output."""
    mixer = build("xlstm", heads=2, cell="slstm")
    driven = mixer.cell.projections(x).unflatten(-1, (4, 2, 8))
    cell = normaliser = hidden = torch.zeros(2, 2, 8, dtype=torch.float64)
    outputs = []
    for t in range(LENGTH):
        enter, forget, new, out = (
            driven[:, t, gate] + torch.einsum("bhd,hde->bhe", hidden, mixer.cell.recurrent[gate]) for gate in range(4)
        )
        cell = forget.sigmoid() * cell + enter.exp() * new.tanh()
        normaliser = forget.sigmoid() * normaliser + enter.exp()
        hidden = out.sigmoid() * cell / normaliser
        outputs.append(hidden)
    hidden = torch.stack(outputs, dim=1)
    normed = (hidden - hidden.mean(-1, keepdim=True)) / (hidden.var(-1, keepdim=True, unbiased=False) + 1e-6).sqrt()
    agrees(mixer, x, mixer.output(normed.flatten(-2) * mixer.scale), 1e-9)


@pytest.mark.parametrize("order", [2, 3])
def test_hyena(x, order):
    """By the FFT, as the authors compute it, with the gates in their order."""
    mixer = build("hyena", order=order)
    convolved = F.conv1d(
        F.pad(mixer.inward(x).transpose(1, 2), (2, 0)),
        mixer.convolution.weight[:, None],
        mixer.convolution.bias,
        groups=16 * (order + 1),
    )
    *gates, value = convolved.chunk(order + 1, dim=1)
    filters = [taps.T for taps in mixer._filters()]
    for gate, taps, skip in zip(reversed(gates[1:]), filters, mixer.skip, strict=True):
        value = value * gate
        spectrum = torch.fft.rfft(value, n=2 * LENGTH) * torch.fft.rfft(taps, n=2 * LENGTH)
        value = torch.fft.irfft(spectrum, n=2 * LENGTH)[..., :LENGTH] + skip[:, None] * value
    expected = mixer.outward((value * gates[0]).transpose(1, 2))
    agrees(mixer, x, expected, 1e-12)


def test_the_window_of_hyenas_filters():
    """As published: down to a hundredth after 0.3 to 1.5 of the sequence."""
    window = find("mixer", "hyena").load()(16, 101).window
    assert window[30, -1] == pytest.approx(0.01, rel=1e-3)
    assert window[100, 0] == pytest.approx(0.01 ** (1 / 1.5), rel=1e-3)


@pytest.mark.parametrize("window", [1, 3, LENGTH])
def test_sliding_window_attention(x, window):
    mixer = build("sliding_window_attention", heads=2, window=window)
    query, key, value = (t.unflatten(-1, (2, 8)).transpose(1, 2) for t in mixer.query_key_value(x).chunk(3, dim=-1))
    distance = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=(distance >= 0) & (distance < window))
    agrees(mixer, x, mixer.output(mixed.transpose(1, 2).flatten(-2)), 1e-12)


def test_rope_depends_on_distances_alone():
    mixer = build("multi_head_attention", heads=2, positions="rope")
    x = torch.randn(1, LENGTH, 16, dtype=torch.float64)
    moved = torch.cat((torch.zeros(1, 5, 16, dtype=torch.float64), x), dim=1)
    longer = build("multi_head_attention", length=LENGTH + 5, heads=2, positions="rope")
    longer.load_state_dict(mixer.state_dict())
    # Within the rows of the moved sequence, the odds of its own tokens are those they had.
    before, after = mixer.mixing_weights(x), longer.mixing_weights(moved)[:, :, 5:, 5:]
    after = after / after.sum(-1, keepdim=True)
    assert torch.allclose(before, after, rtol=0, atol=1e-6)


def test_alibi_takes_a_slope_times_the_distance():
    plain = build("multi_head_attention", heads=4)
    sloped = build("multi_head_attention", heads=4, positions="alibi")
    x = torch.zeros(1, LENGTH, 16, dtype=torch.float64)
    assert torch.allclose(plain.mixing_weights(x)[0, :, -1], torch.tensor(1 / LENGTH, dtype=torch.float64))
    weights = sloped.mixing_weights(x)[0, :, -1]
    for head, slope in enumerate((1 / 4, 1 / 16, 1 / 64, 1 / 256)):
        assert torch.allclose(weights[head, 1:] / weights[head, :-1], torch.tensor(slope).double().exp())


@pytest.mark.parametrize("positions", ["rope", "alibi"])
def test_positions_change_attention(x, positions):
    plain, changed = (
        build("multi_head_attention", heads=2),
        build("multi_head_attention", heads=2, positions=positions),
    )
    assert not torch.allclose(plain(x), changed(x))


@pytest.mark.parametrize("name", [p.name for p in plugins("mixer") if p.built_in and not p.needs])
def test_the_page_says_how_much_a_mixer_mixes_at_its_start(name):
    def build(dim, length):
        with seeded_globally(0, "weights"):
            return find("mixer", name).load()(dim, length)

    text = page("zoo")
    row = next(
        line for line in text.partition("## What each costs")[2].splitlines() if line.startswith(f"| `{name}`")
    )
    said, ratio = row.split("|")[-2].strip(), measure_start(build, 64, 16).ratio
    if ratio is None:
        assert said == "no token moves it"
    else:
        assert float(said) == pytest.approx(ratio, rel=0.06)


def test_the_page_says_what_every_mixer_is_compared_with():
    text = page("zoo")
    oracles, _, costs = text.partition("## What each costs")
    for plugin in plugins("mixer"):
        if plugin.built_in and not plugin.needs:
            assert f"`{plugin.name}`" in oracles
            assert f"`{plugin.name}`" in costs


def test_how_much_weight_decay_can_take_is_said_as_entries_have_it():
    taken = {}
    for path in BOARDS.glob("*/*.yaml"):
        result = load_entry(path).result
        rate = result.learning_rate * result.config.optimiser.weight_decay
        taken[path.parent.name, path.stem] = 1 - math.exp(-rate * result.summary.mean_steps)
    most = sorted(taken.items(), key=lambda one: -one[1])
    assert [name for name, _ in most[:3]] == [
        ("associative_recall@capacity", "mlp_mixer"),
        ("state_tracking@parity", "mlp_mixer"),
        ("state_tracking@parity", "rwkv7"),
    ]
    recall, mlp, rwkv, rest = (f"{share:.0%}" for _, share in most[:4])
    text = page("zoo")
    assert f"at most {rest} in all but three: `mlp_mixer` on recall of six pairs ({recall})" in text
    assert f" and on parity ({mlp}), which it solves in no seed, and `rwkv7` on parity ({rwkv})" in text
