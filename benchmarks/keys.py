"""Why heads hurt recall of six pairs: how many there are, or how few channels each has to tell keys apart.

    cd benchmarks
    benchbed sweep --track lite -t associative_recall@capacity -m keys:Attention -g mixer.heads=8 -g mixer.key=64
    benchbed sweep --track lite -t associative_recall@capacity -m keys:Attention -g mixer.heads=1 -g mixer.key=8

Each is tuned and scored as a board's entry is. Eight heads with keys of 8 channels, and one with keys of 64, are the
entries of `multi_head_attention` and `softmax_attention`.
"""

from typing import Annotated

from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from benchbed.mixers.multi_head_attention import MultiHeadAttention  # pyright: ignore[reportMissingImports]


class Attention(MultiHeadAttention):
    """Multi-head attention whose queries and keys have a width of their own; values keep D/H channels a head.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
        key: channels of a query and a key; D/H is the built-in mixer.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 8,
        key: Annotated[int, Field(ge=1)] = 8,
    ) -> None:
        super().__init__(dim, length, heads=heads)
        self.widths = heads * key, heads * key, dim
        if heads * key != dim:
            self.query_key_value = nn.Linear(dim, sum(self.widths), bias=False)
            nn.init.uniform_(self.query_key_value.weight, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = self.query_key_value(x).split(self.widths, dim=-1)
        return self._by_head(query), self._by_head(key), self._by_head(value)

    def _by_head(self, x: Tensor) -> Tensor:
        return rearrange(x, "b t (h d) -> b h t d", h=self.heads)
