"""Selective copying: symbols among blanks, to be said again in order. Gu and Dao, "Mamba", 2023 (2312.00752)."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from benchbed.contracts import OptionError


class SelectiveCopy:
    """Symbols at random places among blanks, then markers: at each marker, the next of the symbols (Gu & Dao, 2023).

    A sequence is L tokens, M of them random symbols and the others blanks, and then markers. At the i-th marker the
    i-th symbol is asked for; answers are shown nowhere. Where the symbols stand differs from sequence to sequence, so
    that no fixed mixing finds them: a mixer has to pass over blanks and count. Nothing is random about an instance.

        b . . a . d | | | (|)  ->  b a d

    Args:
        generator: not used.
        copies: M, symbols to copy; less than L.
        context: L, tokens that they stand among.
        symbols: distinct symbols.

    Raises:
        OptionError: there is no room for the symbols.
    """

    version = 1
    parents = None

    def __init__(
        self,
        generator: Generator,
        *,
        copies: Annotated[int, Field(ge=1, le=1024)] = 8,
        context: Annotated[int, Field(ge=2, le=8192)] = 32,
        symbols: Annotated[int, Field(ge=2, le=4096)] = 16,
    ) -> None:
        if copies >= context:
            raise OptionError(
                f"expected copies < context, so that some are blank, found copies={copies} and context={context}"
            )
        self.copies, self.context, self.symbols = copies, context, symbols
        self.vocabulary = symbols + 2
        # The last marker is fed and asked for nothing: a place is predicted from the token before it.
        self.length = context + copies + 1
        self.scored = torch.arange(self.length) > context
        self.chance_loss = math.log(symbols)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, L + M + 1)` int64; after the symbols come the blank and the marker."""
        blank, marker = self.symbols, self.symbols + 1
        places = torch.rand(count, self.context, generator=generator).argsort(dim=1)[:, : self.copies]
        symbols = torch.randint(self.symbols, (count, self.copies), generator=generator)
        shown = torch.full((count, self.context), blank).scatter_(1, places, symbols)
        return torch.cat((shown, torch.full((count, self.copies + 1), marker)), dim=1)

    def targets(self, tokens: Tensor) -> Tensor:
        """The symbols in order, `(B, M)`."""
        return tokens.gather(1, self._places(tokens))

    def parents_of(self, tokens: Tensor) -> Tensor:
        """The place of the symbol that is asked for, as `(B, T, T)` bool."""
        parents = torch.zeros(len(tokens), self.length, self.length, dtype=torch.bool)
        parents[:, self.scored] = torch.nn.functional.one_hot(self._places(tokens), self.length).bool()
        return parents

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 99 of 100 symbols are right, at every marker."""
        return (accuracy >= 0.99).all(-1)

    def _places(self, tokens: Tensor) -> Tensor:
        """Where the symbols stand, in order, `(B, M)`."""
        blanks = tokens[:, : self.context] >= self.symbols
        return blanks.long().argsort(dim=1, stable=True)[:, : self.copies]
