"""The parallel forms that linear recurrences share; all exact, and none divides by a decay that may be tiny.

Shapes: `...` any leading axes, `T` tokens, `C` channels of a key, `V` channels of a value.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchbed.contracts import OptionError


class ShortConvolution(nn.Module):
    """Depthwise causal convolution over the last few tokens, `(B, T, C)` to `(B, T, C)`; starts as nn.Conv1d does.

    Args:
        channels: C.
        kernel: tokens that an output sees, its own included.
        bias: add one a channel.
    """

    def __init__(self, channels: int, kernel: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, kernel).uniform_(-1, 1) * kernel**-0.5)
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-1, 1) * kernel**-0.5) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; the last tap is the token's own."""
        length, kernel = x.shape[1], self.weight.shape[1]
        padded = F.pad(x, (0, 0, kernel - 1, 0))
        taps = (padded[:, tap : tap + length] * self.weight[:, tap] for tap in range(kernel))
        total = sum(taps, start=torch.zeros((), dtype=x.dtype, device=x.device))
        return total if self.bias is None else total + self.bias


def scan(decay: Tensor, drive: Tensor, chunk: int = 32) -> Tensor:
    """The states of h_t = decay_t h_{t-1} + drive_t with h_{-1} = 0, all `(B, T, ...)`.

    Chunks advance side by side, then their last states are carried over: `chunk` + T / `chunk` steps, not T.
    """
    length = drive.shape[1]
    chunk = min(chunk, length)
    missing = -length % chunk
    if missing:
        padding = (0, 0) * (drive.ndim - 2) + (0, missing)
        decay, drive = F.pad(decay, padding), F.pad(drive, padding)
    # Unbound at once: the gradient of picking one step at a time would fill a tensor of all steps for each.
    decays, drives = (t.unflatten(1, (-1, chunk)).unbind(2) for t in (decay, drive))  # each (B, chunks, ...)
    states = [drives[0]]
    for kept, entering in zip(decays[1:], drives[1:], strict=True):
        states.append(kept * states[-1] + entering)
    own = torch.stack(states, dim=2)
    if own.shape[1] > 1:
        left = [decays[0]]
        for kept in decays[1:]:
            left.append(kept * left[-1])
        carried = [torch.zeros_like(states[0][:, 0])]
        for kept, state in zip(left[-1].unbind(1)[:-1], states[-1].unbind(1)[:-1], strict=True):
            carried.append(kept * carried[-1] + state)
        own = own + torch.stack(left, dim=2) * torch.stack(carried, dim=1)[:, :, None]
    return own.flatten(1, 2)[:, :length]


def decay_between(log_decay: Tensor) -> Tensor:
    """What is left at t of a state written at s: the decays of s+1..t multiplied; `(..., T)` to `(..., T, T)`.

    Zero above the diagonal, where t comes before s.
    """
    total = log_decay.cumsum(-1)
    difference = total[..., :, None] - total[..., None, :]
    later = torch.ones(difference.shape[-2:], dtype=torch.bool, device=difference.device).triu(1)
    return difference.masked_fill(later, -torch.inf).exp()


def decayed_products(query: Tensor, key: Tensor, log_decay: Tensor, block: int = 1) -> Tensor:
    """Products of queries and decayed keys where every channel decays at a rate of its own.

    P_ts = sum over c of query_tc key_sc exp(log_decay_{s+1,c} + ... + log_decay_{t,c}) for s <= t, 0 for s > t.
    Factors of the sum's exponential would overflow, so it is split at points between s and t: blocks of twice the
    size are made from two blocks on the diagonal and the products between their halves, whose exponents are taken
    from the border of the halves and are never above 0. log2(T / block) batched matrix products in all.

    Args:
        query: `(..., T, C)`; leading axes are broadcast with those of the keys.
        key: `(..., T, C)`.
        log_decay: `(..., T, C)`, nowhere above 0.
        block: tokens of the smallest blocks, a power of two; inside them the exponents are split at their first
            token, so where it is above 1, `block` times the largest decay must be far below 80.

    Returns:
        `(..., T, T)`.
    """
    length = query.shape[-2]
    missing = max(block, 1 << (length - 1).bit_length()) - length
    query, key, log_decay = (F.pad(t, (0, 0, 0, missing)) for t in (query, key, log_decay))
    total = log_decay.cumsum(-2)
    if block == 1:
        blocks = (query * key).sum(-1)[..., None, None]  # (..., blocks, block, block)
    else:
        q, k, g = (t.unflatten(-2, (-1, block)) for t in (query, key, total))  # (..., blocks, block, C)
        within = g - g[..., :1, :]
        blocks = ((q * within.exp()) @ (k * (-within).exp()).transpose(-1, -2)).tril()
    half = block
    while half < length:
        # Each (..., blocks, half, C): the queries of the second halves meet the keys of the first.
        (_, later), (earlier, _), (first, second) = (
            t.unflatten(-2, (-1, 2, half)).unbind(-3) for t in (query, key, total)
        )
        border = first[..., -1:, :]
        between = (later * (second - border).exp()) @ (earlier * (border - first).exp()).transpose(-1, -2)
        first, second = blocks.unflatten(-3, (-1, 2)).unbind(-3)
        above = torch.cat((first, torch.zeros_like(between)), dim=-1)
        below = torch.cat((between, second), dim=-1)
        blocks = torch.cat((above, below), dim=-2)
        half *= 2
    return blocks.squeeze(-3)[..., :length, :length]


def solve_chain(matrix: Tensor, drive: Tensor) -> Tensor:
    """The z of z_t = drive_t + sum over s < t of matrix_ts z_s; `(..., T, T)` and `(..., T, V)` to `(..., T, V)`.

    The entries of the matrix on and above its diagonal are not looked at.
    """
    return torch.linalg.solve_triangular(-matrix, drive, upper=False, unitriangular=True)


def unit(x: Tensor) -> Tensor:
    """Divide by the Euclidean length of the last axis, as in the authors' code of the delta-rule networks."""
    return x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt()


def rms_norm(x: Tensor, weight: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Divide by the root mean square of the last axis."""
    x = x * (x.square().mean(-1, keepdim=True) + eps).rsqrt()
    return x if weight is None else x * weight


def head_width(dim: int, heads: int, what: str = "the width") -> int:
    """`dim` / `heads`, which must be whole."""
    if dim % heads:
        raise OptionError(f"expected heads to divide {what} {dim}, found heads={heads}")
    return dim // heads


def initial_decay(heads: int, slowest: float = 1.0) -> Tensor:
    """Logarithms of decay rates that are uniform between the slowest and 16, where Mamba-2 and its kin start."""
    return torch.empty(heads).uniform_(slowest, 16).clamp_min(1e-6).log()


def initial_step(channels: int) -> Tensor:
    """Biases whose softplus is log-uniform between 0.001 and 0.1, where Mamba's step sizes start."""
    step = torch.empty(channels).uniform_(math.log(0.001), math.log(0.1)).exp()
    return step + torch.log(-torch.expm1(-step))
