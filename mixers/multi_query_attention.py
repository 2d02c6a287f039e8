"""Multi-query attention. Shazeer, "Fast Transformer Decoding", 2019 (arXiv 1911.02150)."""

from typing import Annotated

from pydantic import Field

from .grouped_query_attention import GroupedQueryAttention


class MultiQueryAttention(GroupedQueryAttention):
    """Causal softmax attention whose heads share one set of keys and values (Shazeer, 2019).

    Differs from the paper: no biases. Grouped-query attention with one group, and costs as that does.

    Args:
        dim: width D.
        length: tokens T.
        heads: query heads H; must divide D.
    """

    def __init__(self, dim: int, length: int, *, heads: Annotated[int, Field(ge=1)] = 8) -> None:
        super().__init__(dim, length, heads=heads, groups=1)
