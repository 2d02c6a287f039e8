"""The real-gated linear recurrent unit. De et al., "Griffin", 2024 (arXiv 2402.19427), section 2.4."""

from typing import Annotated

import torch
from einops import einsum, rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import ShortConvolution, head_width, scan


class LinearRnn(nn.Module):
    """Diagonal linear recurrence with gates on input and decay, the RG-LRU (De et al., 2024).

    Griffin's recurrent block: a branch with short convolution and recurrence h_t = a_t h_{t-1} + sqrt(1 - a_t^2)
    i_t x_t, times a GELU branch. The first token enters unscaled, as in the authors' code. Chunks of 32 tokens
    advance side by side. Differs from the paper: the recurrence is as wide as the model (the paper has 4/3). Starts
    as in the authors' code (google-deepmind/recurrentgemma). Cost a token: 3 D^2 + 2 D^2 / H + K D multiply-adds
    with K = `kernel`, about as many parameters; state D numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: blocks H of the gates' weights; must divide D.
        kernel: tokens that the short convolution sees.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        kernel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        super().__init__()
        width = head_width(dim, heads)
        self.heads = heads
        self.inward = nn.Linear(dim, 2 * dim)
        self.convolution = ShortConvolution(dim, kernel, bias=True)
        self.gate_weight = nn.Parameter(torch.randn(2, heads, width, width) * width**-0.5)
        self.gate_bias = nn.Parameter(torch.zeros(2, dim))
        squared = torch.empty(dim).uniform_(0.9**2, 0.999**2)  # of the eighth root of a with the gate wide open
        self.rate = nn.Parameter(torch.expm1(-squared.log() / 2).log())
        self.output = nn.Linear(dim, dim)
        for layer in (self.inward, self.output):
            nn.init.normal_(layer.weight, std=dim**-0.5)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.convolution.weight, std=0.1 * kernel**-0.5)
        nn.init.zeros_(self.convolution.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        x, gate = self.inward(x).chunk(2, dim=-1)
        x = self.convolution(x)
        by_head = rearrange(x, "b t (h d) -> b t h d", h=self.heads)
        gates = einsum(by_head, self.gate_weight, "b t h d, two h d e -> two b t h e").flatten(-2)
        let_in, let_go = (gates + self.gate_bias[:, None, None]).sigmoid()
        log_decay = -8 * let_go * F.softplus(self.rate)
        size = (-torch.expm1(2 * log_decay[:, 1:])).clamp_min(1e-12).sqrt()
        entering = torch.cat((x[:, :1] * let_in[:, :1], x[:, 1:] * let_in[:, 1:] * size), dim=1)
        return self.output(scan(log_decay.exp(), entering) * F.gelu(gate, approximate="tanh"))
