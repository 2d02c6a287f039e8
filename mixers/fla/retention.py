"""Multi-scale retention of flash-linear-attention."""

from typing import Annotated

from pydantic import Field

from ._layer import Layer


class Retention(Layer):
    """Retention by flash-linear-attention's kernels, the twin of `retention` (Sun et al., 2023).

    Args:
        dim: width D.
        length: tokens T; the layer does not depend on it.
        heads: H; must divide D.
        value_expansion: width of the values as a multiple of D.
    """

    needs = ("flash-linear-attention", "cuda")

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 4,
        value_expansion: Annotated[int, Field(ge=1)] = 2,
    ) -> None:
        super().__init__(
            "MultiScaleRetention",
            hidden_size=dim,
            num_heads=heads,
            expand_v=value_expansion,
            elementwise_affine=False,
        )
