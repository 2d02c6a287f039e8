"""Sliding-window attention. Beltagy et al., "Longformer", 2020 (arXiv 2004.05150), section 3.1."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from .multi_head_attention import MultiHeadAttention


class SlidingWindowAttention(MultiHeadAttention):
    """Causal softmax attention to the last few tokens only (Beltagy et al., 2020).

    A parent further back than the window is out of reach of one layer; L layers reach L (window - 1) tokens back.
    Differs from the paper: causal, the same window in every layer, no dilation and no global tokens. Computed with
    a mask over all T^2 scores, which costs as `multi_head_attention` does at these lengths.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
        window: tokens that an output sees, its own included.
    """

    outside: Tensor

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 8,
        window: Annotated[int, Field(ge=1)] = 8,
    ) -> None:
        super().__init__(dim, length, heads=heads)
        too_far = torch.ones(length, length).tril(-window) > 0
        outside = torch.zeros(length, length).masked_fill(too_far, -torch.inf)
        self.register_buffer("outside", outside, persistent=False)  # (T, T)

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return (scores + self.score_bias + self.outside).softmax(dim=-1)
