r"""How much a start moves a mixer: nine mixers as the boards have them, with the starts of several code bases.

    cd benchmarks
    benchbed sweep --track lite --task linear_map --mixer starts:Attention --grid mixer.start=tensor2tensor,torch,gpt2
    benchbed sweep --track lite --task linear_map --mixer starts:Attention -g mixer.heads=1 -g mixer.start=torch
    benchbed sweep --track lite --task associative_recall@multi --mixer starts:Attention --grid mixer.start=torch
    benchbed sweep --track lite --task linear_map --mixer starts:TokenMlp --grid mixer.start=timm,torch
    benchbed sweep --track lite --task linear_map --mixer starts:SpatialGate --grid mixer.start=lucidrains,torch
    benchbed sweep --track lite --task linear_map --mixer starts:Static --grid mixer.start=tensor2tensor
    benchbed sweep --track lite -t associative_recall@multi -m starts:GatedDelta \
        -g mixer.start=fla-model,tensor2tensor
    benchbed sweep --track lite -t associative_recall@multi -m starts:TimeMix -g mixer.start=fla,torch
    benchbed sweep --track lite -t associative_recall@multi -m starts:MatrixMemory -g mixer.start=7b,torch,gpt2
    benchbed sweep --track lite -t associative_recall@multi -m starts:Griffin -g mixer.start=transformers,torch,gpt2
    benchbed sweep --track lite -t associative_recall@multi -m starts:SelectiveState \
        -g mixer.start=fla-model,mad --compile

Every start is tuned and scored as a board's entry is, in two to seven minutes on two CPU cores, those of Mamba
longer. The first of each class is the built-in mixer's.
"""

from typing import Literal

from torch import nn

from benchbed.mixers._recurrence import ShortConvolution  # pyright: ignore[reportMissingImports]
from benchbed.mixers.gated_delta_net import GatedDeltaNet  # pyright: ignore[reportMissingImports]
from benchbed.mixers.gmlp import Gmlp  # pyright: ignore[reportMissingImports]
from benchbed.mixers.linear_rnn import LinearRnn  # pyright: ignore[reportMissingImports]
from benchbed.mixers.mamba import Mamba  # pyright: ignore[reportMissingImports]
from benchbed.mixers.mlp_mixer import MlpMixer  # pyright: ignore[reportMissingImports]
from benchbed.mixers.multi_head_attention import MultiHeadAttention  # pyright: ignore[reportMissingImports]
from benchbed.mixers.rwkv7 import Rwkv7  # pyright: ignore[reportMissingImports]
from benchbed.mixers.static_mixer import StaticMixer  # pyright: ignore[reportMissingImports]
from benchbed.mixers.xlstm import Xlstm  # pyright: ignore[reportMissingImports]


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
            _draw_linear_layers(self)


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


class GatedDelta(GatedDeltaNet):
    """Gated DeltaNet with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: of matrices and convolutions. `fla` is the built-in mixer's, of fla's layer: those of `nn.Linear` and
            `nn.Conv1d`; `fla-model` is what fla 0.6.0 puts over the layers of a language model,
            `models/gated_deltanet/modeling_gated_deltanet.py`: normal with standard deviation 0.02; `tensor2tensor`
            is uniform with variance 1 / inputs, as attention's authors start theirs, convolutions as the layer's.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["fla", "fla-model", "tensor2tensor"] = "fla") -> None:
        super().__init__(dim, length)
        matrices = [layer.weight for layer in self.modules() if isinstance(layer, nn.Linear)]
        if start == "fla-model":
            for weight in (*matrices, self.convolution.weight):
                nn.init.normal_(weight, std=0.02)
        elif start == "tensor2tensor":
            for weight in matrices:
                bound = (3 / weight.shape[1]) ** 0.5
                nn.init.uniform_(weight, -bound, bound)


class TimeMix(Rwkv7):
    """RWKV-7 with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: of the four matrices as wide as the model. `rwkv-lm` is the built-in mixer's, uniform, with an output
            of zero; `fla` is that of fla 0.6.0, `layers/rwkv7.py`: orthogonal, of the keys a tenth, and an output of
            zero; `torch` is that of `nn.Linear`, the output included.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["rwkv-lm", "fla", "torch"] = "rwkv-lm") -> None:
        super().__init__(dim, length)
        if start == "fla":
            for layer, gain in ((self.receptance, 1.0), (self.key, 0.1), (self.value, 1.0)):
                nn.init.orthogonal_(layer.weight, gain=gain)
        elif start == "torch":
            for layer in (self.receptance, self.key, self.value, self.output):
                layer.reset_parameters()


class MatrixMemory(Xlstm):
    """The matrix cell of xLSTM with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `xlstm` is the built-in mixer's; `7b` is that of xLSTM 7B as transformers 5.24 has it,
            `models/xlstm/modeling_xlstm.py`, for two layers: the same with half of its output's deviation, all input
            gates' biases at -10 and an output gate of zero; `torch` has the projections and output of `nn.Linear`;
            `gpt2` is what a model of GPT-2's formula makes of every linear layer, that of the gates included.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["xlstm", "7b", "torch", "gpt2"] = "xlstm") -> None:
        super().__init__(dim, length)
        if start == "7b":
            nn.init.normal_(self.output.weight, std=dim**-0.5)
            nn.init.constant_(self.cell.gates.bias[: self.cell.heads], -10)
            nn.init.zeros_(self.cell.projections.weight[-dim:])
        elif start == "torch":
            self.cell.projections.reset_parameters()
            self.output.reset_parameters()
        elif start == "gpt2":
            _draw_linear_layers(self)


class Griffin(LinearRnn):
    """The real-gated linear recurrent unit with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `recurrentgemma` is the built-in mixer's, of the authors' code; `transformers` is that of transformers
            5.24, `models/recurrent_gemma/modeling_recurrent_gemma.py`, for two layers: gates of a tenth of the
            deviation; `torch` is that of `nn.Linear` for inputs, output and gates, without a gate's bias, and of
            `nn.Conv1d` for the convolution; `gpt2` is what a model of GPT-2's formula makes of inputs and output.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        *,
        start: Literal["recurrentgemma", "transformers", "torch", "gpt2"] = "recurrentgemma",
    ) -> None:
        super().__init__(dim, length)
        width = self.gate_weight.shape[-1]
        if start == "transformers":
            nn.init.normal_(self.gate_weight, std=0.1 * width**-0.5)
        elif start == "torch":
            self.inward.reset_parameters()
            self.output.reset_parameters()
            nn.init.uniform_(self.gate_weight, -(width**-0.5), width**-0.5)
            self.convolution = ShortConvolution(dim, self.convolution.weight.shape[1], bias=True)
        elif start == "gpt2":
            _draw_linear_layers(self)


class SelectiveState(Mamba):
    """Mamba with a start to choose.

    Args:
        dim: width D.
        length: tokens T.
        start: `mamba` is the built-in mixer's, of the authors' code; `fla-model` is what fla 0.6.0 puts over the
            layers of a language model, `models/mamba/modeling_mamba.py`: matrices normal with standard deviation
            0.02, the step's matrix and bias as the authors'; `mad` is what MAD made of the authors' layer until
            756b19f, `mad/model/language_model.py`: every matrix normal 0.02 and every bias of a linear layer zero,
            the step's included, so that steps begin at log 2 in place of 0.001 to 0.1.
    """

    def __init__(self, dim: int, length: int, *, start: Literal["mamba", "fla-model", "mad"] = "mamba") -> None:
        super().__init__(dim, length)
        if start == "fla-model":
            for layer in (self.inward, self.select, self.output):
                nn.init.normal_(layer.weight, std=0.02)
        elif start == "mad":
            _draw_linear_layers(self, output=0.02)


def _draw_linear_layers(mixer: nn.Module, *, output: float = 0.02 / 2**0.5) -> None:
    """Every linear layer of a mixer as a model of GPT-2's formula draws it, whatever the mixer had in it.

    Args:
        mixer: whose last one is `mixer.output`.
        output: standard deviation of that one's weights; by default for two residual branches.
    """
    for layer in mixer.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=output if layer is mixer.output else 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
