"""Kimi Delta Attention. Kimi Team, "Kimi Linear", 2025 (arXiv 2510.26692), section 3."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import (
    ShortConvolution,
    decayed_products,
    head_width,
    initial_decay,
    initial_step,
    rms_norm,
    solve_chain,
    unit,
)


class KimiDeltaAttention(nn.Module):
    """Gated DeltaNet with a forget gate for every channel of the keys (Kimi Team, 2025).

    S_t = S_{t-1} diag(alpha_t) (I - beta_t k_t k_t^T) + beta_t v_t k_t^T, and an output gated by a sigmoid; both
    gates come from bottlenecks as wide as a head. Computed as one triangular system over the whole sequence, in a
    form that never divides by a decay, in place of the paper's chunks. Starts as the authors' layer does
    (fla). Cost a token: 4 D^2 + 4 D^2 / H + 3 K D + 2.5 T D multiply-adds with K = `kernel`, about as
    many parameters less the T D; state D^2 / H numbers.

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
        width = head_width(dim, heads)
        self.heads, self.strength = heads, 2 if negative_eigenvalues else 1
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.convolution = ShortConvolution(3 * dim, kernel)
        self.beta = nn.Linear(dim, heads, bias=False)
        self.forget = nn.Sequential(nn.Linear(dim, width, bias=False), nn.Linear(width, dim, bias=False))
        self.gate = nn.Sequential(nn.Linear(dim, width, bias=False), nn.Linear(width, dim, bias=False))
        self.log_rate = nn.Parameter(initial_decay(heads))
        self.step_bias = nn.Parameter(initial_step(dim))
        self.scale = nn.Parameter(torch.ones(width))
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        streams = F.silu(self.convolution(self.query_key_value(x)))
        query, key, value = rearrange(streams, "b t (three h d) -> three b h t d", three=3, h=self.heads)
        query, key = unit(query), unit(key)
        beta = self.strength * self.beta(x).sigmoid().transpose(1, 2)[..., None]
        step = rearrange(F.softplus(self.forget(x) + self.step_bias), "b t (h d) -> b h t d", h=self.heads)
        log_decay = -self.log_rate.exp()[:, None, None] * step
        read, met = decayed_products(torch.stack((query, key)), key, log_decay)
        mixed = read @ solve_chain(-beta * met, beta * value) * key.shape[-1] ** -0.5
        return self.output(rearrange(rms_norm(mixed, self.scale), "b h t d -> b t (h d)") * self.gate(x).sigmoid())
