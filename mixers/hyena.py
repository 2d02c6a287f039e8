"""The Hyena operator. Poli et al., "Hyena Hierarchy", 2023 (arXiv 2302.10866), section 3."""

import math
from itertools import pairwise
from typing import Annotated

import torch
from einops import einsum
from pydantic import Field
from torch import Tensor, nn

from ._recurrence import ShortConvolution


class Hyena(nn.Module):
    """Convolutions as long as the sequence between gates, their filters made by a network (Poli et al., 2023).

    As in the authors' code: order N has N streams of gates and N - 1 long convolutions, short convolutions of three
    tokens before, and filters from a sine network over positional features, under an exponential window. Computed
    with Toeplitz matrices in place of the FFT: at these lengths it costs less and is causal to the last bit. Starts
    as in the authors' code for this width (HazyResearch/safari, synthetics/associative_recall): sines of frequency 10
    and two bands of positions. Cost a token: (N + 2) D^2 + (N - 1) T D multiply-adds and the filters' network once a
    sequence, about (N + 2) D^2 + 64 N D parameters.

    Args:
        dim: width D.
        length: tokens T.
        order: N.
        filter_width: width of the filters' network.
    """

    features: Tensor
    window: Tensor
    distance: Tensor
    causal: Tensor

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        order: Annotated[int, Field(ge=2)] = 2,
        filter_width: Annotated[int, Field(ge=1)] = 64,
    ) -> None:
        super().__init__()
        self.order = order
        self.inward = nn.Linear(dim, (order + 1) * dim)
        self.convolution = ShortConvolution((order + 1) * dim, 3, bias=True)
        widths = (5, filter_width, filter_width, filter_width)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.frequency = nn.Parameter(torch.full((filter_width,), 10.0))
        self.filters = nn.Linear(filter_width, (order - 1) * dim, bias=False)
        self.skip = nn.Parameter(torch.randn(order - 1, dim))
        self.outward = nn.Linear(dim, dim)
        token = torch.arange(length)
        time, angle = token / max(length - 1, 1), 2 * math.pi * token / length
        slow, fast = 1e-4 * angle, angle  # the authors' bands, of which the first begins at 1e-4
        features = torch.stack((time, slow.cos(), fast.cos(), -slow.sin(), -fast.sin()), dim=-1)
        # A hundredth of a channel's filter is left after 0.3 to 1.5 of the sequence.
        rates = torch.linspace(math.log(100) / 1.5, math.log(100) / 0.3, dim)
        distance = token[:, None] - token
        self.register_buffer("features", features, persistent=False)  # (T, 5)
        self.register_buffer("window", torch.exp(-time[:, None] * rates), persistent=False)  # (T, D)
        self.register_buffer("distance", distance.clamp_min(0), persistent=False)  # (T, T)
        self.register_buffer("causal", distance >= 0, persistent=False)  # (T, T)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        last, *gates, value = self.convolution(self.inward(x)).chunk(self.order + 1, dim=-1)
        for gate, taps, skip in zip(reversed(gates), self._filters(), self.skip, strict=True):
            value = value * gate
            toeplitz = taps[self.distance] * self.causal[..., None]
            value = einsum(toeplitz, value, "t s d, b s d -> b t d") + skip * value
        return self.outward(value * last)

    def _filters(self) -> list[Tensor]:
        """The taps of each long convolution, `(T, D)`; the first is the token's own."""
        hidden = self.features
        for layer in self.layers:
            hidden = (self.frequency * layer(hidden)).sin()
        return [taps * self.window for taps in self.filters(hidden).chunk(self.order - 1, dim=-1)]
