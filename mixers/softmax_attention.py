"""Single-head softmax self-attention. Vaswani et al., 2017 (arXiv 1706.03762), section 3.2.1."""

from .multi_head_attention import MultiHeadAttention


class SoftmaxAttention(MultiHeadAttention):
    """Causal softmax attention with one head as wide as the model (Vaswani et al., 2017).

    Differs from the paper and costs as `multi_head_attention` does, with `heads` fixed at 1.

    Args:
        dim: width D.
        length: tokens T.
    """

    def __init__(self, dim: int, length: int) -> None:
        super().__init__(dim, length, heads=1)
