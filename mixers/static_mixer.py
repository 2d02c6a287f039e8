"""Learned static mixing matrices: attention whose weights do not depend on the input.

Tay et al., "Synthesizer: Rethinking Self-Attention", 2020 (arXiv 2005.00743): the random synthesizer, section 3.2.
"""

from typing import Annotated

import torch
from einops import einsum, rearrange
from pydantic import Field
from torch import Tensor, nn

from benchbed.contracts import OptionError


class StaticMixer(nn.Module):
    """One learned causal matrix a head, with value and output projections (after Tay et al., 2020).

    Differs from the paper's random synthesizer: no softmax over the matrix, so that weights may be negative and
    need not sum to one; causal. The matrix starts as nn.Linear would draw it; nobody
    has published a start of this form.
    Cost a token: 2 D^2 + T D multiply-adds, 2 D^2 + H T^2 parameters.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
    """

    causal: Tensor

    def __init__(self, dim: int, length: int, *, heads: Annotated[int, Field(ge=1)] = 8) -> None:
        super().__init__()
        if dim % heads:
            raise OptionError(f"expected heads to divide the width {dim}, found heads={heads}")
        self.heads = heads
        self.value = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)
        self.matrix = nn.Parameter(torch.empty(heads, length, length).uniform_(-1, 1) * length**-0.5)
        self.register_buffer("causal", torch.ones(length, length).tril(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        mixed = einsum(self.matrix * self.causal, self._value(x), "h t s, b h s d -> b h t d")
        return self._merge(mixed)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """The matrices, the same for every sequence: `(B, H, T, T)`."""
        return (self.matrix * self.causal).expand(len(x), -1, -1, -1)

    def mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix `(B, T, D)` by these weights instead of its own."""
        return self._merge(weights @ self._value(x))

    def _value(self, x: Tensor) -> Tensor:
        return rearrange(self.value(x), "b t (h d) -> b h t d", h=self.heads)

    def _merge(self, mixed: Tensor) -> Tensor:
        return self.output(rearrange(mixed, "b h t d -> b t (h d)"))
