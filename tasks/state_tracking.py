"""State tracking: what is the product of a group's elements so far?

Architectures are compared on words over groups by Merrill, Petty and Sabharwal, "The Illusion of State", 2024 (arXiv
2404.08819), Grazzi et al., 2024 (arXiv 2411.12537) and Siems et al., "DeltaProduct", 2025 (arXiv 2502.10297).
"""

import math
from itertools import permutations
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

Group = Literal["parity", "s3", "a5", "s5"]
_POINTS: dict[Group, int] = {"parity": 2, "s3": 3, "a5": 5, "s5": 5}


class StateTracking:
    """Random elements of a group: after each of them, what is the product of all so far (Merrill et al., 2024)?

    A sequence is x0 x1 ... xL, uniform in the group. Asked for after each of the first L is x0 x1 ... xt, one
    permutation followed by the next; it is shown nowhere, so that it has to be kept. Nothing is random about an
    instance. A product depends on all elements before it: nothing is sparse, and every element changes the state.

        parity: 0 1 1 0 (1)  ->  0 1 0 0

    Args:
        generator: not used.
        group: parity (two elements), s3 (all permutations of three points, 6), a5 (the even ones of five, 60; the
            smallest group that no chain of simple counters tracks, so that its words are complete for NC1), s5 (120).
        steps: L, elements whose product is asked for.
    """

    version = 1

    def __init__(
        self, generator: Generator, *, group: Group = "s3", steps: Annotated[int, Field(ge=2, le=4096)] = 16
    ) -> None:
        elements = _elements(group)
        self.vocabulary = len(elements)
        # The last element is fed and asked for nothing: a place is predicted from the token before it.
        self.length = steps + 1
        self.scored = torch.arange(self.length) > 0
        self.parents = torch.ones(self.length, self.length, dtype=torch.bool).tril(-1)
        self.chance_loss = math.log(self.vocabulary)
        self.products = _products(elements)
        self.oracle = self.targets

    def sample(self, count: int, generator: Generator) -> Tensor:
        """Draw `count` sequences, `(count, L + 1)` int64."""
        return torch.randint(self.vocabulary, (count, self.length), generator=generator)

    def targets(self, tokens: Tensor) -> Tensor:
        """The product of all elements so far, `(B, L)`."""
        states = [tokens[:, 0]]
        for element in tokens[:, 1:-1].unbind(1):
            states.append(self.products[states[-1], element])
        return torch.stack(states, dim=1)

    def solved(self, accuracy: Tensor) -> Tensor:
        """At least 99 of 100 products are right, after every element."""
        return (accuracy >= 0.99).all(-1)


def _elements(group: Group) -> list[tuple[int, ...]]:
    every = list(permutations(range(_POINTS[group])))
    return [element for element in every if group != "a5" or _is_even(element)]


def _is_even(element: tuple[int, ...]) -> bool:
    swapped = sum(earlier > later for i, later in enumerate(element) for earlier in element[:i])
    return swapped % 2 == 0


def _products(elements: list[tuple[int, ...]]) -> Tensor:
    """The number of "the one, then the other" for any two elements, `(G, G)`."""
    numbers = {element: number for number, element in enumerate(elements)}
    return torch.tensor([[numbers[tuple(then[i] for i in first)] for then in elements] for first in elements])
