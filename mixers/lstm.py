"""The long short-term memory of `torch.nn`. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn


class Lstm(nn.Module):
    """Long short-term memory, a gated recurrence with a cell state (Hochreiter and Schmidhuber, 1997).

    Differs from the paper: forget gates and no peepholes, as `torch.nn.LSTM` has it, with torch's initialisation.
    Its kernel cannot be vectorised over members, so they train one at a time whatever the engine.
    Cost a token: 8 D^2 multiply-adds a layer; state 2 D numbers a layer.

    Args:
        dim: width D, and hidden units of every layer.
        length: tokens T; the recurrence does not depend on it.
        layers: recurrences, each over the outputs of the one before.
    """

    def __init__(self, dim: int, length: int, *, layers: Annotated[int, Field(ge=1)] = 1) -> None:
        super().__init__()
        self.recurrence = nn.LSTM(dim, dim, num_layers=layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        return self.recurrence(x)[0]
