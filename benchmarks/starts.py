"""How much a start moves a mixer: four mixers as the boards have them, with the starts of several code bases.

    cd benchmarks
    benchbed sweep --track lite --task linear_map --mixer starts:Attention --grid mixer.start=tensor2tensor,torch,gpt2
    benchbed sweep --track lite --task linear_map --mixer starts:Attention -g mixer.heads=1 -g mixer.start=torch
    benchbed sweep --track lite --task associative_recall@multi --mixer starts:Attention --grid mixer.start=torch
    benchbed sweep --track lite --task linear_map --mixer starts:TokenMlp --grid mixer.start=timm,torch
    benchbed sweep --track lite --task linear_map --mixer starts:SpatialGate --grid mixer.start=lucidrains,torch
    benchbed sweep --track lite --task linear_map --mixer starts:Static --grid mixer.start=tensor2tensor

Every start is tuned and scored as a board's entry is, in two to seven minutes on two CPU cores. The first of each
class is the built-in mixer's.
"""

from typing import Literal

from torch import nn

from benchbed.mixers.gmlp import Gmlp  # pyright: ignore[reportMissingImports]
from benchbed.mixers.mlp_mixer import MlpMixer  # pyright: ignore[reportMissingImports]
from benchbed.mixers.multi_head_attention import MultiHeadAttention  # pyright: ignore[reportMissingImports]
from benchbed.mixers.static_mixer import StaticMixer  # pyright: ignore[reportMissingImports]


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


class TokenMlp(MlpMixer):
    """The token MLP with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `flax` is the built-in mixer's, of the authors' code: variance 1 / inputs, no biases; `timm` is that of
            timm 1.0.31, `mlp_mixer.py`: Xavier uniform, biases normal 1e-6; `torch` is that of `nn.Linear`: matrices
            and biases uniform with variance 1 / (3 inputs).
    """

    def __init__(self, dim: int, length: int, *, start: Literal["flax", "timm", "torch"] = "flax") -> None:
        super().__init__(dim, length)
        for layer in (self.inward, self.outward):
            if start == "timm":
                nn.init.xavier_uniform_(layer.weight)
                nn.init.normal_(layer.bias, std=1e-6)
            elif start == "torch":
                layer.reset_parameters()


class SpatialGate(Gmlp):
    """The spatial gating unit with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `timm` is the built-in mixer's: the mixing matrix normal 1e-6 and its bias one, Xavier uniform around
            it; `lucidrains` is that of g-mlp-pytorch's later versions: the mixing matrix uniform within 1e-3 / T and
            its bias one, `nn.Linear`'s around it; `torch` is that of `nn.Linear` throughout, the mixing matrix and
            its bias included, which the paper (section 2.1) advises against.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["timm", "lucidrains", "torch"] = "timm") -> None:
        super().__init__(dim, length)
        if start == "timm":
            return
        self.inward.reset_parameters()
        self.outward.reset_parameters()
        bound = length**-0.5 if start == "torch" else 1e-3 / length
        nn.init.uniform_(self.matrix, -bound, bound)
        if start == "torch":
            nn.init.uniform_(self.bias, -bound, bound)


class Static(StaticMixer):
    """Static mixing matrices with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `torch` is the built-in mixer's, that of `nn.Linear`, variance 1 / (3 inputs); `tensor2tensor` is
            three times that variance, as attention's authors start theirs.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["torch", "tensor2tensor"] = "torch") -> None:
        super().__init__(dim, length)
        if start == "tensor2tensor":
            for weight in (self.value.weight, self.output.weight, self.matrix):
                bound = (3 / weight.shape[-1]) ** 0.5
                nn.init.uniform_(weight, -bound, bound)
