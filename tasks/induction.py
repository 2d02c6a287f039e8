"""Induction: go on as it went before. Olsson et al., "In-context Learning and Induction Heads", 2022 (2209.11895)."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from benchbed.contracts import OptionError


class Induction:
    """Distinct random tokens, then a stretch of them again: predict how it goes on (Olsson et al., 2022).

    A sequence is L distinct tokens x0 ... x(L-1), then R of them in order from a random place on. The first repeated
    token tells the place; those after it are scored, and each is the token that followed its predecessor before.

    Args:
        generator: not used; nothing is random about an instance.
        prefix: L, tokens before the repetition.
        repeat: R, repeated tokens; at most L.
        symbols: distinct tokens there are; at least L.

    Raises:
        OptionError: there are too few tokens to repeat, or too few symbols.
    """

    version = 1
    parents = None

    def __init__(
        self,
        generator: Generator,
        *,
        prefix: Annotated[int, Field(ge=3, le=1024)] = 16,
        repeat: Annotated[int, Field(ge=2, le=1024)] = 8,
        symbols: Annotated[int, Field(ge=3, le=4096)] = 32,
    ) -> None:
        if not repeat < prefix <= symbols:
            raise OptionError(
                f"expected repeat < prefix <= symbols, so that the place of the repetition is open and all tokens "
                f"differ, found repeat={repeat}, prefix={prefix}, symbols={symbols}"
            )
        self.prefix, self.repeat = prefix, repeat
        self.vocabulary = symbols
        self.length = prefix + repeat
        self.scored = torch.arange(self.length) > prefix
        self.chance_loss = math.log(symbols)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, L + R)` int64."""
        first = torch.rand(count, self.vocabulary, generator=generator).argsort(dim=1)[:, : self.prefix]
        start = torch.randint(0, self.prefix - self.repeat + 1, (count, 1), generator=generator)
        return torch.cat((first, first.gather(1, start + torch.arange(self.repeat))), dim=1)

    def parents_of(self, tokens: Tensor) -> Tensor:
        """The position where each repeated token stood first, as `(B, T, T)` bool."""
        match = tokens[:, self.prefix + 1 :, None] == tokens[:, None, : self.prefix]  # (B, R - 1, L)
        parents = torch.zeros(len(tokens), self.length, self.length, dtype=torch.bool)
        parents[:, self.prefix + 1 :, : self.prefix] = match
        return parents

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 99 of 100 repeated tokens are right, at every place."""
        return (accuracy >= 0.99).all(-1)
