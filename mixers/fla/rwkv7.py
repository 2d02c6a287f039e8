"""The time mixing of RWKV-7 of flash-linear-attention."""

import warnings
from typing import Annotated

from pydantic import Field

from ._layer import Layer


class Rwkv7(Layer):
    """RWKV-7's time mixing by flash-linear-attention's kernels, the twin of `rwkv7` (Peng et al., 2025).

    It starts as the first of two layers of the library's model, as the twin does but for orthogonal matrices of
    larger numbers. The library warns that RWKV's author may disagree with results of this layer.

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D.
        rank: width of the bottlenecks from which decay, rate and output gate come.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        rank: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        head = dim // heads
        with warnings.catch_warnings(action="ignore"):
            super().__init__(
                "RWKV7Attention",
                hidden_size=dim,
                head_dim=head,
                layer_idx=0,
                num_hidden_layers=2,
                decay_low_rank_dim=rank,
                a_low_rank_dim=rank,
                gate_low_rank_dim=rank,
                norm_eps=64e-5 / head,
            )
