"""The two cells of xLSTM. Beck et al., "xLSTM", 2024 (arXiv 2405.04517), and "xLSTM 7B", 2025 (arXiv 2503.13427)."""

from typing import Annotated, Literal

import torch
from einops import einsum, rearrange
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ._recurrence import head_width


class Xlstm(nn.Module):
    """Extended LSTM: matrix memory with exponential gates, or scalar memory with memory mixing (Beck et al., 2024).

    `mlstm` is the layer of xLSTM 7B in its parallel form: keys half as wide as the model, input and forget gates
    capped at 15, output gate. `slstm` is the sLSTM of the first paper, whose recurrent weights make it a loop over
    tokens: correct everywhere, and slow on a GPU. Differs from the papers: no short convolution in `slstm`, which has
    the output projection of `mlstm`. Starts as in the authors' code for a model of one block (NX-AI/xlstm). Cost a
    token: `mlstm` 4 D^2 + 1.5 T D multiply-adds, 4 D^2 parameters, state D^2 / (2 H) numbers; `slstm` 5 D^2 + 4 D^2 /
    H multiply-adds and parameters, state 4 D.

    Args:
        dim: width D.
        length: tokens T; the recurrence does not depend on it.
        heads: H; must divide D, for `mlstm` D / 2.
        cell: the memory.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        cell: Literal["mlstm", "slstm"] = "mlstm",
    ) -> None:
        super().__init__()
        self.cell = _MatrixMemory(dim, heads) if cell == "mlstm" else _ScalarMemory(dim, heads)
        self.scale = nn.Parameter(torch.ones(dim))
        self.output = nn.Linear(dim, dim, bias=False)
        nn.init.normal_(self.cell.projections.weight, std=(2 / (5 * dim)) ** 0.5)
        nn.init.normal_(self.output.weight, std=2 * dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        hidden, gate = self.cell(x)  # (B, T, H, D / H), (B, T, D)
        normed = F.layer_norm(hidden, hidden.shape[-1:], eps=1e-6).flatten(-2) * self.scale
        return self.output(normed * gate)


class _MatrixMemory(nn.Module):
    """C_t = f_t C_{t-1} + i_t v_t k_t^T, read as C q / max(|n q|, 1) with n_t = f_t n_{t-1} + i_t k_t."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        head_width(dim // 2, heads, "half the width,")
        self.heads = heads
        self.widths = (dim // 2, dim // 2, dim, dim)
        self.projections = nn.Linear(dim, sum(self.widths), bias=False)
        self.gates = nn.Linear(dim, 2 * heads)
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias.copy_(torch.cat((0.1 * torch.randn(heads), torch.linspace(3, 6, heads))))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        query, key, value, out = self.projections(x).split(self.widths, dim=-1)
        query, key, value = (rearrange(t, "b t (h d) -> b h t d", h=self.heads) for t in (query, key, value))
        enter, forget = rearrange(15 * (self.gates(x) / 15).tanh(), "b t (two h) -> two b h t", two=2)
        total = F.logsigmoid(forget).cumsum(-1)
        log_weights = total[..., :, None] - total[..., None, :] + enter[..., None, :]
        later = torch.ones(log_weights.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        log_weights = log_weights.masked_fill(later, -torch.inf)
        largest = log_weights.amax(-1, keepdim=True)
        weights = query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5 * (log_weights - largest).exp()
        size = torch.maximum(weights.sum(-1, keepdim=True).abs(), (-largest).exp())
        return rearrange(weights @ value / (size + 1e-6), "b h t d -> b t h d"), out.sigmoid()


class _ScalarMemory(nn.Module):
    """c_t = f_t c_{t-1} + i_t z_t, read as o_t c_t / n_t; all four gates also see the head's own last output."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        width = head_width(dim, heads)
        self.heads = heads
        self.projections = nn.Linear(dim, 4 * dim)
        with torch.no_grad():
            biases = self.projections.bias.view(4, heads, width)
            biases.zero_()[1] = 5 - 12 * torch.linspace(0, 1, width) ** 0.3
        self.recurrent = nn.Parameter(torch.zeros(4, heads, width, width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        driven = rearrange(self.projections(x), "b t (four h d) -> t four b h d", four=4, h=self.heads)
        cell = normaliser = hidden = torch.zeros_like(driven[0, 0])
        largest = torch.full_like(cell, -torch.inf)
        outputs = []
        for drive in driven:
            mixed = drive + einsum(hidden, self.recurrent, "b h d, four h d e -> four b h e")
            enter, forget, new, out = mixed
            forget = F.logsigmoid(forget) + largest
            largest = torch.maximum(forget, enter)
            kept, entering = (forget - largest).exp(), (enter - largest).exp()
            cell = kept * cell + entering * new.tanh()
            normaliser = kept * normaliser + entering
            hidden = out.sigmoid() * cell / normaliser
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), torch.ones_like(x)
