"""Mixers that cheat or are broken, each with the check that must catch it, and honest ones that look suspicious."""

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchbed.plugins.registry import find, plugins

DIM, LENGTH = 16, 8

MultiHeadAttention: Any = find("mixer", "multi_head_attention").load()


class Base(nn.Module):
    """An honest causal average; the cheats below add one fault each."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)
        return self.project(x.cumsum(1) / steps[:, None])


def future(x: Tensor) -> Tensor:
    """The next token."""
    return torch.cat((x[:, 1:], torch.zeros_like(x[:, :1])), dim=1)


class NextToken(Base):
    def forward(self, x):
        return super().forward(x) + future(x)


class WhisperOfTheFuture(Base):
    def forward(self, x):
        return super().forward(x) + 1e-5 * future(x)


class InterleavedHeads(Base):
    """A reshape that takes heads and positions for each other."""

    def forward(self, x):
        b, t, d = x.shape
        heads = self.project(x).view(b, 2, t, d // 2)  # should be (b, t, 2, d / 2), transposed
        return heads.cumsum(2).transpose(1, 2).reshape(b, t, d)


class RecurrenceOverTheBatch(nn.Module):
    """`batch_first` forgotten: the first sequence sees no other, the last one all."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.recurrence = nn.GRU(dim, dim)

    def forward(self, x):
        return self.recurrence(x)[0]


class BatchSizeInHalfPrecision(Base):
    def forward(self, x):
        return (super().forward(x) * (1 + 0.1 * len(x))).bfloat16().to(x.dtype)


class NormOverTime(Base):
    def forward(self, x):
        return super().forward((x - x.mean(1, keepdim=True)) / (1 + x.std(1, keepdim=True)))


class NormOverBatch(Base):
    def forward(self, x):
        return super().forward(x - x.mean(0, keepdim=True))


class ClosedGate(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return super().forward(x) + self.gate * future(x)


class LastPositions(Base):
    def forward(self, x):
        leak = future(x)
        return super().forward(x) + torch.cat((torch.zeros_like(x[:, :-2]), leak[:, -2:]), dim=1)


class OneHead(Base):
    def forward(self, x):
        mask = torch.zeros(x.shape[-1], dtype=x.dtype)
        mask[-2:] = 1
        return super().forward(x) + mask * future(x)


class SomeLengths(Base):
    def forward(self, x):
        return super().forward(x) + (future(x) if x.shape[1] % 2 else 0)


class LargeBatches(Base):
    def forward(self, x):
        return super().forward(x) + (future(x) if len(x) > 2 else 0)


class AutogradOff(Base):
    def forward(self, x):
        return super().forward(x) + (0 if torch.is_grad_enabled() else future(x))


class TrainMode(Base):
    def forward(self, x):
        return super().forward(x) + (future(x) if self.training else 0)


class OnlyInFloat32(Base):
    def forward(self, x):
        return super().forward(x) + (future(x) if x.dtype == torch.float32 else 0)


class DetachedFuture(Base):
    """No gradient tells of it."""

    def forward(self, x):
        return super().forward(x) + future(x).detach()


class StraightThrough(Base):
    """The value is honest and the gradient is not."""

    def forward(self, x):
        leak = future(x)
        return super().forward(x) + leak - leak.detach()


class Transposed(Base):
    """Attention whose mask has rows and columns swapped."""

    def forward(self, x):
        scores = (x @ x.transpose(1, 2)).masked_fill(torch.ones(x.shape[1], x.shape[1]).tril(-1).bool(), -torch.inf)
        return self.project(scores.softmax(-1) @ x)


class OffByOne(Base):
    def forward(self, x):
        mask = torch.ones(x.shape[1], x.shape[1], dtype=x.dtype).tril(1)
        return self.project(mask @ x)


class SymmetricConvolution(Base):
    def forward(self, x):
        return self.project(F.avg_pool1d(x.transpose(1, 2), 3, stride=1, padding=1).transpose(1, 2))


class CircularConvolution(Base):
    """An FFT without padding wraps around."""

    def forward(self, x):
        kernel = torch.zeros(x.shape[1], dtype=x.dtype)
        kernel[:3] = 1
        product = torch.fft.rfft(x, dim=1) * torch.fft.rfft(kernel)[:, None]
        return self.project(torch.fft.irfft(product, n=x.shape[1], dim=1))


class GlobalRouter(Base):
    """Top-k over the whole sequence decides who speaks."""

    def forward(self, x):
        chosen = x.norm(dim=-1) >= x.norm(dim=-1).median(dim=1, keepdim=True).values
        return super().forward(x * chosen[..., None])


class Remembers(Base):
    def forward(self, x):
        y = super().forward(x) + getattr(self, "last", 0)
        self.last = x.mean().detach()
        return y


class RunningStatistics(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.register_buffer("mean", torch.zeros(dim))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean((0, 1))
        return super().forward(x) + self.mean


class Dice(Base):
    def forward(self, x):
        return super().forward(x) + torch.randn(())


class HiddenDice(Base):
    def forward(self, x):
        return super().forward(x) + 1e-3 * random.random()


class Dropout(Base):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.5, self.training)


class DeadParameter(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.unused = nn.Parameter(torch.ones(3))


class LazyParameter(Base):
    def forward(self, x):
        if not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(x.shape[-1], dtype=x.dtype))
        return super().forward(x) * self.late


class ChangesInput(Base):
    def forward(self, x):
        with torch.no_grad():
            x.mul_(2)
        return super().forward(x)


class Overflows(Base):
    def forward(self, x):
        return (50 * super().forward(x)).exp()


class DividesByZero(Base):
    def forward(self, x):
        return super().forward(x / x.norm(dim=-1, keepdim=True))


class IgnoresOption(Base):
    def __init__(self, dim: int, length: int, *, heads: int = 4) -> None:
        super().__init__(dim, length)


class Unpicklable(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.activation = lambda x: x


class WrongWidth(Base):
    def forward(self, x):
        return super().forward(x)[..., :1]


class WeightsByHeadLast(MultiHeadAttention):
    def mixing_weights(self, x):
        return super().mixing_weights(x).movedim(1, -1)


class WeightsOfTheFuture(MultiHeadAttention):
    def mixing_weights(self, x):
        return super().mixing_weights(x).transpose(-1, -2)


class PrettierWeights(MultiHeadAttention):
    """Shows sharper weights than it mixes by."""

    def mixing_weights(self, x):
        sharp = super().mixing_weights(x) ** 2
        return sharp / sharp.sum(-1, keepdim=True)


class BiasUnused(MultiHeadAttention):
    def _weights(self, query, key):
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return scores.masked_fill(self.score_bias.isinf(), -torch.inf).softmax(dim=-1)


class BiasTransposed(MultiHeadAttention):
    def _weights(self, query, key):
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        later = self.score_bias.isinf()
        pushed = scores + self.score_bias.masked_fill(later, 0.0).T
        return pushed.masked_fill(later, -torch.inf).softmax(dim=-1)


class BiasIsNoBuffer(MultiHeadAttention):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        bias = self.score_bias
        del self.score_bias
        self.score_bias = bias


class DrawsAllLayersAnew(Base):
    """Mamba's step, as a model of GPT-2's formula leaves it."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.project.bias._no_reinit = True  # pyright: ignore[reportAttributeAccessIssue]
        self.apply(self._draw)

    def _draw(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


CHEATS = {
    NextToken: "no future",
    WhisperOfTheFuture: "no future",
    InterleavedHeads: "no future",
    RecurrenceOverTheBatch: "no neighbours",
    BatchSizeInHalfPrecision: "no neighbours",
    NormOverTime: "no future",
    NormOverBatch: "no neighbours",
    ClosedGate: "no future",
    LastPositions: "no future",
    OneHead: "no future",
    SomeLengths: "no future",
    LargeBatches: "no future",
    AutogradOff: "no future",
    TrainMode: "no future",
    OnlyInFloat32: "no future",
    DetachedFuture: "no future",
    StraightThrough: "no future",
    Transposed: "no future",
    OffByOne: "no future",
    SymmetricConvolution: "no future",
    CircularConvolution: "no future",
    GlobalRouter: "no future",
    Remembers: "no state",
    RunningStatistics: "no state",
    Dice: "no randomness",
    HiddenDice: "no randomness",
    Dropout: "no randomness",
    DeadParameter: "gradients",
    LazyParameter: "no state",
    ChangesInput: "input unchanged",
    Overflows: "finite",
    DividesByZero: "finite",
    IgnoresOption: "options used",
    DrawsAllLayersAnew: "borrowed layers",
    WrongWidth: "shapes",
    WeightsByHeadLast: "weights",
    WeightsOfTheFuture: "weights",
    PrettierWeights: "weights",
    BiasUnused: "weights",
    BiasTransposed: "weights",
    BiasIsNoBuffer: "weights",
}


class Gru(nn.Module):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


class CausalConvolution(nn.Module):
    def __init__(self, dim: int, length: int, *, width: int = 3) -> None:
        super().__init__()
        self.width = width
        self.convolution = nn.Conv1d(dim, dim, width, groups=dim)

    def forward(self, x):
        return self.convolution(F.pad(x.transpose(1, 2), (self.width - 1, 0))).transpose(1, 2)


class LongConvolution(nn.Module):
    """An FFT with padding, whose rounding is no leak."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(length, dim) / length)

    def forward(self, x):
        n = 2 * x.shape[1]
        product = torch.fft.rfft(x, n=n, dim=1) * torch.fft.rfft(self.kernel, n=n, dim=0)
        return torch.fft.irfft(product, n=n, dim=1)[:, : x.shape[1]]


class Gated(Base):
    """A gate that starts at zero and opens for the past."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.gate = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return self.gate * super().forward(x)


class Tied(nn.Module):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.second = nn.Linear(dim, dim)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x).cumsum(1))


class InSinglePrecision(Base):
    """As a kernel that knows nothing wider; when a sequence is alone it sums in another order."""

    precision = torch.float32

    def forward(self, x):
        terms = [*(x.cumsum(1)[..., None, :] * self.project.weight).unbind(-1), self.project.bias]
        order = terms if len(x) > 1 else reversed(terms)
        return sum((term.to(self.precision) for term in order), x.new_zeros((), dtype=self.precision)).to(x.dtype)


class InHalfPrecision(InSinglePrecision):
    precision = torch.bfloat16


HONEST = [
    *(
        pytest.param(find("mixer", p.name).load(), id=p.name)
        for p in plugins("mixer")
        if p.built_in and not p.unavailable
    ),
    *(
        pytest.param(cls, id=cls.__name__)
        for cls in (
            Base,
            Gru,
            CausalConvolution,
            LongConvolution,
            Gated,
            Tied,
            InHalfPrecision,
            InSinglePrecision,
            Unpicklable,
        )
    ),
]
