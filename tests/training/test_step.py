"""A group's step: the optimiser's arithmetic, and a step that is recorded once and replayed."""

import inspect
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from pretends import PRETENDS
from tape import tape
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchbed.config.tracks import OptimiserSettings
from benchbed.training.engine import EngineSettings, choose_engine, why_not_graph
from benchbed.training.ensemble import Ensemble
from benchbed.training.group import Group
from benchbed.training.recipe import make_recipe
from benchbed.training.step import capture
from benchbed.training.step.optimiser import RowAdamW
from benchbed.training.trajectory import Member

CPU = torch.device("cpu")
MEMBERS = [Member(seed, rate) for seed in range(3) for rate in (0.0005, 0.01)]


@pytest.mark.parametrize("warmup", [0, 4])
def test_every_row_moves_as_torchs_adamw_moves_it(warmup):
    torch.manual_seed(0)
    rates = [3e-4, 1e-3, 3e-2]
    start = torch.randn(3, 50)
    gradients = torch.randn(20, 3, 50)
    settings = OptimiserSettings(learning_rates=rates, betas=[0.9, 0.99], weight_decay=0.1, warmup_steps=warmup)
    ours = RowAdamW(start.clone(), torch.tensor(rates)[:, None], settings, budget=20)
    for gradient in gradients:
        ours.step(gradient)
    for row, rate in enumerate(rates):
        parameter = start[row].clone().requires_grad_()
        theirs = torch.optim.AdamW([parameter], lr=rate, betas=(0.9, 0.99), weight_decay=0.1)
        for number, gradient in enumerate(gradients, start=1):
            theirs.param_groups[0]["lr"] = rate * min(1, number / max(1, warmup))
            parameter.grad = gradient[row]
            theirs.step()
        assert torch.allclose(ours.weights[row], parameter, atol=1e-6)


def test_dropping_rows_leaves_the_others_bit_for_bit():
    settings = OptimiserSettings(learning_rates=[0.01], betas=[0.9, 0.999], weight_decay=0.01, warmup_steps=0)

    def fresh():
        torch.manual_seed(1)
        return RowAdamW(torch.randn(3, 9), torch.full((3, 1), 0.01), settings, budget=6)

    whole, dropped = fresh(), fresh()
    gradients = torch.randn(6, 3, 9)
    for number in range(1, 4):
        whole.step(gradients[number - 1])
        dropped.step(gradients[number - 1])
    dropped.keep(torch.tensor([0, 2]))
    for number in range(4, 7):
        whole.step(gradients[number - 1])
        dropped.step(gradients[number - 1][[0, 2]])
    assert torch.equal(whole.weights[[0, 2]], dropped.weights)


@pytest.fixture
def taped(monkeypatch):
    """Graphs on a CPU; gives the number of members of each that is recorded."""
    sizes = []

    def record(step, changed):
        sizes.append(len(changed[0]))
        return tape(step, changed)

    monkeypatch.setattr(capture, "cuda_graph", record)
    return sizes


def train(recipe, engine, saved=None, observe=lambda _: None):
    return Ensemble(recipe, MEMBERS, EngineSettings(engine, CPU), saved or {}).train(observe)


def outcomes(trajectories):
    return [(t.member, t.status, t.steps_to_solve, t.evaluations) for t in trajectories]


@pytest.mark.parametrize("mixer", ["multi_head_attention", "gated_delta_net"])
def test_steps_that_are_replayed_are_the_steps_bit_for_bit(configure, taped, mixer):
    """With warm-up, rates of several members, and members that retire: each group is recorded once."""
    recipe, _ = make_recipe(configure(mixer))
    plain, replayed = train(recipe, "vmap"), train(recipe, "graph")
    assert outcomes(replayed) == outcomes(plain)
    assert taped[0] == len(MEMBERS)
    assert taped == sorted(set(taped), reverse=True)
    assert len(taped) == len({t.step for t in plain}), "recorded again when some retire, and only then"


def test_going_on_with_a_recorded_step_gives_the_same(configure, taped):
    recipe, _ = make_recipe(configure())
    states = []
    whole = train(recipe, "graph", observe=lambda e: states.append(e.state()))
    for state in (states[1], states[len(states) // 2]):
        assert outcomes(train(recipe, "graph", saved={0: state})) == outcomes(whole)


def test_a_recording_that_finds_no_memory_is_made_of_half_as_many(configure, taped, monkeypatch):
    recipe, _ = make_recipe(configure())
    plain = train(recipe, "vmap")
    real = Group.gradients

    def gradients(group, tokens, targets):
        if len(group.members) > 3:
            raise torch.OutOfMemoryError("pretended")
        return real(group, tokens, targets)

    monkeypatch.setattr(Group, "gradients", gradients)
    replayed = train(recipe, "graph")
    assert taped[0] == len(MEMBERS)
    assert max(taped[1:]) == 3
    assert [(t.member, t.status) for t in replayed] == [(t.member, t.status) for t in plain]
    for mine, theirs in zip(replayed, plain, strict=True):
        for one, other in zip(mine.evaluations[:4], theirs.evaluations[:4], strict=True):
            assert torch.allclose(torch.tensor(one.loss), torch.tensor(other.loss), atol=1e-4)


class Counts(nn.Module):
    """Scales by how often it was called, which Python knows and a recording does not."""

    def __init__(self, dim, length):
        super().__init__()
        self.linear, self.calls = nn.Linear(dim, dim), 0

    def forward(self, x):
        self.calls += 1
        return self.linear(x) * self.calls


class Asks(nn.Module):
    def __init__(self, dim, length):
        super().__init__()
        self.linear, self.asked = nn.Linear(dim, dim), torch.zeros(())

    def forward(self, x):
        return self.linear(x) * (1.0 + self.asked.item())


@pytest.mark.parametrize(
    ("mixer", "note"),
    [(Counts, "it takes other steps when it is replayed"), (Asks, "not permitted when stream is capturing")],
)
def test_a_step_that_cannot_be_recorded_is_taken_as_it_is(configure, taped, monkeypatch, mixer, note):
    recipe, _ = make_recipe(configure("static_mixer"))
    monkeypatch.setattr(type(recipe), "make_mixer", lambda self, length: mixer(self.backbone.dim, length))
    assert note in str(why_not_graph(recipe, CPU))
    monkeypatch.setattr("benchbed.training.engine.why_not_vmap", lambda *_: None)
    settings, told = choose_engine(recipe, EngineSettings("graph", CPU))
    assert settings.engine == "vmap"
    assert str(told).startswith("its step cannot be captured as a graph: ")


def test_an_optimiser_that_counts_in_python_would_be_found(configure, taped, monkeypatch):
    recipe, _ = make_recipe(configure())
    assert why_not_graph(recipe, CPU) is None
    real = RowAdamW.step

    def step(self, gradient):
        real(self, gradient)
        self._done = self._done + 1  # another tensor each time, which no recording sees

    monkeypatch.setattr(RowAdamW, "step", step)
    assert why_not_graph(recipe, CPU) == "it takes other steps when it is replayed"


def test_a_cpu_has_no_graphs_and_says_so(configure):
    recipe, _ = make_recipe(configure())
    settings, note = choose_engine(recipe, EngineSettings("graph", CPU))
    assert settings.engine == "vmap"
    assert note == "its step cannot be captured as a graph: RuntimeError: a device of type cpu has no graphs"


@PRETENDS
def test_a_capture_warms_up_aside_and_shares_its_memory(monkeypatch):
    """What torch.cuda is asked for, on a device that is pretended: it must be right where it is first tried."""
    told = []

    class Stream:
        def __init__(self, device):
            told.append("stream")

        def wait_stream(self, other):
            told.append("wait" if other is main else "back")

    class Capture:
        def __init__(self, *given, **more):
            bound = inspect.signature(real.__init__).bind(self, *given, **more)  # what torch would refuse
            told.append(("pool", bound.arguments["pool"]))
            assert bound.arguments["capture_error_mode"] == "thread_local"

        def __enter__(self):
            told.append("capture")

        def __exit__(self, *_):
            told.append("end")

    real, main = torch.cuda.graph, Stream(None)
    told.clear()
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", Capture)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: told.append("replay")))
    handles = iter("ab")
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(handles))
    capture._pool.cache_clear()
    with FakeTensorMode():
        state = torch.zeros(3, device="cuda")

        def step():
            told.append("step")
            state.add_(1)

        first = capture.cuda_graph(step, [state])
        expected = ["stream", "wait", "step", "step", "back", ("pool", "a"), "capture", "step", "end"]
        assert told == expected
        capture.cuda_graph(step, [state])
        assert told == expected * 2, "in the same memory"
    first()
    assert told[-1] == "replay"
    capture._pool.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("mixer", ["multi_head_attention", "mlp_mixer", "mamba", "gated_delta_net"])
def test_cuda_replays_what_it_recorded(configure, mixer):
    recipe, _ = make_recipe(configure(mixer, max_steps=40))
    cuda = torch.device("cuda")
    settings, note = choose_engine(recipe, EngineSettings("auto", cuda))
    assert (settings.engine, note) == ("graph", None)
    plain, replayed = (
        Ensemble(recipe, MEMBERS, EngineSettings(engine, cuda)).train(lambda _: None) for engine in ("vmap", "graph")
    )
    for mine, theirs in zip(replayed, plain, strict=True):
        for one, other in zip(mine.evaluations[:2], theirs.evaluations[:2], strict=True):
            assert torch.allclose(torch.tensor(one.loss), torch.tensor(other.loss), atol=1e-3)
