"""Multi-query associative recall. Arora et al., "Zoology", 2023 (arXiv 2312.04927)."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from benchbed.contracts import OptionError

_POWER = 0.01


class AssociativeRecall:
    """Key-value pairs, fresh for every sequence, then keys again: recall the value of each (Arora et al., 2023).

    A sequence is k1 v1 ... kP vP q1 a1 ... qM aM; keys are distinct, queries are keys of the sequence, and each
    answer, the scored token, is the value that followed that key. Nothing is random about an instance: what a token
    depends on is found by content and differs from sequence to sequence, so that no fixed mixing solves it.
    Differs from the source: queries follow the pairs at once, with no filler between them; values may repeat.

    Args:
        generator: not used.
        pairs: P, key-value pairs.
        queries: M, queries; 1 is plain associative recall, more the multi-query form.
        keys: distinct keys.
        values: distinct values.
        order: of the queries. random: each asks for any of the keys. power_law: each key is asked for once, in an
            order as the source's multi-query recall has it where its length is full: pair by pair draws one of the
            places that are left, the x-th with a weight of x^(a - 1), a = .01. All pairs have to be held at once, so
            that it measures a capacity.

    Raises:
        OptionError: there are fewer keys than pairs, or `power_law` has other than one query a pair.
    """

    version = 1
    parents = None

    def __init__(
        self,
        generator: Generator,
        *,
        pairs: Annotated[int, Field(ge=2, le=512)] = 8,
        queries: Annotated[int, Field(ge=1, le=512)] = 8,
        keys: Annotated[int, Field(ge=2, le=4096)] = 32,
        values: Annotated[int, Field(ge=2, le=4096)] = 16,
        order: Literal["random", "power_law"] = "random",
    ) -> None:
        if keys < pairs:
            raise OptionError(
                f"expected keys >= pairs, because keys are distinct, found keys={keys} and pairs={pairs}"
            )
        if order == "power_law" and queries != pairs:
            raise OptionError(
                f"expected as many queries as pairs, because each key is asked for once, found queries={queries} and "
                f"pairs={pairs}"
            )
        self.pairs, self.keys, self.values, self.order = pairs, keys, values, order
        self.vocabulary = keys + values
        self.length = 2 * (pairs + queries)
        positions = torch.arange(self.length)
        self.scored = (positions > 2 * pairs) & (positions % 2 == 1)
        self.chance_loss = math.log(values)

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, 2 (P + M))` int64; keys are tokens below `keys`, values those above."""
        keys = torch.rand(count, self.keys, generator=generator).argsort(dim=1)[:, : self.pairs]
        values = self.keys + torch.randint(0, self.values, (count, self.pairs), generator=generator)
        if self.order == "random":
            asked = torch.randint(0, self.pairs, (count, self.length // 2 - self.pairs), generator=generator)
        else:
            asked = self._each_once(count, generator)
        shown = torch.stack((keys, values), dim=2)
        answers = torch.stack((keys.gather(1, asked), values.gather(1, asked)), dim=2)
        return torch.cat((shown, answers), dim=1).flatten(1)

    def _each_once(self, count: int, generator: Generator) -> Tensor:
        """Which pair each query asks for, `(count, P)`.

        To draw by weight and without putting back is to sort the logarithms of the weights with Gumbel noise.
        """
        weights = (_POWER - 1) * torch.arange(1, self.pairs + 1).log()
        noise = -torch.empty(count, self.pairs).exponential_(generator=generator).log()
        place_of_pair = (weights + noise).argsort(dim=1, descending=True)
        return place_of_pair.argsort(dim=1)

    def parents_of(self, tokens: Tensor) -> Tensor:
        """The position of the value that each answer repeats, as `(B, T, T)` bool."""
        keys, queries = tokens[:, : 2 * self.pairs : 2], tokens[:, 2 * self.pairs :: 2]
        match = queries[:, :, None] == keys[:, None, :]  # (B, M, P)
        parents = torch.zeros(len(tokens), self.length, self.length, dtype=torch.bool)
        parents[:, 2 * self.pairs + 1 :: 2, 1 : 2 * self.pairs : 2] = match
        return parents

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 99 of 100 answers are right, after every query."""
        return (accuracy >= 0.99).all(-1)
