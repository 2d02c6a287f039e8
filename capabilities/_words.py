"""Words that prompts are made of: short, common, and one token each in the vocabularies of English models.

A capability asks the tokenizer at hand which of them it knows. The models that `benchbed lm train` makes know all.
"""

from collections.abc import Callable, Sequence

from benchbed.contracts import OptionError, Prompt

__all__ = ["DIGITS", "LINE", "NAMES", "PLACES", "STORY", "THINGS", "WORDS", "known_words", "next_of"]

DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
LINE = "\n"
# fmt: off
WORDS = (
    "apple", "bird", "boat", "book", "bread", "bridge", "chair", "city", "cloud", "coat", "corn", "door",
    "dress", "farm", "field", "fire", "fish", "flower", "garden", "glass", "gold", "grass", "hand", "hat",
    "hill", "horse", "house", "island", "key", "lake", "leaf", "letter", "light", "map", "milk", "moon",
    "mouse", "paper", "park", "pen", "plant", "rain", "ring", "river", "road", "rock", "roof", "rose", "salt",
    "sand", "ship", "shoe", "snow", "star", "stone", "street", "sun", "table", "tree", "wall", "water",
    "wheel", "wind", "wood",
)
NAMES = (
    "John", "Mary", "James", "Robert", "Michael", "David", "William", "Richard", "Thomas", "Mark", "Paul",
    "George", "Kevin", "Sarah", "Lisa", "Anna", "Laura", "Alice", "Peter", "Simon",
)
PLACES = (
    "store", "school", "office", "station",
)
THINGS = (
    "drink", "ball", "kiss", "present",
)
STORY = (
    "When", "and", "went", "to", "the", ",", "gave", "a",
)
"""What the sentences of indirect object identification have besides names, places and things."""
# fmt: on


def known_words(known: Callable[[Sequence[str]], list[str]], count: int) -> list[str]:
    """The words that a tokenizer knows, if there are enough for a list of `count`."""
    words = known(WORDS)
    if len(words) < count:
        raise OptionError(f"expected {count} words that are one token each, found {len(words)}")
    return words


def next_of(words: Sequence[str], place: int, before: Sequence[str]) -> Prompt:
    """The word at a place of a list, after `before` and the list up to there; it is told from the others."""
    text = "".join(f" {word}" for word in [*before, *words[:place]])
    return Prompt(text, f" {words[place]}", tuple(f" {word}" for i, word in enumerate(words) if i != place))
