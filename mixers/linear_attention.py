"""Linear attention. Katharopoulos et al., "Transformers are RNNs", 2020 (arXiv 2006.16236), equations 4-12."""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from .multi_head_attention import MultiHeadAttention


class LinearAttention(MultiHeadAttention):
    """Causal linear attention with the feature map elu(x) + 1 (Katharopoulos et al., 2020).

    Multi-head attention whose weights are products of feature maps, normalised over the tokens seen so far.
    Computed in the masked quadratic form, which equals the paper's recurrence and costs less at these lengths.
    Differs from the paper: no biases; the normaliser is kept above 1e-6. The score bias counts as a logarithm here.
    Starts as nn.Linear does, as in the authors' code (idiap/fast-transformers).
    Cost a token: 4 D^2 + 2 T D multiply-adds, 4 D^2 parameters.

    Args:
        dim: width D.
        length: tokens T.
        heads: H; must divide D.
    """

    def __init__(self, dim: int, length: int, *, heads: Annotated[int, Field(ge=1)] = 8) -> None:
        super().__init__(dim, length, heads=heads)
        self.query_key_value.reset_parameters()
        self.output.reset_parameters()

    def _weights(self, query: Tensor, key: Tensor) -> Tensor:
        products = (F.elu(query) + 1) @ (F.elu(key) + 1).transpose(-1, -2)
        products = products * self.score_bias.exp()
        return products / products.sum(-1, keepdim=True).clamp_min(1e-6)
