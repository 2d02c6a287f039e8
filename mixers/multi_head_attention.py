"""Multi-head self-attention. Vaswani et al., "Attention Is All You Need", 2017 (arXiv 1706.03762), section 3.2.2."""

from typing import Annotated, Literal

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from benchbed.contracts import OptionError

from ._rotary import rotary_angles, rotate


class MultiHeadAttention(nn.Module):
    """Causal softmax attention with several heads (Vaswani et al., 2017).

    Differs from the paper: no biases and no dropout. The softmax is written out instead of calling PyTorch's
    fused attention: at these lengths it is as fast, and the fused kernel has no batching rule for `vmap` on CPU.
    Cost a token: 4 D^2 + 2 T D multiply-adds, 4 D^2 parameters.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
        positions: what the heads know of positions beyond what x carries (benchbed's backbone adds learned
            positions to the embedding). `rope` turns queries and keys by angles that grow with position (Su et al.,
            2021, arXiv 2104.09864); `alibi` takes a slope times the distance from the scores (Press et al., 2022,
            arXiv 2108.12409; slopes 2^(-8 h / H) for head h, also where H is no power of two).
    """

    score_bias: Tensor
    angles: Tensor
    distances: Tensor

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 8,
        positions: Literal["none", "rope", "alibi"] = "none",
    ) -> None:
        super().__init__()
        if dim % heads:
            raise OptionError(f"expected heads to divide the width {dim}, found heads={heads}")
        self.heads, self.positions = heads, positions
        if positions == "rope":
            self.register_buffer("angles", rotary_angles(length, dim // heads), persistent=False)  # (T, d/2)
        elif positions == "alibi":
            token = torch.arange(length)
            slopes = 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)
            distances = slopes[:, None, None] * (token[:, None] - token)
            self.register_buffer("distances", distances, persistent=False)  # (H, T, T)
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)
        for layer in (self.query_key_value, self.output):
            nn.init.uniform_(layer.weight, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)
        self.register_buffer("score_bias", torch.full((length, length), -torch.inf).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        query, key, value = self._project(x)
        return self._mix(self._weights(query, key), value)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """Attention weights `(B, H, T, T)`."""
        query, key, _ = self._project(x)
        return self._weights(query, key)

    def mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix `(B, T, D)` by these weights instead of its own."""
        return self._mix(weights, self._project(x)[2])

    def _mix(self, weights: Tensor, value: Tensor) -> Tensor:
        return self.output(rearrange(weights @ value, "b h t d -> b t (h d)"))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = rearrange(
            self.query_key_value(x), "b t (three h d) -> three b h t d", three=3, h=self.heads
        )
        if self.positions == "rope":
            query, key = rotate(query, self.angles), rotate(key, self.angles)
        return query, key, value

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if self.positions == "alibi":
            scores = scores - self.distances
        return (scores + self.score_bias).softmax(dim=-1)
