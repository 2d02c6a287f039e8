"""The spatial gating unit of gMLP. Liu et al., "Pay Attention to MLPs", 2021 (arXiv 2105.08050), section 2.1."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F


class Gmlp(nn.Module):
    """Gate of half the channels by a learned causal mix of the other half over tokens (Liu et al., 2021).

    The paper's block around it: expansion with GELU before, projection after. Differs from the paper: causal; the
    backbone has a channel MLP of its own, so the block is narrower by default (the paper has 6 D). The mixing matrix
    starts near zero and its bias at one, as the paper wants them; how near, and the rest, as in timm. Cost a token:
    1.5 E D^2 + 0.5 E T D multiply-adds with E = `expansion`, about 1.5 E D^2 + T^2 parameters.

    Args:
        dim: width D.
        length: tokens T.
        expansion: width of the block, both halves, as a multiple of D; even.
    """

    causal: Tensor

    def __init__(self, dim: int, length: int, *, expansion: Annotated[int, Field(ge=2, multiple_of=2)] = 2) -> None:
        super().__init__()
        half = expansion * dim // 2
        self.inward = nn.Linear(dim, 2 * half)
        self.norm = nn.LayerNorm(half)
        self.matrix = nn.Parameter(1e-6 * torch.randn(length, length))
        self.bias = nn.Parameter(torch.ones(length))
        self.outward = nn.Linear(half, dim)
        for layer in (self.inward, self.outward):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)
        self.register_buffer("causal", torch.ones(length, length).tril(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        kept, gating = F.gelu(self.inward(x)).chunk(2, dim=-1)
        gate = (self.matrix * self.causal) @ self.norm(gating) + self.bias[:, None]
        return self.outward(kept * gate)
