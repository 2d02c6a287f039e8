"""DeltaNet of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class DeltaNet(Layer):
    """DeltaNet by flash-linear-attention's kernels, the twin of `delta_net` (Yang et al., 2024).

    Above 64 tokens it computes in bfloat16, because the kernel for chunks refuses float32.

    Args:
        dim: width D.
        length: tokens T.
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
        super().__init__("DeltaNet", half=length > 64, hidden_size=dim, num_heads=heads, conv_size=kernel)
