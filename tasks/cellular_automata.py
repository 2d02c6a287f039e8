"""Random cellular automata: which cells does the next state of a cell depend on, and by which rule?

Source: *Emergent Capabilities Arise Randomly from Learning Sparse Attention Patterns* (arXiv 2606.25010).
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from benchbed.contracts import OptionError


class CellularAutomata:
    """States of a random cellular automaton, one after another; the rule must be inferred in context.

    A pool of N lookup tables {0..C-1}^W -> {0..C-1} is drawn once for a member. Each sequence draws one table and
    an initial state, and applies the table `depth` times between states, on a ring. Tokens are the T states in
    order; all but the first state are scored. The cells of the previous state within `depth` times the table's
    reach are the parents of a cell. The criterion looks at the last state alone, because early states are
    ambiguous: nobody can know a rule that has not been seen at work.

    Args:
        generator: draws the pool of tables.
        state_size: S, cells on the ring.
        colours: C, values of a cell.
        window: W, cells that a table looks at: the cell itself and as many on either side; odd, at most S.
        rules: N, tables in the pool; 0 draws a fresh table for every sequence, so that nothing can be memorised.
        states: T, states in a sequence.
        depth: k, applications of the table between two states.

    Raises:
        OptionError: the window has no middle, or does not fit on the ring.
    """

    version = 1

    def __init__(
        self,
        generator: Generator,
        *,
        state_size: Annotated[int, Field(ge=3, le=512)] = 16,
        colours: Annotated[int, Field(ge=2, le=16)] = 4,
        window: Annotated[int, Field(ge=1, le=7)] = 3,
        rules: Annotated[int, Field(ge=0, le=65536)] = 256,
        states: Annotated[int, Field(ge=2, le=256)] = 16,
        depth: Annotated[int, Field(ge=1, le=16)] = 1,
    ) -> None:
        if window % 2 == 0 or window > state_size:
            raise OptionError(
                f"expected an odd window of at most state_size={state_size} cells, so that a cell has as many "
                f"neighbours on either side, found window={window}"
            )
        self.state_size, self.window, self.states, self.depth = state_size, window, states, depth
        self.vocabulary = colours
        self.length = state_size * states
        self.chance_loss = math.log(colours)
        self.tables = torch.randint(0, colours, (rules, colours**window), generator=generator)  # (N, C^W)
        self.scored = torch.arange(self.length) >= state_size
        self.parents = self._parents()
        # A fresh table that acts more than once between two states cannot be read off them.
        self.oracle = self._eliminate if rules else self._read_off if depth == 1 else None

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, S T)` int64."""
        if len(self.tables):
            tables = self.tables[torch.randint(0, len(self.tables), (count,), generator=generator)]
        else:
            cells = self.vocabulary**self.window
            tables = torch.randint(0, self.vocabulary, (count, cells), generator=generator)
        state = torch.randint(0, self.vocabulary, (count, self.state_size), generator=generator)
        states = [state]
        while len(states) < self.states:
            state = self._next(tables, state)
            states.append(state)
        return torch.cat(states, dim=1)

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 95 of 100 cells of the last state are right."""
        return accuracy[..., -self.state_size :].mean(-1) >= 0.95

    def _read_off(self, tokens: Tensor) -> Tensor:
        """Guess each scored token from those before it: fill the table in as it is seen at work; else guess 0."""
        states = tokens.view(len(tokens), self.states, self.state_size)
        seen = torch.zeros(len(tokens), self.vocabulary**self.window, dtype=torch.long)
        guesses = []
        for before, after in zip(states[:, :-1].unbind(1), states[:, 1:].unbind(1), strict=True):
            for key, token in zip(self._keys(before).unbind(1), after.unbind(1), strict=True):
                guesses.append(seen.gather(1, key[:, None])[:, 0])
                seen.scatter_(1, key[:, None], token[:, None])
        return torch.stack(guesses, dim=1)

    def _eliminate(self, tokens: Tensor) -> Tensor:
        """Guess each scored token from the states before it: by the first table of the pool that explains them."""
        states = tokens.view(len(tokens), self.states, self.state_size)
        tables, fits = self.tables, torch.ones(len(self.tables), len(tokens), dtype=torch.bool)
        guesses = []
        for before, after in zip(states[:, :-1].unbind(1), states[:, 1:].unbind(1), strict=True):
            applied = tables[:, None].expand(-1, len(before), -1)
            following = self._next(applied, before.expand(len(tables), -1, -1))  # (N, B, S)
            guesses.append(following[fits.float().argmax(0), torch.arange(len(before))])
            fits &= (following == after).all(-1)
            # Tables that explain no sequence any more are dropped; one stays, for sequences that none explains.
            alive = fits.any(dim=1)
            alive[0] = True
            tables, fits = tables[alive], fits[alive]
        return torch.cat(guesses, dim=1)

    def _next(self, tables: Tensor, state: Tensor) -> Tensor:
        """The state after `state: (..., S)`, each by its own of `tables: (..., C^W)`."""
        for _ in range(self.depth):
            state = tables.gather(-1, self._keys(state))
        return state

    def _keys(self, state: Tensor) -> Tensor:
        """Which entry of a table each cell's neighbourhood reads, `(..., S)`."""
        reach = self.window // 2
        digits = [state.roll(-offset, dims=-1) for offset in range(-reach, reach + 1)]
        return sum((digit * self.vocabulary**place for place, digit in enumerate(digits)), torch.zeros_like(state))

    def _parents(self) -> Tensor:
        reach = self.window // 2 * self.depth
        cells = torch.arange(self.state_size)
        apart = (cells[:, None] - cells).abs()
        near = torch.minimum(apart, self.state_size - apart) <= reach  # (S, S), round the ring
        parents = torch.zeros(self.length, self.length, dtype=torch.bool)
        for start in range(self.state_size, self.length, self.state_size):
            parents[start : start + self.state_size, start - self.state_size : start] = near
        return parents
