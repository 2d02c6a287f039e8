"""Mamba-2. Dao and Gu, "Transformers are SSMs", 2024 (arXiv 2405.21060), sections 6 and 7."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import ShortConvolution, decay_between, head_width, initial_decay, initial_step, rms_norm


class Mamba2(nn.Module):
    """State space whose heads forget at one rate each, in the dual form of masked attention (Dao and Gu, 2024).

    The authors' block: one projection, short convolution with SiLU, state space with the reads and writes shared by
    all heads, SiLU gate, norm, projection. Computed in the quadratic dual form, the paper's chunk form with a single
    chunk. Differs from the paper: heads are set by their number and not by their width of 64. Starts as in the
    authors' code (state-spaces/mamba). Cost a token: 3 E D^2 + 2 N D + (E D + N) T multiply-adds with E = `expansion`
    and N = `state_size`, about 3 E D^2 + 2 N D parameters; state E D N numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide E D.
        expansion: width of the state space as a multiple of D.
        state_size: N, width of reads and writes.
        kernel: tokens that the short convolution sees.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        expansion: Annotated[int, Field(ge=1)] = 2,
        state_size: Annotated[int, Field(ge=1)] = 64,
        kernel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        super().__init__()
        inner = expansion * dim
        head_width(inner, heads, "the inner width")
        self.heads = heads
        self.widths = (inner, inner + 2 * state_size, heads)
        self.parts = (inner, state_size, state_size)
        self.inward = nn.Linear(dim, sum(self.widths), bias=False)
        self.convolution = ShortConvolution(sum(self.parts), kernel, bias=True)
        self.step_bias = nn.Parameter(initial_step(heads))
        self.log_rate = nn.Parameter(initial_decay(heads))
        self.skip = nn.Parameter(torch.ones(heads))
        self.scale = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        gate, streams, step = self.inward(x).split(self.widths, dim=-1)
        value, write, read = F.silu(self.convolution(streams)).split(self.parts, dim=-1)
        value = rearrange(value, "b t (h d) -> b h t d", h=self.heads)
        step = F.softplus(step + self.step_bias).transpose(1, 2)  # (B, H, T)
        kept = decay_between(-self.log_rate.exp()[:, None] * step)
        weights = kept * (read @ write.transpose(-1, -2))[:, None] * step[..., None, :]
        mixed = weights @ value + value * self.skip[:, None, None]
        mixed = rearrange(mixed, "b h t d -> b t (h d)") * F.silu(gate)
        return self.output(rms_norm(mixed, self.scale))
