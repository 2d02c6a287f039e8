"""How much a start moves a mixer: attention as the boards have it, with the starts of three code bases.

    cd benchmarks
    benchbed sweep --track lite --task linear_map --mixer starts:Attention --grid mixer.start=tensor2tensor,torch,gpt2
    benchbed sweep --track lite --task linear_map --mixer starts:Attention -g mixer.heads=1 -g mixer.start=torch
    benchbed sweep --track lite --task associative_recall@multi --mixer starts:Attention --grid mixer.start=torch

Every start is tuned and scored as a board's entry is, in two to seven minutes on two CPU cores.
"""

from typing import Literal

from torch import nn

from benchbed.mixers.multi_head_attention import MultiHeadAttention  # pyright: ignore[reportMissingImports]


class Attention(MultiHeadAttention):
    """Multi-head attention with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `tensor2tensor` is the built-in mixer's, uniform with variance 1/D; `torch` is that of `nn.Linear`,
            uniform with variance 1/(3 D); `gpt2` is normal with standard deviation 0.02, in the output over the
            square root of 2, for two residual branches a layer (Radford et al., 2019, section 2.3).
        heads: as the built-in mixer's; one head starts as `softmax_attention` does.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        start: Literal["tensor2tensor", "torch", "gpt2"] = "tensor2tensor",
        heads: int = 8,
    ) -> None:
        super().__init__(dim, length, heads=heads)
        if start == "torch":
            self.query_key_value.reset_parameters()
            self.output.reset_parameters()
        elif start == "gpt2":
            nn.init.normal_(self.query_key_value.weight, std=0.02)
            nn.init.normal_(self.output.weight, std=0.02 / 2**0.5)
