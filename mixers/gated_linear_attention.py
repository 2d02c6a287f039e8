"""Gated linear attention. Yang et al., 2023 (arXiv 2312.06635), section 4."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import decayed_products, head_width, rms_norm


class GatedLinearAttention(nn.Module):
    """Linear attention whose channels forget at rates that the token sets, with an output gate (Yang et al., 2023).

    Keys are half as wide as the model, and each of their channels keeps sigmoid(.)^(1/16) of its state a token.
    Computed in a parallel form that never divides by a decay, in place of the paper's chunks. Differs from the paper:
    heads are normalised by their root mean square, as in the authors' code. Starts as the authors' layer does (fla).
    Cost a token: 4 D^2 + 24 D + 1.5 T D multiply-adds, 4 D^2 + 24.5 D parameters; state D^2 / (2 H) numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide D / 2.
        gate_rank: width of the bottleneck from which the forget gates come.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        gate_rank: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        super().__init__()
        keys = dim // 2
        head_width(keys, heads, "half the width,")
        self.heads, self.widths = heads, (keys, keys, dim, dim)
        self.projections = nn.Linear(dim, sum(self.widths), bias=False)
        self.forget = nn.Sequential(nn.Linear(dim, gate_rank, bias=False), nn.Linear(gate_rank, keys))
        self.scale = nn.Parameter(torch.ones(dim // heads))
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        return self.mix(x, self.mixing_weights(x))

    def mixing_weights(self, x: Tensor) -> Tensor:
        """What each head takes of each earlier token, before it is normalised: `(B, H, T, T)`."""
        query, key, _, _ = self._project(x)
        log_decay = self._by_head(F.logsigmoid(self.forget(x)) / 16)
        return (
            decayed_products(self._by_head(query), self._by_head(key), log_decay)
            * (key.shape[-1] // self.heads) ** -0.5
        )

    def mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix `(B, T, D)` by these weights instead of its own."""
        _, _, value, gate = self._project(x)
        mixed = rms_norm(weights @ self._by_head(value), self.scale)
        return self.output(rearrange(mixed, "b h t d -> b t (h d)") * F.silu(gate))

    def _project(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.projections(x).split(self.widths, dim=-1)

    def _by_head(self, x: Tensor) -> Tensor:
        return rearrange(x, "b t (h d) -> b h t d", h=self.heads)
