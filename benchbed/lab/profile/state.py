"""How much of the past a mixer carries into the future, measured and not declared.

Whatever a mixer stores, the future of its outputs depends on the past through some number of values. That number is
the rank of the Jacobian of later outputs by earlier inputs: a recurrence's stops growing with the length of the past,
and attention's grows with every token. It is taken in double precision, at random inputs, of the mixer as it starts
and with all parameters drawn anew, whichever shows more: strong decays hide state, and so do shut gates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchbed.checks.causality import randomise

__all__ = ["StateSize", "measure_state"]

_RESOLUTION = 1e-12
"""Singular values below this share of the largest are rounding."""


@dataclass(frozen=True)
class StateSize:
    """What was found."""

    width: int
    """D at which it was measured."""
    pasts: tuple[int, int]
    """Tokens before the outputs that were looked at."""
    ranks: tuple[int, int]
    """Numbers carried over from so many tokens."""

    @property
    def saturated(self) -> bool:
        """A longer past carries no more: a fixed state."""
        return self.ranks[1] <= 1.05 * self.ranks[0]

    @property
    def full(self) -> bool:
        """As many numbers as the past has: no state smaller than that can be told from none at all."""
        return self.ranks[1] == self.pasts[1] * self.width

    def __str__(self) -> str:
        if self.saturated:
            return f"{max(self.ranks):,} numbers, however long the past"
        if self.full:
            return f"all of the past, up to {self.ranks[1]:,} numbers at least"
        grown = (self.ranks[1] - self.ranks[0]) / (self.pasts[1] - self.pasts[0])
        return f"grows by {grown:.3g} numbers a token ({self.ranks[1]:,} at {self.pasts[1]} tokens)"


def measure_state(
    build: Callable[[int, int], nn.Module], width: int = 16, pasts: tuple[int, int] = (36, 48)
) -> StateSize:
    """Measure a mixer's state.

    Args:
        build: makes a mixer of a width and a length.
        width: D at which to measure; the cost grows with its fourth power.
        pasts: lengths of the past that are compared, the shorter one first.
    """
    jacobians = [_jacobian(build, width, pasts[1], anew) for anew in (False, True)]
    # The later part of a past is a past as well: what came before it is held fixed.
    ranks = [max(_rank(jacobian[:, -past:]) for jacobian in jacobians) for past in pasts]
    return StateSize(width=width, pasts=pasts, ranks=(ranks[0], ranks[1]))


def _rank(jacobian: Tensor) -> int:
    values = torch.linalg.svdvals(jacobian.flatten(1))
    return int((values > _RESOLUTION * values[0]).sum())


def _jacobian(build: Callable[[int, int], nn.Module], width: int, past: int, anew: bool) -> Tensor:
    """All later outputs by all earlier inputs, `(past * D, past, D)`."""
    random = torch.Generator().manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # tables that a mixer makes as it is built must be exact as well
    try:
        mixer = build(width, 2 * past)
    finally:
        torch.set_default_dtype(before)
    if anew:
        randomise(mixer, random)
    x = torch.randn(1, 2 * past, width, generator=random, dtype=torch.float64)
    early, late = x[:, :past].requires_grad_(), x[:, past:]
    outputs = mixer(torch.cat((early, late), dim=1))[:, past:].flatten()
    every = torch.eye(len(outputs), dtype=torch.float64)
    try:
        (jacobian,) = torch.autograd.grad(outputs, early, every, is_grads_batched=True, retain_graph=True)
    except RuntimeError:  # an operation whose gradient vmap does not know
        jacobian = torch.stack([torch.autograd.grad(outputs, early, row, retain_graph=True)[0] for row in every])
    return jacobian.squeeze(1)
