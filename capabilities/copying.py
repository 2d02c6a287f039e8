"""Copying: a list of words that is given once more."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Annotated

from pydantic import Field

from benchbed.contracts import Prompt

from ._words import LINE, known_words, next_of


class Copying:
    r"""A list of distinct words, and again up to some place: which comes next?

    What matters is the token after the earlier one that is like the last (Olsson et al., 2022, arXiv 2209.11895):

         apple river tree \n apple river -> tree

    Args:
        words: in the list. The right answer is told from the others of the list.
    """

    version = 1

    def __init__(self, *, words: Annotated[int, Field(ge=2, le=32)] = 8) -> None:
        self._words = words

    def prompts(self, count: int, rng: Random, known: Callable[[Sequence[str]], list[str]]) -> list[Prompt]:
        """Lists of random words; see `benchbed.contracts.Capability`."""
        words = known_words(known, self._words)
        return [self._prompt(rng.sample(words, self._words), rng) for _ in range(count)]

    def _prompt(self, words: list[str], rng: Random) -> Prompt:
        return next_of(words, rng.randrange(1, len(words)), [*words, LINE])
