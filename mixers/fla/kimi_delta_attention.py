"""Kimi Delta Attention of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class KimiDeltaAttention(Layer):
    """Kimi Delta Attention by flash-linear-attention's kernels, the twin of `kimi_delta_attention` (Kimi Team, 2025).

    Its output gate has a bias, which that of the twin has not.

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D.
        kernel: tokens that the short convolutions see.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        kernel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        super().__init__(
            "KimiDeltaAttention", hidden_size=dim, num_heads=heads, head_dim=dim // heads, conv_size=kernel
        )
