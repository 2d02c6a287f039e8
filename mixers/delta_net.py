"""DeltaNet. Yang et al., "Parallelizing Linear Transformers with the Delta Rule", 2024 (arXiv 2406.06484)."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import ShortConvolution, head_width, rms_norm, solve_chain, unit


class DeltaNet(nn.Module):
    """Linear attention that overwrites what a key held before instead of adding to it (Yang et al., 2024).

    S_t = S_{t-1} (I - beta_t k_t k_t^T) + beta_t v_t k_t^T with a gate beta in (0, 1), short convolutions with SiLU
    over queries, keys and values, and unit queries and keys. Computed as one triangular system over the whole
    sequence, which is the paper's chunk form with a single chunk. Starts as the authors'
    layer does (fla). Cost a token: 4 D^2 + 3 K D + 2.5 T D multiply-adds, 4 D^2 + (3 K + H) D parameters, with K =
    `kernel`; state D^2 / H numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide D.
        kernel: tokens that the short convolutions see.
        negative_eigenvalues: write twice as strongly, beta in (0, 2), so that a write can turn round what a key held
            (Grazzi et al., 2024, arXiv 2411.12537; `allow_neg_eigval` of fla). Without, no part of a state can flip.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        kernel: Annotated[int, Field(ge=1)] = 4,
        negative_eigenvalues: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.strength = heads, 2 if negative_eigenvalues else 1
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.convolution = ShortConvolution(3 * dim, kernel)
        self.beta = nn.Linear(dim, heads, bias=False)
        self.scale = nn.Parameter(torch.ones(head_width(dim, heads)))
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        streams = F.silu(self.convolution(self.query_key_value(x)))
        query, key, value = rearrange(streams, "b t (three h d) -> three b h t d", three=3, h=self.heads)
        query, key = unit(query), unit(key)
        beta = self.strength * self.beta(x).sigmoid().transpose(1, 2)[..., None]
        written = solve_chain(-beta * (key @ key.transpose(-1, -2)), beta * value)
        mixed = (query @ key.transpose(-1, -2)).tril() @ written * key.shape[-1] ** -0.5
        return self.output(rearrange(rms_norm(mixed, self.scale), "b h t d -> b t (h d)"))
