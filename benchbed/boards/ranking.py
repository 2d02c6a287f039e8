"""Ranks of a board: exact tests between every pair of its entries."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from benchbed.config.protocol import SIGNIFICANT
from benchbed.results.stats import permutation_p

__all__ = ["Pair", "Place", "rank"]


class Pair(NamedTuple):
    """Two entries of a board and the test between them."""

    first: str
    second: str
    p: float
    adjusted: float
    """By Benjamini and Hochberg, over all pairs of the board."""


class Place(NamedTuple):
    """Where an entry stands, as far as the tests can tell."""

    rank: int
    """1 + entries that are significantly faster."""
    last: int
    """All entries but those that are significantly slower: as far down as it may truly be."""


def rank(board: Mapping[str, Sequence[int]]) -> tuple[dict[str, Place], list[Pair]]:
    """Rank the entries of a board: one more than the number of entries that are significantly faster.

    So whoever shares rank 1 is beaten by nobody, and no rank depends on the order in which ties are listed. At most
    one in twenty of the pairs that are told apart is expected to be alike: the false discovery rate is held, because
    methods that hold the chance of any mistake tell nothing apart among 26 entries of eight seeds.

    Args:
        board: steps of every entry.

    Returns:
        The place of every entry, and all pairs.
    """
    from scipy.stats import false_discovery_control

    couples = list(combinations(board, 2))
    values = [permutation_p(board[a], board[b]) for a, b in couples]
    adjusted = false_discovery_control(values).tolist() if values else []
    pairs = [Pair(a, b, p, q) for (a, b), p, q in zip(couples, values, adjusted, strict=True)]
    faster, slower = Counter[str](), Counter[str]()
    for pair in pairs:
        if pair.adjusted < SIGNIFICANT:
            ahead, behind = sorted(pair[:2], key=lambda name: np.mean(board[name]))
            slower[ahead] += 1
            faster[behind] += 1
    return {name: Place(1 + faster[name], len(board) - slower[name]) for name in board}, pairs
