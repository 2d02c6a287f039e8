"""Pattern completion: a line of digits that is given once more, in which one digit does not tell the next."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Annotated

from pydantic import Field

from benchbed.contracts import OptionError, Prompt

from ._words import DIGITS, LINE


class PatternCompletion:
    r"""A line of digits, and again but for the last: which is it (Baherwani et al. 2026, arXiv 2606.25010)?

    The digit before the last stands in the line a second time, with another digit after it, so that one token of
    context leaves two answers, and the place or a longer match decides:

         0 7 3 1 2 0 2 3 \n 0 7 3 1 2 0 2 -> 3

    Args:
        digits: in the line. The right answer is told from all other digits.
    """

    version = 1

    def __init__(self, *, digits: Annotated[int, Field(ge=4, le=32)] = 8) -> None:
        self._digits = digits

    def prompts(self, count: int, rng: Random, known: Callable[[Sequence[str]], list[str]]) -> list[Prompt]:
        """Random lines; see `benchbed.contracts.Capability`."""
        digits = known(DIGITS)
        if len(digits) < len(DIGITS):
            raise OptionError(f"expected ten digits that are one token each after a space, found {len(digits)}")
        return [self._prompt(rng) for _ in range(count)]

    def _prompt(self, rng: Random) -> Prompt:
        line = rng.choices(DIGITS, k=self._digits)
        asked, before = line[-1], line[-2]
        place = rng.randrange(self._digits - 3)
        line[place], line[place + 1] = before, rng.choice([digit for digit in DIGITS if digit != asked])
        text = "".join(f" {digit}" for digit in [*line, LINE, *line[:-1]])
        return Prompt(text, f" {asked}", tuple(f" {digit}" for digit in DIGITS if digit != asked))
