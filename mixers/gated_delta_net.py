"""Gated DeltaNet. Yang, Kautz and Hatamizadeh, "Gated Delta Networks", 2024 (arXiv 2412.06464)."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import (
    ShortConvolution,
    decay_between,
    head_width,
    initial_decay,
    initial_step,
    rms_norm,
    solve_chain,
    unit,
)


class GatedDeltaNet(nn.Module):
    """DeltaNet whose heads also forget at a rate that the token sets, with an output gate (Yang et al., 2024).

    S_t = alpha_t S_{t-1} (I - beta_t k_t k_t^T) + beta_t v_t k_t^T, log alpha_t = -exp(A) softplus(w x_t + b) as in
    Mamba-2, and the output gated by SiLU. Computed as one triangular system over the whole sequence, the paper's
    chunk form with a single chunk. Starts as the authors' layer does (fla).
    Cost a token: (2 + 3 E) D^2 + (2 + E) K D + (1 + 1.5 E) T D multiply-adds with E = `value_expansion` and K =
    `kernel`, about (2 + 3 E) D^2 parameters; state E D^2 / H numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide D.
        value_expansion: width of the values as a multiple of D.
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
        value_expansion: Annotated[int, Field(ge=1)] = 2,
        kernel: Annotated[int, Field(ge=1)] = 4,
        negative_eigenvalues: bool = False,
    ) -> None:
        super().__init__()
        values = value_expansion * dim
        self.strength = 2 if negative_eigenvalues else 1
        self.heads, self.widths = heads, (dim, dim, values)
        self.query_key_value = nn.Linear(dim, sum(self.widths), bias=False)
        self.convolution = ShortConvolution(sum(self.widths), kernel)
        self.gate = nn.Linear(dim, values, bias=False)
        self.beta_step = nn.Linear(dim, 2 * heads, bias=False)
        self.log_rate = nn.Parameter(initial_decay(heads, slowest=0))
        self.step_bias = nn.Parameter(initial_step(heads))
        self.scale = nn.Parameter(torch.ones(value_expansion * head_width(dim, heads)))
        self.output = nn.Linear(values, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        streams = F.silu(self.convolution(self.query_key_value(x))).split(self.widths, dim=-1)
        query, key, value = (rearrange(stream, "b t (h d) -> b h t d", h=self.heads) for stream in streams)
        query, key = unit(query), unit(key)
        beta, step = rearrange(self.beta_step(x), "b t (two h) -> two b h t", two=2)
        beta = self.strength * beta.sigmoid()[..., None]
        kept = decay_between(-self.log_rate.exp()[:, None] * F.softplus(step + self.step_bias[:, None]))
        written = solve_chain(-beta * kept * (key @ key.transpose(-1, -2)), beta * value)
        mixed = kept * (query @ key.transpose(-1, -2)) @ written * key.shape[-1] ** -0.5
        return self.output(rearrange(rms_norm(mixed, self.scale), "b h t d -> b t (h d)") * F.silu(self.gate(x)))
