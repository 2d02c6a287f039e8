"""The time mixing of RWKV-7. Peng et al., "RWKV-7 Goose", 2025 (arXiv 2503.14456), section 4."""

import math
from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import decayed_products, head_width, solve_chain, unit


class Rwkv7(nn.Module):
    """Generalised delta rule: what is erased, how much, and what is forgotten are the token's (Peng et al., 2025).

    S_t = S_{t-1} (diag(w_t) - e_t (a_t e_t)^T) + v_t k_t^T with unit erase keys e, rates a in (0, 1), decays w
    between e^(-e^-0.5) = 0.55 and 1, token shift before every projection, a bonus for the token itself, and an output
    gate. Computed as one triangular system over the whole sequence. Differs from the paper: all four bottlenecks have
    one rank; the first layer's values are not mixed into later layers', since a mixer knows no other layer. Starts as
    the first layer of the authors' code does (BlinkDL/RWKV-LM), with an output of zero. Cost a token: 4 D^2 + 6 R D +
    4 T D multiply-adds with R = `rank`, 4 D^2 + (6 R + 13) D parameters; state D^2 / H numbers.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide D.
        rank: width R of the bottlenecks from which decay, rate and output gate come.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        rank: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        super().__init__()
        width = head_width(dim, heads)
        self.heads = heads
        channel = torch.arange(dim)
        powers = torch.tensor([0.2, 0.9, 0.7, 0.7, 0.9, 0.2])[:, None]  # of r, w, k, v, a, g
        self.shifts = nn.Parameter(1 - (channel / dim) ** powers)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.decay = nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Tanh(), nn.Linear(rank, dim))
        self.rate = nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim))
        self.gate = nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Sigmoid(), nn.Linear(rank, dim, bias=False))
        across = channel / max(dim - 1, 1)
        within = 2 * (channel % width) / max(width - 1, 1) - 1
        zigzag, linear = within * within.abs(), across - 0.5
        self.erase_scale = nn.Parameter(0.71 - 0.1 * linear)
        self.key_scale = nn.Parameter(torch.full((dim,), 1.02))
        self.bonus = nn.Parameter(torch.full((heads, width), -0.04))
        self.norm = nn.GroupNorm(heads, dim, eps=64e-5)
        self.output = nn.Linear(dim, dim, bias=False)
        self._start(-5.5 + 6 * across + 2.5 * zigzag, -0.19 + 0.3 * zigzag + 0.4 * linear)

    @torch.no_grad()
    def _start(self, decay: Tensor, rate: Tensor) -> None:
        """Put the published numbers into the layers; the biases of decay and rate are `(D,)`."""
        dim = len(decay)
        for layer, size in ((self.receptance, 0.5), (self.key, 0.05), (self.value, 0.5)):
            nn.init.uniform_(layer.weight, -size * dim**-0.5, size * dim**-0.5)
        nn.init.zeros_(self.output.weight)
        for bottleneck, bias in ((self.decay, decay), (self.rate, rate), (self.gate, None)):
            inward, outward = (layer for layer in bottleneck if isinstance(layer, nn.Linear))
            nn.init.zeros_(inward.weight)
            nn.init.orthogonal_(outward.weight, gain=0.1 * max(1, outward.in_features / dim) ** 0.5)
            if bias is not None:
                outward.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        before = F.pad(x[:, :-1], (0, 0, 1, 0))
        r, w, k, v, a, g = ((x + (before - x) * shift) for shift in self.shifts)
        receptance, key, value = self.receptance(r), self.key(k), self.value(v)
        rate = self.rate(a).sigmoid()
        log_decay = -math.exp(-0.5) * self.decay(w).sigmoid()
        erase = unit(self._by_head(key * self.erase_scale))
        key = self._by_head(key * (1 + (rate - 1) * self.key_scale))
        receptance, value, rate, log_decay = map(self._by_head, (receptance, value, rate, log_decay))
        # The state is erased before it decays at t, so that the readers there see one decay less; it is above 0.55.
        readers = torch.stack((receptance, -erase * (-log_decay).exp()))
        (read, met), (read_new, met_new) = decayed_products(
            readers, torch.stack((rate * erase, key))[:, None], log_decay, block=16
        )
        erased = solve_chain(met, met_new.tril(-1) @ value)
        mixed = read @ erased + read_new @ value
        bonus = (receptance * key * self.bonus[:, None]).sum(-1, keepdim=True) * value
        normed = self.norm(rearrange(mixed, "b h t d -> (b t) (h d)"))
        mixed = rearrange(normed, "(b t) d -> b t d", b=len(x)) + rearrange(bonus, "b h t d -> b t (h d)")
        return self.output(mixed * self.gate(g))

    def _by_head(self, x: Tensor) -> Tensor:
        return rearrange(x, "b t (h d) -> b h t d", h=self.heads)
