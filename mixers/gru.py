"""The gated recurrent unit of `torch.nn`. Cho et al., "Learning Phrase Representations", 2014 (arXiv 1406.1078)."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn


class Gru(nn.Module):
    """Gated recurrent unit, a recurrence with reset and update gates (Cho et al., 2014).

    Differs from the paper: the reset gate is applied after the recurrent product, as `torch.nn.GRU` has it, and
    starts as that does. Its kernel cannot be vectorised over members, so they train one at a time whatever the
    engine. Cost a token: 6 D^2 multiply-adds a layer; state D numbers a layer.

    Args:
        dim: width D, and hidden units of every layer.
        length: tokens T; the recurrence does not depend on it.
        layers: recurrences, each over the outputs of the one before.
    """

    def __init__(self, dim: int, length: int, *, layers: Annotated[int, Field(ge=1)] = 1) -> None:
        super().__init__()
        self.recurrence = nn.GRU(dim, dim, num_layers=layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        return self.recurrence(x)[0]
