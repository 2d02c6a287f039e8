"""A CUDA device that is not there: every built-in on it, what goes wrong there, and an interval without a wait."""

import pytest
import torch
from pretends import PRETENDS
from torch import nn

from benchbed.checks import pretended
from benchbed.checks.mixer import Subject, conformance
from benchbed.checks.pretended import NOT_PRETENDED, why_not_cuda
from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.plugins.registry import plugins
from benchbed.training.recipe import make_recipe

MIXERS = [plugin.label for plugin in plugins("mixer") if plugin.built_in and not plugin.needs_cuda]
LEVELS = {track: load_track(track).level_names for track in ("lite", "standard")}
LIBRARY = {"lstm", "gru"}


def recipe(mixer, level, track):
    return make_recipe(RunRequest(mixer, level, track).resolve("cuda"))[0]


@PRETENDS
@pytest.mark.parametrize("mixer", MIXERS)
def test_every_mixer_trains_on_a_device_that_is_pretended(mixer):
    for level in ("linear_map@s3", "associative_recall@multi"):
        assert why_not_cuda(recipe(mixer, level, "standard")) == (NOT_PRETENDED if mixer in LIBRARY else None)


@PRETENDS
@pytest.mark.parametrize(("track", "level"), [(track, level) for track, levels in LEVELS.items() for level in levels])
def test_every_level_trains_on_a_device_that_is_pretended(track, level):
    assert why_not_cuda(recipe("multi_head_attention", level, track)) is None


class LeftBehind(nn.Module):
    """Makes a tensor where tensors are made by default."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def forward(self, x):
        return self.project(x) + torch.arange(x.shape[1])[:, None]


class Asks(LeftBehind):
    """Branches on a value."""

    def forward(self, x):
        return self.project(x) * (2 if x.sum() > 0 else 1)


class AsksByItem(LeftBehind):
    """Takes a number out of a tensor."""

    def forward(self, x):
        return self.project(x) * x.detach().abs().max().item()


class Picks(LeftBehind):
    """Has a shape that depends on values."""

    def forward(self, x):
        return self.project(x) + x[x > 0].mean()


class GoesHome(LeftBehind):
    """Computes a part on the CPU, and brings it back."""

    def forward(self, x):
        return self.project(x.cpu().to(x.device))


class Hidden(LeftBehind):
    """Holds a tensor that `.to` does not move."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.scale = torch.ones(dim)

    def forward(self, x):
        return self.project(x) * self.scale


class Lists(LeftBehind):
    """Takes channels by a list, which becomes an index on the CPU."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.order = [*range(1, dim), 0]

    def forward(self, x):
        return self.project(x[:, :, self.order])


@PRETENDS
@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        (LeftBehind, "on CUDA it would fail"),
        (Asks, "on CUDA every step would wait"),
        (AsksByItem, "on CUDA every step would wait"),
        (Picks, "on CUDA every step would wait"),
        (GoesHome, "on CUDA every step would wait"),
        (Hidden, "on CUDA it would fail"),
        (Lists, "on CUDA every step would send a tensor there"),
    ],
)
def test_what_would_go_wrong_is_a_note(mixer, message):
    (found,) = conformance(Subject(mixer, {}, 16, 8), ("cuda",))
    assert (found.status, found.message.startswith(message)) == ("note", True), found


def test_a_build_of_torch_without_cuda_is_told_and_not_asked(monkeypatch):
    """Mac's and the small one for CPUs: they would end the process."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    (found,) = conformance(Subject(LeftBehind, {}, 16, 8), ("cuda",))
    assert (found.status, found.message) == ("note", "not tried: this build of torch is for machines without CUDA")


def test_a_torch_that_asks_the_driver_says_nothing_of_a_mixer(monkeypatch):
    """As release 2.9 does where there is none."""

    def ask(mode, tensor):
        raise RuntimeError("CUDA error: CUDA driver version is insufficient for CUDA runtime version")

    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(pretended.FakeTensorMode, "from_tensor", ask)
    (found,) = conformance(Subject(LeftBehind, {}, 16, 8), ("cuda",))
    assert (found.status, found.message) == (
        "note",
        "not tried: this release of torch needs a driver of CUDA for it",
    )


@PRETENDS
def test_an_interval_of_the_engine_waits_for_nothing(monkeypatch):
    """Every line of an interval, from the first batch to the last step, on pretended tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    from benchbed.training.group import Group
    from benchbed.training.recipe import Data
    from benchbed.training.trajectory import Member

    made = recipe("multi_head_attention", "linear_map@s3", "lite")
    members = [Member(0, 1e-3), Member(1, 3e-3)]
    group = Group(made, members, torch.device("cpu"), vectorise=True)
    drawn = [made.training_data(member.seed, made.make_task(member.seed), 0) for member in members]
    batches = Data(*(torch.stack([rows[:3] for rows in both], dim=1) for both in zip(*drawn, strict=True)))
    weights = group.weights
    with FakeTensorMode() as mode:

        def there(tensor):
            return mode.from_tensor(tensor).to("cuda")

        pretended._move(group._forward.template, there)
        group._device = torch.device("cuda")
        group._shared, group._own = ({k: there(t) for k, t in held.items()} for held in (group._shared, group._own))
        optimiser = group._optimiser
        optimiser.weights = there(weights).requires_grad_()
        for name in ("_rates", "_mean", "_square", "_factors", "_done"):
            setattr(optimiser, name, there(getattr(optimiser, name)))
        group._finite = there(group._finite)
        batches = Data(*map(there, batches))
        monkeypatch.setattr("benchbed.training.group._stack", lambda *_: batches)
        monkeypatch.setattr(type(made), "training_data", lambda *_: None)
        monkeypatch.setattr(torch.autograd, "grad", lambda loss, weights: (torch.zeros_like(weights),))
        with pretended._Moves():
            group._train_interval()
    assert (group.step, group._finite.device.type, tuple(group._finite.shape)) == (3, "cuda", (2,))
