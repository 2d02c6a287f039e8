"""In-context repetition: a phrase that comes over and over."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Annotated

from pydantic import Field

from benchbed.contracts import Prompt

from ._words import known_words, next_of


class Repetition:
    """A phrase of distinct words, several times over without a break: which word comes next?

    As in copying, the token after an earlier one like the last; there are several of these, at equal distances, so
    that a fixed distance serves as well:

         apple river tree apple river tree apple river -> tree

    Args:
        words: in the phrase. The right answer is told from the others.
        times: that it stands there before the last, broken one.
    """

    version = 1

    def __init__(
        self, *, words: Annotated[int, Field(ge=2, le=16)] = 4, times: Annotated[int, Field(ge=1, le=16)] = 3
    ) -> None:
        self._words, self._times = words, times

    def prompts(self, count: int, rng: Random, known: Callable[[Sequence[str]], list[str]]) -> list[Prompt]:
        """Random phrases; see `benchbed.contracts.Capability`."""
        words = known_words(known, self._words)
        return [self._prompt(rng.sample(words, self._words), rng) for _ in range(count)]

    def _prompt(self, words: list[str], rng: Random) -> Prompt:
        return next_of(words, rng.randrange(1, len(words)), words * self._times)
