"""The long short-term memory of `torch.nn`. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn


class Lstm(nn.Module):
    """Long short-term memory, a gated recurrence with a cell state (Hochreiter and Schmidhuber, 1997).

    Differs from the paper: forget gates and no peepholes, as `torch.nn.LSTM` has it. Starts as that does, but for the
    forget gates, whose biases are 1 (Gers et al., 2000; Jozefowicz et al., 2015; Keras and TensorFlow by default).
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
        for layer in range(layers):
            for name, bias in (("bias_ih", 1.0), ("bias_hh", 0.0)):  # torch adds the two
                nn.init.constant_(self.recurrence.get_parameter(f"{name}_l{layer}")[dim : 2 * dim], bias)

    def forward(self, x: Tensor) -> Tensor:
        """Mix `(B, T, D)`."""
        return self.recurrence(x)[0]
