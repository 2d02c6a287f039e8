"""A layer of flash-linear-attention as a mixer."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Layer(nn.Module):
    """`(B, T, D)` to the same through a layer of `fla.layers`.

    Its kernels are Triton's, which run on a GPU and in single or half precision: numbers that lie elsewhere, or in
    double precision, are brought there and back, so that `benchbed check` can look at it from a CPU.

    Args:
        name: of the class in `fla.layers`.
        half: compute in bfloat16, under autocast, for kernels that refuse float32.
        options: what its constructor is handed.
    """

    def __init__(self, name: str, *, half: bool = False, **options: Any) -> None:
        super().__init__()
        self.layer: nn.Module = getattr(import_module("fla.layers"), name)(**options)
        self.half_precision = half

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        device = x.device if x.is_cuda else _DEVICE
        weights = {name: t.to(device, torch.float32) for name, t in self.layer.named_parameters()}
        with torch.autocast(device.type, torch.bfloat16, enabled=self.half_precision):
            y, *_ = functional_call(self.layer, weights, (x.to(device, torch.float32),))
        return y.to(x.device, x.dtype)


_DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""A CPU only in Triton's interpreter, where `tests/mixers/test_fla.py` runs these layers."""
