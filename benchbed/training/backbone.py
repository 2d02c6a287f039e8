"""The tiny pre-norm model around a mixer: the same for every mixer of a track.

Token embedding + learned positions (both std 0.02; with N(0, 1) embeddings attention was seen never to leave the
plateau), blocks `x + mixer(norm x)`, `x + mlp(norm x)`, final norm, untied head. The channel MLP is timm's `Mlp`,
whose import takes as long as torch's own. The last block's channel MLP and the head run at the positions that predict
a scored token and nowhere else.

Shapes: `B` batch, `T` tokens, `D` width, `N` scored tokens, `V` vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Backbone"]


class Backbone(nn.Module):
    """Embedding, mixing blocks and head.

    Args:
        make_mixer: builds one mixer; called once a layer.
        vocabulary: V.
        scored: `(T,)` bool; token t is predicted from position t-1.
        dim: width D.
        mlp_dim: hidden width of the channel MLP.
        layers: blocks.
    """

    predicting: Tensor | None
    """`(N,)`, from which positions; a buffer, because an index on the CPU would be sent to a GPU at every step. None
    where they are a stretch.
    """

    def __init__(
        self,
        make_mixer: Callable[[], nn.Module],
        *,
        vocabulary: int,
        scored: Tensor,
        dim: int,
        mlp_dim: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.positions = nn.Parameter(torch.empty(len(scored), dim))
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        self.blocks = nn.ModuleList(_Block(make_mixer(), dim, mlp_dim) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocabulary)
        positions = scored.nonzero().flatten() - 1
        self._stretch = _as_stretch(positions)
        self.register_buffer("predicting", positions if self._stretch is None else None, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(B, N, V)` of the scored tokens of `(B, T)`; the last token is fed and predicts nothing."""
        x = self.tokens(tokens) + self.positions
        *earlier, last = self.blocks
        for block in earlier:
            x = block(x)
        return self.head(self.norm(last(x, self._stretch if self.predicting is None else self.predicting)))


class _Block(nn.Module):
    def __init__(self, mixer: nn.Module, dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(dim)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, dim))

    def forward(self, x: Tensor, keep: slice | Tensor = slice(None)) -> Tensor:
        """Map `(B, T, D)` to `(B, T, D)`, or to the positions to keep."""
        x = (x + self.mixer(self.mixer_norm(x)))[:, keep]
        return x + self.mlp(self.mlp_norm(x))


def _as_stretch(positions: Tensor) -> slice | None:
    """Positions one after the other as a slice, which costs no copy; None for others."""
    first, last = int(positions[0]), int(positions[-1])
    whole = torch.equal(positions, torch.arange(first, last + 1))
    return slice(first, last + 1) if whole else None
