"""Hops: induction, k times over.

Source: Sanford, Hsu and Telgarsky, "Transformers, Parallel Computation, and Logarithmic Depth", 2024 (2402.09268).
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor


class Hops:
    """From a letter to the one after its last occurrence, k times: where does it end (Sanford et al., 2024)?

    A sequence is L + N + 1 random letters, no two neighbours alike. From each of N places one hops: back to the last
    earlier place with the same letter, then one on. Asked for is the letter where the k-th hop ends; it is shown
    nowhere. One hop is induction; k of them take a transformer about log2 k layers more. Nothing is random about an
    instance. Two hops from the last letter, an a: to the c after the a before it, and from there to the d after the
    c before that:

        c d a b a c a  ->  d

    Differs from the source: from a letter that has not occurred before, a hop stays where it is, instead of ending in
    a symbol of its own; and the first places are not asked about, because many of their hops would stay.

    Args:
        generator: not used.
        hops: k.
        letters: distinct letters.
        context: L, letters up to the first place that is asked about.
        asked: N, places that are asked about.
    """

    version = 1
    parents = None

    def __init__(
        self,
        generator: Generator,
        *,
        hops: Annotated[int, Field(ge=1, le=64)] = 2,
        letters: Annotated[int, Field(ge=3, le=256)] = 4,
        context: Annotated[int, Field(ge=2, le=4096)] = 16,
        asked: Annotated[int, Field(ge=1, le=4096)] = 16,
    ) -> None:
        self.hops, self.vocabulary = hops, letters
        # The last letter is fed and asked for nothing: a place is predicted from the token before it.
        self.length = context + asked + 1
        self.scored = torch.arange(self.length) > context
        self.chance_loss = math.log(letters)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, L + N + 1)` int64."""
        first = torch.randint(self.vocabulary, (count, 1), generator=generator)
        moves = torch.randint(1, self.vocabulary, (count, self.length - 1), generator=generator)
        return torch.cat((first, moves), dim=1).cumsum(1) % self.vocabulary

    def targets(self, tokens: Tensor) -> Tensor:
        """The letter where the k-th hop from each place ends, `(B, N)`."""
        return tokens.gather(1, self._ends(tokens))

    def parents_of(self, tokens: Tensor) -> Tensor:
        """The place where the k-th hop ends, as `(B, T, T)` bool; those on the way to it are not counted."""
        parents = torch.zeros(len(tokens), self.length, self.length, dtype=torch.bool)
        parents[:, self.scored] = torch.nn.functional.one_hot(self._ends(tokens), self.length).bool()
        return parents

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 99 of 100 letters are right, at every place."""
        return (accuracy >= 0.99).all(-1)

    def _ends(self, tokens: Tensor) -> Tensor:
        """Where the k-th hop from the place before each scored one ends, `(B, N)`."""
        last = torch.full((len(tokens), self.vocabulary), -1)
        following = list[Tensor]()
        for place, letter in enumerate(tokens.split(1, dim=1)):
            before = last.gather(1, letter)
            following.append(torch.where(before < 0, place, before + 1))
            last.scatter_(1, letter, place)
        hop = torch.cat(following, dim=1)  # (B, T), from each place
        ends = (self.scored.nonzero().flatten() - 1).expand(len(tokens), -1)
        for _ in range(self.hops):
            ends = hop.gather(1, ends)
        return ends
