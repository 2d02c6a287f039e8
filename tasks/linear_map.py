"""A hidden sparse linear map over bits: which `s` of `S` inputs does each output depend on?

Source: *Emergent Capabilities Arise Randomly from Learning Sparse Attention Patterns* (arXiv 2606.25010).
The paper leaves open how the rows of A are drawn; here they are uniform over all sets of S distinct rows.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from benchbed.contracts import OptionError


class LinearMap:
    """Next state of a sparse linear map over bits: each output is the parity of s hidden inputs.

    A is in {0,1}^(S x S), each row with exactly `s` ones, rows distinct, drawn once for a member.
    A sequence is x0, uniform in {0,1}^S, followed by x1 = A x0 mod 2. Token S+i is predicted from position
    S+i-1 and depends on the `s` ones of row i. An example with S=3, s=2 and rows 110, 011, 101:

        x0 = 1 0 1,  x1 = 1 1 0  ->  tokens 1 0 1 1 1 0, scored are the last three

    Args:
        generator: draws A.
        state_size: S, bits in a state; at least 2, because with one bit the only row is the full one.
        sparsity: s, inputs that each output depends on; less than S.

    Raises:
        OptionError: no such map exists, or it could be solved without finding any pattern.
    """

    version = 1
    vocabulary = 2
    chance_loss = math.log(2)

    def __init__(
        self,
        generator: Generator,
        *,
        state_size: Annotated[int, Field(ge=2, le=512)] = 16,
        sparsity: Annotated[int, Field(ge=1, le=512)] = 3,
    ) -> None:
        _refuse_impossible(state_size, sparsity)
        self.length = 2 * state_size
        self.matrix = _distinct_rows(state_size, sparsity, generator)  # (S, S) float32
        self.scored = torch.arange(self.length) >= state_size
        self.parents = torch.zeros(self.length, self.length, dtype=torch.bool)
        self.parents[state_size:, :state_size] = self.matrix.bool()

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, 2S)` int64."""
        state = torch.randint(0, 2, (count, len(self.matrix)), generator=generator, dtype=torch.float32)
        # Sums of at most 512 ones are exact in float32, and the product is fast.
        return torch.cat((state, (state @ self.matrix.T).remainder(2)), dim=1).long()

    def solved(self, accuracy: Tensor) -> Tensor:
        """Every output bit is right in at least 99 of 100 held-out sequences."""
        return (accuracy >= 0.99).all(-1)


def _refuse_impossible(state_size: int, sparsity: int) -> None:
    if sparsity > state_size:
        raise OptionError(
            f"expected sparsity <= state_size, found sparsity={sparsity} and state_size={state_size}; "
            "an output cannot depend on more inputs than there are"
        )
    if sparsity == state_size:
        raise OptionError(
            f"expected sparsity < state_size, found both {sparsity}; all rows would be equal and every "
            f"output the same parity, so that copying the previous token scores {1 - 0.5 / state_size:.3f} "
            "without finding a pattern"
        )


def _distinct_rows(state_size: int, sparsity: int, generator: Generator) -> Tensor:
    """Rejection sampling: draw rows until S of them differ; for 1 <= s < S there are C(S, s) >= S to draw."""
    rows: dict[tuple[int, ...], None] = {}
    while len(rows) < state_size:
        chosen = torch.rand(state_size, generator=generator).topk(sparsity).indices
        rows.setdefault(tuple(sorted(chosen.tolist())))
    matrix = torch.zeros(state_size, state_size)
    for row, columns in enumerate(rows):
        matrix[row, list(columns)] = 1.0
    return matrix
