"""How much a mixer mixes before it has learned anything.

A start at which earlier tokens hardly move an output can be a plateau that a mixer does not leave:
docs/findings-starts.md has one that leaves it from another start.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["StartMixing", "measure_start"]

_SEQUENCES = 256


@dataclass(frozen=True)
class StartMixing:
    """How far the last output moves, root mean square, when tokens are drawn anew."""

    earlier: float
    """All tokens before it."""
    own: float
    """The token at its place."""

    @property
    def ratio(self) -> float | None:
        """Of the first to the second; None where its own token moves it by nothing."""
        return self.earlier / self.own if self.own else None

    def __str__(self) -> str:
        if self.ratio is None:
            return "earlier tokens alone move an output" if self.earlier else "no token moves an output"
        return f"earlier tokens move an output {self.ratio:.3g} times as far as its own token does"


def measure_start(build: Callable[[int, int], nn.Module], width: int, length: int) -> StartMixing:
    """Measure a mixer as it starts, at standard normal inputs.

    Args:
        build: makes a mixer of a width and a length, always from the same seed.
        width: D.
        length: tokens T; the last of them is looked at.
    """
    mixer = build(width, length).eval()
    inputs, others = torch.randn(2, _SEQUENCES, length, width, generator=torch.Generator().manual_seed(0))
    earlier = torch.cat((others[:, :-1], inputs[:, -1:]), dim=1)
    own = torch.cat((inputs[:, :-1], others[:, -1:]), dim=1)
    with torch.no_grad():
        before = mixer(inputs)[:, -1]
        moved = [(mixer(changed)[:, -1] - before).square().mean().sqrt().item() for changed in (earlier, own)]
    return StartMixing(*moved)
