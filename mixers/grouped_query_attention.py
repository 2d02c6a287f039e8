"""Grouped-query attention. Ainslie et al., "GQA", 2023 (arXiv 2305.13245)."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from benchbed.contracts import OptionError


class GroupedQueryAttention(nn.Module):
    """Causal softmax attention whose heads share keys and values in groups (Ainslie et al., 2023).

    Differs from the paper: trained from scratch instead of pooled from a multi-head checkpoint; no biases. Starts as
    `multi_head_attention` does, with the variance 1 / D of the authors' code (flaxformer), so that shared keys and
    values are all that differs. Cost a token: (2 + 2 G/H) D^2 + 2 T D multiply-adds, (2 + 2 G/H) D^2 parameters.

    Args:
        dim: width D.
        length: tokens T.
        heads: query heads H; must divide D.
        groups: key and value heads G; must divide H. G = H is multi-head, G = 1 multi-query attention.
    """

    score_bias: Tensor

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 8,
        groups: Annotated[int, Field(ge=1)] = 2,
    ) -> None:
        super().__init__()
        if dim % heads or heads % groups:
            raise OptionError(
                f"expected heads to divide the width {dim} and groups to divide heads, "
                f"found heads={heads} and groups={groups}"
            )
        self.groups = groups
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * groups * (dim // heads), bias=False)
        self.output = nn.Linear(dim, dim, bias=False)
        for layer in (self.query, self.key_value, self.output):
            nn.init.uniform_(layer.weight, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)
        self.head_dim = dim // heads
        self.register_buffer("score_bias", torch.full((length, length), -torch.inf).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        query, key, value = self._project(x)
        return self._mix(self._weights(query, key), value)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """Attention weights `(B, H, T, T)`; the heads of a group stand together."""
        query, key, _ = self._project(x)
        return rearrange(self._weights(query, key), "b g share t s -> b (g share) t s")

    def mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix `(B, T, D)` by these weights instead of its own."""
        return self._mix(rearrange(weights, "b (g share) t s -> b g share t s", g=self.groups), self._project(x)[2])

    def _mix(self, weights: Tensor, value: Tensor) -> Tensor:
        return self.output(rearrange(weights @ value, "b g share t d -> b t (g share d)"))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries `(B, G, H/G, T, d)`; keys and values `(B, G, 1, T, d)`, shared by the heads of a group."""
        query = rearrange(self.query(x), "b t (g share d) -> b g share t d", g=self.groups, d=self.head_dim)
        key, value = rearrange(self.key_value(x), "b t (two g d) -> two b g 1 t d", two=2, g=self.groups)
        return query, key, value

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        scores = query @ key.transpose(-1, -2) * self.head_dim**-0.5
        return (scores + self.score_bias).softmax(dim=-1)
