"""The numbers of docs/protocol.md that several parts share."""

__all__ = [
    "CONFIDENCE",
    "CONTRADICTED",
    "FRESH_SEEDS",
    "KNOWN",
    "MINIMUM_SEEDS",
    "PLATEAU_END",
    "POWER",
    "SIGNIFICANT",
]

MINIMUM_SEEDS = 8
"""Fewer scored seeds are shown and not ranked: three against three cannot give an exact p below 0.10."""

CONFIDENCE = 0.95
"""Of every interval."""

SIGNIFICANT = 0.05
"""Pairs with a smaller adjusted p are told apart."""

POWER = 0.8
"""A ratio is called detectable where a test would tell it apart in this share of tries."""

FRESH_SEEDS = range(1_000_000, 1_000_032)
"""No track scores or tunes on them; a second look at a pair or an entry does."""

CONTRADICTED = 0.01
"""An entry is disputed where training it again has a smaller p: of a hundred that are what they say, one is. At one
in twenty, which is right for a pair, whoever verifies a board would dispute honest entries each time.
"""

PLATEAU_END = 0.94
"""The plateau is over at a scored loss of this share of the chance loss: about one output of sixteen learned."""

KNOWN = 0.95
"""A scored token is known where more than this share of held-out sequences has it right. No score rests on it."""
