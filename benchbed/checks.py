"""Conformance: what a mixer must satisfy before its score means anything."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchbed.errors import PluginError
from benchbed.seeding import seeded_globally

__all__ = ["check_output", "future_leak"]

_DRAWS = 3


def check_output(make_mixer: Callable[[], nn.Module], dim: int, length: int) -> None:
    """Call a mixer once.

    Raises:
        PluginError: it is no module, or its output has another shape or type than its input.
    """
    with seeded_globally(0, "weights"):
        mixer = make_mixer()
    if not isinstance(mixer, nn.Module):
        raise PluginError(f"expected a torch.nn.Module, found {type(mixer).__name__}")
    x = torch.zeros(2, length, dim)
    with torch.no_grad():
        y = mixer(x)
    if not isinstance(y, Tensor) or y.shape != x.shape or y.dtype != x.dtype:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise PluginError(
            f"mixer {type(mixer).__name__}: expected an output of shape {tuple(x.shape)} and type {x.dtype} "
            f"(as its input), found {found}; mend its forward"
        )


def future_leak(make_mixer: Callable[[], nn.Module], dim: int, length: int) -> str | None:
    """Say which output depends on which later input, or None if no such pair was found.

    Every parameter is drawn anew, so that gates which start at zero hide nothing; in float64, where a true
    dependence stands out from rounding. Two ways: gradients, and outputs that move when later inputs do.

    Args:
        make_mixer: builds a mixer.
        dim: width D.
        length: tokens T.
    """
    random = torch.Generator().manual_seed(0)
    for _ in range(_DRAWS):
        mixer = make_mixer().double().eval()
        for parameter in mixer.parameters():
            with torch.no_grad():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=random, dtype=torch.float64))
        x = torch.randn(2, length, dim, generator=random, dtype=torch.float64)
        for matrix in (_gradients(mixer, x), _movements(mixer, x, random)):
            largest = matrix.max().clamp_min(1e-12)
            pairs = (matrix.triu(1) > 1e-9 * largest).nonzero()
            if len(pairs):
                output, later = pairs[0].tolist()
                return f"output {output} depends on the later input {later}"
    return None


def _gradients(mixer: nn.Module, x: Tensor) -> Tensor:
    """`(T, T)`: largest gradient of output t (row) with respect to input s (column)."""
    x = x.clone().requires_grad_()
    y = mixer(x)
    weights = torch.randn(y.shape[-1], generator=torch.Generator().manual_seed(1), dtype=y.dtype)
    rows = []
    for t in range(y.shape[1]):
        (gradient,) = torch.autograd.grad((y[:, t] @ weights).sum(), x, retain_graph=True, materialize_grads=True)
        rows.append(gradient.abs().amax(dim=(0, 2)))
    return torch.stack(rows)


@torch.no_grad()
def _movements(mixer: nn.Module, x: Tensor, random: torch.Generator) -> Tensor:
    """`(T, T)`: how far output t moves when input s is replaced."""
    before = mixer(x)
    columns = []
    for s in range(x.shape[1]):
        moved = x.clone()
        moved[:, s] = torch.randn(moved[:, s].shape, generator=random, dtype=x.dtype)
        columns.append((mixer(moved) - before).abs().amax(dim=(0, 2)))
    return torch.stack(columns, dim=1)
