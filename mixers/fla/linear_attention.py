"""Linear attention of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class LinearAttention(Layer):
    """Linear attention by flash-linear-attention's kernels, twin of `linear_attention` (Katharopoulos et al., 2020).

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(self, dim: int, length: int, *, heads: Annotated[int, Field(ge=1)] = 8) -> None:
        super().__init__(
            "LinearAttention",
            hidden_size=dim,
            num_heads=heads,
            feature_map="elu",
            do_feature_map_norm=True,
            output_norm="identity",
        )
