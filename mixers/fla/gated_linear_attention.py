"""Gated linear attention of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class GatedLinearAttention(Layer):
    """Gated linear attention by its authors' kernels, the twin of `gated_linear_attention` (Yang et al., 2023).

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D / 2.
        gate_rank: width of the bottleneck from which the forget gates come.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        gate_rank: Annotated[int, Field(ge=1)] = 16,
    ) -> None:
        super().__init__("GatedLinearAttention", hidden_size=dim, num_heads=heads, gate_low_rank_dim=gate_rank)
