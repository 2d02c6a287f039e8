"""Gated DeltaNet of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class GatedDeltaNet(Layer):
    """Gated DeltaNet by flash-linear-attention's kernels, the twin of `gated_delta_net` (Yang et al., 2024).

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D.
        value_expansion: width of the values as a multiple of D.
        kernel: tokens that the short convolutions see.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        value_expansion: Annotated[int, Field(ge=1)] = 2,
        kernel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        super().__init__(
            "GatedDeltaNet",
            hidden_size=dim,
            num_heads=heads,
            head_dim=dim // heads,
            expand_v=value_expansion,
            conv_size=kernel,
        )
