"""Indirect object identification: of two people, the one who is not doing it."""

from collections.abc import Callable, Sequence
from random import Random

from benchbed.contracts import OptionError, Prompt

from ._words import NAMES, PLACES, STORY, THINGS


class IndirectObject:
    """Two names, one of them again as the giver: to whom is it given (Wang et al. 2022, arXiv 2211.00593)?

    The answer is the name that stands only once; either order comes as often:

         When Mary and John went to the store, John gave a drink to -> Mary
    """

    version = 1

    def prompts(self, count: int, rng: Random, known: Callable[[Sequence[str]], list[str]]) -> list[Prompt]:
        """Sentences of random names; see `benchbed.contracts.Capability`."""
        names, places, things = known(NAMES), known(PLACES), known(THINGS)
        around = [word for word in STORY if word.isalpha()]
        if len(names) < 4 or not places or not things or known(around) != around:
            raise OptionError(f"expected four names and an English sentence around them, found {len(names)} names")
        return [self._prompt(rng.sample(names, 2), rng.choice(places), rng.choice(things), rng) for _ in range(count)]

    def _prompt(self, names: list[str], place: str, thing: str, rng: Random) -> Prompt:
        receiver, giver = names
        first, second = rng.sample(names, 2)
        text = f" When {first} and {second} went to the {place}, {giver} gave a {thing} to"
        return Prompt(text, f" {receiver}", (f" {giver}",))
