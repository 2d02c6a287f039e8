"""Retention. Sun et al., "Retentive Network", 2023 (arXiv 2307.08621), sections 2.1 and 2.2."""

from typing import Annotated

import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import decay_between, head_width, rms_norm
from ._rotary import rotary_angles, rotate


class Retention(nn.Module):
    """Linear attention whose heads forget at fixed rates of their own, with a swish gate (Sun et al., 2023).

    Head h keeps 1 - 2^(-5 - h) of its state a token; queries and keys carry rotary positions. Computed in the paper's
    parallel form. Differs from the paper: heads are normalised by their root mean square without learned scale, as in
    the authors' later code, which makes the paper's other normalisations superfluous. Starts as in the authors' code
    (microsoft/torchscale). Cost a token: (2 + 3 E) D^2 + (1 + E) T D multiply-adds with E = `value_expansion`, (2 + 3
    E) D^2 parameters; state E D^2 / H numbers.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
        value_expansion: width of the values as a multiple of D.
    """

    angles: Tensor
    kept: Tensor

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        value_expansion: Annotated[int, Field(ge=1)] = 2,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query_key = nn.Linear(dim, 2 * dim, bias=False)
        self.value_gate = nn.Linear(dim, 2 * value_expansion * dim, bias=False)
        self.output = nn.Linear(value_expansion * dim, dim, bias=False)
        for part in (*self.query_key.weight.chunk(2), *self.value_gate.weight.chunk(2)):
            nn.init.xavier_uniform_(part, gain=2**-2.5)
        nn.init.xavier_uniform_(self.output.weight, gain=0.5)
        log_decay = torch.log1p(-(2.0 ** -(5.0 + torch.arange(heads))))
        self.register_buffer("angles", rotary_angles(length, head_width(dim, heads)), persistent=False)
        self.register_buffer("kept", decay_between(log_decay[:, None].expand(heads, length)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        value, gate = self._value_gate(x)
        return self._merge(self.mixing_weights(x) @ value, gate)

    def mixing_weights(self, x: Tensor) -> Tensor:
        """What each head takes of each earlier token, before it is normalised: `(B, H, T, T)`."""
        query, key = rearrange(self.query_key(x), "b t (two h d) -> two b h t d", two=2, h=self.heads)
        query, key = rotate(query, self.angles), rotate(key, self.angles)
        return query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5 * self.kept

    def mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Mix `(B, T, D)` by these weights instead of its own."""
        value, gate = self._value_gate(x)
        return self._merge(weights @ value, gate)

    def _value_gate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gate = self.value_gate(x).chunk(2, dim=-1)
        return rearrange(value, "b t (h d) -> b h t d", h=self.heads), gate

    def _merge(self, mixed: Tensor, gate: Tensor) -> Tensor:
        return self.output(rearrange(rms_norm(mixed), "b h t d -> b t (h d)") * F.silu(gate))
