"""Mamba's selective state space. Gu and Dao, "Mamba", 2023 (arXiv 2312.00752), sections 3.2 to 3.4."""

import math
from typing import Annotated

import torch
from einops import einsum
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import ShortConvolution, initial_step, scan


class Mamba(nn.Module):
    """Selective state space: a diagonal recurrence whose step size and gates the token sets (Gu and Dao, 2023).

    The authors' block: expansion, short convolution with SiLU, state space, SiLU gate, projection. Chunks of 32
    tokens advance side by side, in place of the authors' fused scan. Starts as in the authors' code
    (state-spaces/mamba). Cost a token: 3 E D^2 + E D (K + 2 R + 4 N)
    multiply-adds with E = `expansion`, K = `kernel`, N = `state_size` and R = D / 16, of which benchbed counts the
    matrix products; state E D N numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        expansion: width of the state space as a multiple of D.
        state_size: N, numbers of state a channel.
        kernel: tokens that the short convolution sees.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        expansion: Annotated[int, Field(ge=1)] = 2,
        state_size: Annotated[int, Field(ge=1)] = 16,
        kernel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        super().__init__()
        inner, rank = expansion * dim, math.ceil(dim / 16)
        self.widths = (rank, state_size, state_size)
        self.inward = nn.Linear(dim, 2 * inner, bias=False)
        self.convolution = ShortConvolution(inner, kernel, bias=True)
        self.select = nn.Linear(inner, sum(self.widths), bias=False)
        self.step = nn.Linear(rank, inner)
        nn.init.uniform_(self.step.weight, -(rank**-0.5), rank**-0.5)
        with torch.no_grad():
            self.step.bias.copy_(initial_step(inner))
        self.log_rate = nn.Parameter(torch.arange(1.0, state_size + 1).log().repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        x, gate = self.inward(x).chunk(2, dim=-1)
        x = F.silu(self.convolution(x))
        step, write, read = self.select(x).split(self.widths, dim=-1)
        step = F.softplus(self.step(step))
        decay = (step[..., None] * -self.log_rate.exp()).exp()  # (B, T, E D, N)
        states = scan(decay, (step * x)[..., None] * write[..., None, :])
        mixed = einsum(states, read, "b t d n, b t n -> b t d") + x * self.skip
        return self.output(mixed * F.silu(gate))
