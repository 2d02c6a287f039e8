"""A mixer under test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from benchbed.checks.causality import randomise
from benchbed.training.seeding import seeded_globally

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A mixer under test."""

    mixer: Callable[..., nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    dim: int = 64
    length: int = 16
    levels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Widths and lengths of published levels, by name: it is ranked on those that it can do."""

    @cached_property
    def dtype(self) -> torch.dtype:
        """In which it is checked: double precision, where rounding hides least, unless it cannot compute in that."""
        try:
            with torch.no_grad():
                self.build().double()(torch.zeros(2, self.length, self.dim, dtype=torch.float64))
        except Exception:  # as where a state is made by torch.zeros without a type
            return torch.float32
        return torch.float64

    def make(self) -> nn.Module:
        """One mixer, whose weights are drawn from the global generator as it stands."""
        return self.mixer(self.dim, self.length, **self.options)

    def build(self, dim: int | None = None, length: int | None = None, **changes: Any) -> nn.Module:
        """One mixer; the same call gives the same weights."""
        with seeded_globally(0, "weights"):
            return self.mixer(dim or self.dim, length or self.length, **{**self.options, **changes})

    def randomised(self, seed: int = 0) -> nn.Module:
        """Of type `dtype`, with every parameter drawn anew, in eval() mode."""
        return randomise(self.build().to(self.dtype).eval(), torch.Generator().manual_seed(seed))

    def input(self, batch: int = 3, scale: float = 1.0, dtype: torch.dtype | None = None) -> Tensor:
        """Normal numbers `(batch, length, dim)`."""
        generator = torch.Generator().manual_seed(1)
        return scale * torch.randn(batch, self.length, self.dim, generator=generator, dtype=dtype or self.dtype)
