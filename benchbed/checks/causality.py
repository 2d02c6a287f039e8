"""Which output depends on which input: the measurements behind the leak checks.

Shapes: `B` batch, `T` tokens, `D` width.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Situation", "batch_leak", "future_leak", "randomise", "situations"]

Build = Callable[[int, int], nn.Module]
"""Makes a mixer of a width and a length."""


@dataclass(frozen=True)
class Situation:
    """One way to call a mixer; a leak may show in one and hide in all others."""

    length: int
    batch: int
    training: bool
    autograd: bool
    dtype: torch.dtype
    """Of the input and the parameters."""
    randomised: bool
    """Parameters drawn anew, so that gates which start at zero hide nothing; else as the mixer drew them."""

    def __str__(self) -> str:
        mode = "train" if self.training else "eval"
        grad = "on" if self.autograd else "off"
        weights = "randomised" if self.randomised else "initial"
        return (
            f"length {self.length}, batch of {self.batch}, {mode}() mode, autograd {grad}, "
            f"{str(self.dtype).removeprefix('torch.')}, {weights} weights"
        )


def situations(length: int, dtype: torch.dtype = torch.float64) -> list[Situation]:
    """Those that are tried: a plain one, each of its variations, and a few lengths."""
    plain = {"batch": 2, "training": False, "autograd": True, "dtype": dtype, "randomised": True}
    changes: list[dict[str, object]] = [
        {},
        {"batch": 1},
        {"batch": 5},
        {"training": True},
        {"training": True, "batch": 5, "dtype": torch.float32},
        {"autograd": False},
        {"autograd": False, "training": True},
        {"dtype": torch.float32},
        {"randomised": False},
        {"randomised": False, "training": True, "dtype": torch.float32},
    ]
    lengths = sorted({2, 3, 5, 8, 13, 16, 17, 32} - {length})
    here = [Situation(length=length, **{**plain, **change}) for change in changes]  # pyright: ignore
    return here + [Situation(length=other, **plain) for other in lengths]  # pyright: ignore


def randomise(mixer: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draw every parameter anew."""
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return mixer


def future_leak(build: Build, dim: int, situation: Situation) -> str | None:
    """Say which output depends on which later input, or None if no such pair was found.

    Two ways: outputs that move when a later input is replaced, and, where autograd is on, gradients. Each output is
    held against its own dependence on what it may see, so that a huge one hides no leak into another.
    """
    random = torch.Generator().manual_seed(0)
    mixer, x = _prepare(build, dim, situation, random)
    with _autograd(situation), _Narrowest() as used:
        same = torch.equal(mixer(x).detach(), mixer(x).detach())
    if not same:
        return None  # it draws at random or keeps something: other checks say so, and here it would look like a leak
    tolerance = used.tolerance
    matrices = [_movements(mixer, x, situation, random)]
    if situation.autograd:
        matrices.append(_gradients(mixer, x))
    for matrix in matrices:
        finite = matrix.nan_to_num(posinf=0.0)
        largest = finite.tril().amax(dim=1, keepdim=True).clamp_min(1e-3 * float(finite.median().clamp_min(1e-12)))
        pairs = (matrix.triu(1) > tolerance * largest).nonzero()
        if len(pairs):
            output, later = pairs[0].tolist()
            more = f" ({len(pairs)} such pairs)" if len(pairs) > 1 else ""
            return f"output {output} depends on the later input {later}{more}; seen with {situation}"
    return None


def batch_leak(build: Build, dim: int, situation: Situation) -> str | None:
    """Say that a sequence's output depends on the sequences beside it, or None."""
    random = torch.Generator().manual_seed(0)
    mixer, x = _prepare(build, dim, situation, random)
    others = torch.randn(x.shape, generator=random, dtype=x.dtype)
    with _autograd(situation):
        with _Narrowest() as used:
            together, again = mixer(x).detach(), mixer(x).detach()
        if not torch.equal(together, again):
            return None
        largest = together.abs().amax(dim=(0, 2)).clamp_min(1e-12)
        # A recurrence over the batch leaks into the last sequence and not into the first.
        for kept in (0, situation.batch - 1):
            replaced = others.clone()
            replaced[kept] = x[kept]
            beside, alone = mixer(replaced).detach()[kept], mixer(x[kept : kept + 1]).detach()[0]
            for other, how, tolerance in (
                (beside, "moves with the other sequences of the batch", 10 * used.tolerance),
                (alone, "changes with batch size", used.rounding),
            ):
                differs = (other - together[kept]).abs().amax(dim=-1) > tolerance * largest
                if differs.any():
                    return f"output {int(differs.nonzero()[0])} of sequence {kept} {how}; seen with {situation}"
    return None


class _Narrowest(TorchDispatchMode):
    """The narrowest type of floating point that a mixer computes in, whatever that of its input and its output is."""

    def __init__(self) -> None:
        super().__init__()
        self._bits = 64

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor) and (tensor.is_floating_point() or tensor.is_complex()):
                self._bits = min(self._bits, torch.finfo(tensor.dtype).bits)
        return result

    @property
    def tolerance(self) -> float:
        """Share of an output's largest dependence below which one is rounding."""
        return {64: 1e-9, 32: 1e-4}.get(self._bits, 3e-2)

    @property
    def rounding(self) -> float:
        """Share of the largest output within which a sum may change when it is taken in another order."""
        return {64: 1e-8, 32: 1e-3}.get(self._bits, 3e-2)


def _prepare(build: Build, dim: int, situation: Situation, random: torch.Generator) -> tuple[nn.Module, Tensor]:
    mixer = build(dim, situation.length).to(situation.dtype).train(situation.training)
    if situation.randomised:
        randomise(mixer, random)
    return mixer, torch.randn(situation.batch, situation.length, dim, generator=random, dtype=situation.dtype)


def _autograd(situation: Situation) -> "torch.no_grad | nullcontext[None]":
    return nullcontext() if situation.autograd else torch.no_grad()


def _movements(mixer: nn.Module, x: Tensor, situation: Situation, random: torch.Generator) -> Tensor:
    """`(T, T)`: how far output t (row) moves when input s (column) is replaced."""
    columns = []
    with _autograd(situation):
        before = mixer(x).detach()
        for s in range(x.shape[1]):
            moved = x.clone()
            moved[:, s] = torch.randn(moved[:, s].shape, generator=random, dtype=x.dtype)
            columns.append((mixer(moved).detach() - before).abs().amax(dim=(0, 2)))
    return torch.stack(columns, dim=1)


def _gradients(mixer: nn.Module, x: Tensor) -> Tensor:
    """`(T, T)`: largest gradient of output t (row) with respect to input s (column)."""
    x = x.clone().requires_grad_()
    y = mixer(x)
    weights = torch.randn(y.shape[-1], generator=torch.Generator().manual_seed(1)).to(y.dtype)
    rows = []
    for t in range(y.shape[1]):
        (gradient,) = torch.autograd.grad((y[:, t] @ weights).sum(), x, retain_graph=True, materialize_grads=True)
        rows.append(gradient.abs().amax(dim=(0, 2)))
    return torch.stack(rows)
