"""In-context repetition: a phrase that comes over and over."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Annotated

from pydantic import Field

from benchbed.contracts import OptionError, Prompt

from ._words import WORDS


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
        words = known(WORDS)
        if len(words) < self._words:
            raise OptionError(f"expected {self._words} words that are one token each, found {len(words)}")
        return [self._prompt(rng.sample(words, self._words), rng) for _ in range(count)]

    def _prompt(self, words: list[str], rng: Random) -> Prompt:
        place = rng.randrange(1, len(words))
        text = "".join(f" {word}" for word in [*words * self._times, *words[:place]])
        others = tuple(f" {word}" for index, word in enumerate(words) if index != place)
        return Prompt(text, f" {words[place]}", others)
