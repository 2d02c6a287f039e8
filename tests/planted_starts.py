"""Mixers that hold or draw what torch does not see, and layers as people write them that are at no fault."""

import functools
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Base(nn.Module):
    """Looks back and nowhere else."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def forward(self, x):
        return self.project(x.cumsum(1))


class PlainList(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.layers = [nn.Linear(dim, dim)]

    def forward(self, x):
        return self.layers[0](super().forward(x))


class NestedTensors(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.features = {"random": (torch.randn(dim, dim),)}

    def forward(self, x):
        return super().forward(x @ self.features["random"][0])


class LooseParameter(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.held = [nn.Parameter(torch.ones(dim))]

    def forward(self, x):
        return super().forward(x) * self.held[0]


class InAClosure(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        layer = nn.Linear(dim, dim)
        self.then = lambda y: layer(y)

    def forward(self, x):
        return self.then(super().forward(x))


class InAPartial(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.then = functools.partial(torch.matmul, other=torch.randn(dim, dim))

    def forward(self, x):
        return self.then(super().forward(x))


class Holder:
    """Of a matrix, in an object that torch does not know."""

    def __init__(self, dim: int) -> None:
        self.matrix = torch.randn(dim, dim)


class InAnObject(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.holder = Holder(dim)

    def forward(self, x):
        return super().forward(x @ self.holder.matrix)


class SeedsTorch(Base):
    def __init__(self, dim: int, length: int) -> None:
        torch.manual_seed(0)
        super().__init__(dim, length)


class ItsOwnGenerator(Base):
    """Every seed starts alike."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))


class FromTheSystem(Base):
    """NumPy's new generators take their start from the operating system."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.mix = nn.Parameter(torch.tensor(np.random.default_rng().normal(size=(dim, dim)), dtype=torch.float32))

    def forward(self, x):
        return super().forward(x) @ self.mix


FAULTS = {
    PlainList: r"layers where torch finds them, found some in layers\[0\]",
    NestedTensors: r"buffers where torch finds them, found random numbers in features\['random'\]\[0\]",
    LooseParameter: r"parameters where torch finds them, found one in held\[0\]",
    InAClosure: r"layers where torch finds them, found some in then \(closure\)",
    InAPartial: r"buffers where torch finds them, found random numbers in then \(partial\)",
    InAnObject: r"buffers where torch finds them, found random numbers in holder\.matrix",
    SeedsTorch: "found a call of torch.manual_seed in __init__, with which every seed starts alike",
    FromTheSystem: "expected equal weights from equal seeds, found that mix differs",
}
"""Refused before anything trains, with these words."""


class WeightNormed(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.convolution = nn.utils.parametrizations.weight_norm(nn.Conv1d(dim, dim, 3, groups=dim))

    def forward(self, x):
        return self.project(self.convolution(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))


class SinglePrecisionFft(nn.Module):
    """Rounding that is no leak."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(length, dim) / length)
        self.project = nn.Linear(dim, dim)

    def forward(self, x):
        n = 2 * x.shape[1]
        product = torch.fft.rfft(x.float(), n=n, dim=1) * torch.fft.rfft(self.kernel.float(), n=n, dim=0)
        return self.project(torch.fft.irfft(product, n=n, dim=1)[:, : x.shape[1]].to(x.dtype))


class ManyExperts(nn.Module):
    """Of which a few tokens choose a few."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.router = nn.Linear(dim, 64)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(64))

    def forward(self, x):
        weights, chosen = self.router(x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]).softmax(-1).max(-1)
        each = torch.stack([expert(x) for expert in self.experts], dim=-2)
        picked = each.gather(-2, chosen[..., None, None].expand(*chosen.shape, 1, x.shape[-1]))[..., 0, :]
        return weights[..., None] * picked


class InitialValue(Base):
    """An option that sets where a gate starts, behind an output that starts at zero."""

    def __init__(self, dim: int, length: int, *, start: float = 2.0) -> None:
        super().__init__(dim, length)
        self.gate = nn.Parameter(torch.full((dim,), start))
        self.output = nn.Linear(dim, dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x):
        return self.output(self.gate.sigmoid() * super().forward(x))


class ExponentialFeatures(Base):
    def forward(self, x):
        features = self.project(x).exp()
        return features.cumsum(1) / features.cumsum(1).sum(-1, keepdim=True)


class Cubic(Base):
    def forward(self, x):
        return super().forward(x) ** 3


class StateWithoutAType(Base):
    def forward(self, x):
        state, outputs = torch.zeros(x.shape[0], x.shape[2]), []
        for t in range(x.shape[1]):
            state = torch.lerp(state, self.project(x[:, t]), 0.5)
            outputs.append(state)
        return torch.stack(outputs, dim=1)


class PowersOfTwo(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        if length & (length - 1):
            raise ValueError(f"expected a power of two, found {length}")


class Chunked(Base):
    """Four tokens at a time, and no other number."""

    def forward(self, x):
        chunks = x.view(x.shape[0], -1, 4, x.shape[2])
        carried = F.pad(chunks.sum(2).cumsum(1)[:, :-1], (0, 0, 1, 0))
        return self.project((chunks.cumsum(2) + carried[:, :, None]).flatten(1, 2))


class NoParameters(nn.Module):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()

    def forward(self, x):
        return x.cumsum(1)


class Recomputes(Base):
    """Saves memory: activations are computed again in the backward pass."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.inner = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, x):
        return checkpoint(lambda y: self.inner(self.project(y.cumsum(1))), x, use_reentrant=False)


class KeepsThem(Recomputes):
    """The same without."""

    def forward(self, x):
        return self.inner(self.project(x.cumsum(1)))


class DrawsWithNumpy(Base):
    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.mix = nn.Parameter(torch.tensor(np.random.randn(dim, dim), dtype=torch.float32))
        self.shift = nn.Parameter(torch.tensor([random.gauss(0, 1) for _ in range(dim)]))

    def forward(self, x):
        return super().forward(x) @ self.mix + self.shift


class ConstantAttribute(Base):
    """A mask that is no buffer, and the same for everybody."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.mask = torch.ones(length, length).tril()

    def forward(self, x):
        return self.project(self.mask.to(x) @ x)


class OldWeightNorm(Base):
    """Sets its weight as a plain attribute, before every forward."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length)
        self.direction = nn.Parameter(torch.randn(dim, dim))
        self.weight = self.direction / self.direction.norm()
        self.register_forward_pre_hook(self._normalise)

    def _normalise(self, *_):
        self.weight = self.direction / self.direction.norm()

    def forward(self, x):
        return super().forward(x) @ self.weight


HONEST = [
    WeightNormed,
    SinglePrecisionFft,
    ManyExperts,
    InitialValue,
    ExponentialFeatures,
    Cubic,
    StateWithoutAType,
    PowersOfTwo,
    Chunked,
    NoParameters,
    Recomputes,
    DrawsWithNumpy,
    ConstantAttribute,
    OldWeightNorm,
]
