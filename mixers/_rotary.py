"""Rotary positions. Su et al., "RoFormer", 2021 (arXiv 2104.09864), equation 34, base 10,000.

The pairs of channels are (i, i + d/2), as in GPT-NeoX and Llama, where the paper pairs neighbours.
"""

import math

import torch
from torch import Tensor

from benchbed.contracts import OptionError


def rotary_angles(length: int, width: int) -> Tensor:
    """The angle of every token and pair of a head of this width, `(T, width / 2)`."""
    if width % 2:
        raise OptionError(f"expected an even width of each head for rotary positions, found {width}")
    pairs = width // 2
    return torch.arange(length)[:, None] * torch.exp(-math.log(10_000) * torch.arange(pairs) / pairs)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn the pairs of channels of `(..., T, width)` by `angles: (T, width / 2)`."""
    first, second = x.chunk(2, dim=-1)
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)
