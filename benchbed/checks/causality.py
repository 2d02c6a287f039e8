"""Which output depends on which input: the measurements behind the leak checks.

Shapes: `B` batch, `T` tokens, `D` width.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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
    randomised: bool
    """Parameters drawn anew, so that gates which start at zero hide nothing; else as the mixer drew them."""

    @property
    def tolerance(self) -> float:
        """Share of the largest dependence below which one is rounding."""
        return 1e-9 if self.dtype == torch.float64 else 1e-4

    def __str__(self) -> str:
        mode = "train" if self.training else "eval"
        grad = "on" if self.autograd else "off"
        weights = "randomised" if self.randomised else "initial"
        return (
            f"length {self.length}, batch of {self.batch}, {mode}() mode, autograd {grad}, "
            f"{str(self.dtype).removeprefix('torch.')}, {weights} weights"
        )


def situations(length: int) -> list[Situation]:
    """Those that are tried: a plain one, each of its variations, and a few lengths."""
    plain = {"batch": 2, "training": False, "autograd": True, "dtype": torch.float64, "randomised": True}
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

    Two ways: outputs that move when a later input is replaced, and, where autograd is on, gradients.
    """
    random = torch.Generator().manual_seed(0)
    mixer, x = _prepare(build, dim, situation, random)
    matrices = [_movements(mixer, x, situation, random)]
    if situation.autograd:
        matrices.append(_gradients(mixer, x))
    for matrix in matrices:
        largest = matrix.nan_to_num(posinf=0.0).max().clamp_min(1e-12)
        pairs = (matrix.triu(1) > situation.tolerance * largest).nonzero()
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
        together = mixer(x).detach()
        largest = together.abs().max().clamp_min(1e-12)
        # A recurrence over the batch leaks into the last sequence and not into the first.
        for kept in (0, situation.batch - 1):
            replaced = others.clone()
            replaced[kept] = x[kept]
            beside, alone = mixer(replaced).detach()[kept], mixer(x[kept : kept + 1]).detach()[0]
            for other, how, tolerance in (
                (beside, "moves with the other sequences of the batch", 10 * situation.tolerance),
                (alone, "changes with batch size", _rounding(together)),
            ):
                differs = (other - together[kept]).abs().amax(dim=-1) > tolerance * largest
                if differs.any():
                    return f"output {int(differs.nonzero()[0])} of sequence {kept} {how}; seen with {situation}"
    return None


def _rounding(outputs: Tensor) -> float:
    """Share of the largest output within which a sum may change when it is taken in another order.

    Told from the outputs, because a mixer whose kernels know single or half precision alone computes in that and
    gives back the type of its input; such numbers fit the narrower type.
    """
    narrowest = (share for t, share in _ROUNDING.items() if torch.equal(outputs, outputs.to(t).to(outputs.dtype)))
    return next(narrowest, 1e-8)


_ROUNDING = {torch.bfloat16: 3e-2, torch.float16: 5e-3, torch.float32: 1e-3}


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
