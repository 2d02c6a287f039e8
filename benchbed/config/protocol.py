"""The numbers of docs/protocol.md that several parts share."""

__all__ = ["CONFIDENCE", "MINIMUM_SEEDS", "PLATEAU_END", "SIGNIFICANT"]

MINIMUM_SEEDS = 8
"""Fewer scored seeds are shown and not ranked: three against three cannot give an exact p below 0.10."""

CONFIDENCE = 0.95
"""Of every interval."""

SIGNIFICANT = 0.05
"""Pairs with a smaller adjusted p are told apart."""

PLATEAU_END = 0.94
"""The plateau is over at a scored loss of this share of the chance loss: about one output of sixteen learned."""
