"""Token mixing by a two-layer perceptron. Tolstikhin et al., "MLP-Mixer", 2021 (arXiv 2105.01601), equation 1."""

from typing import Annotated

import torch
from einops import einsum
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F


class MlpMixer(nn.Module):
    """Two-layer token-mixing perceptron, made causal by block-triangular weights (Tolstikhin et al., 2021).

    The hidden units are split into T blocks of `expansion` units: block j sees tokens 0..j, and output t sees blocks
    0..t. As in the paper, the same perceptron is applied to every channel. Differs from the paper: causal; the hidden
    width is `expansion` x T, where the paper has a free width D_S. The channel perceptron of the paper's block is the
    backbone's. Starts as in the authors' code (google-research/vision_transformer, flax's defaults): variance 1 /
    inputs, masked ones counted, no biases. Cost a token: 2 `expansion` T D multiply-adds (half of them with weights
    that are always zero), 2 `expansion` T^2 parameters and biases.

    Args:
        dim: width D; the perceptron does not depend on it.
        length: tokens T.
        expansion: hidden units a token.
    """

    inward_mask: Tensor
    outward_mask: Tensor

    def __init__(self, dim: int, length: int, *, expansion: Annotated[int, Field(ge=1)] = 4) -> None:
        super().__init__()
        hidden = expansion * length
        self.inward = nn.Linear(length, hidden)
        self.outward = nn.Linear(hidden, length)
        for layer in (self.inward, self.outward):
            deviation = layer.in_features**-0.5 / 0.87962566  # what is left of a normal one cut off at two is smaller
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
            nn.init.zeros_(layer.bias)
        block = torch.arange(hidden) // expansion
        token = torch.arange(length)
        self.register_buffer("inward_mask", token <= block[:, None], persistent=False)  # (hidden, T)
        self.register_buffer("outward_mask", block <= token[:, None], persistent=False)  # (T, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        hidden = einsum(self.inward.weight * self.inward_mask, x, "hidden t, b t d -> b hidden d")
        hidden = F.gelu(hidden + self.inward.bias[:, None])
        mixed = einsum(self.outward.weight * self.outward_mask, hidden, "t hidden, b hidden d -> b t d")
        return mixed + self.outward.bias[:, None]
