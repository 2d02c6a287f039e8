"""What can be known of recall by who sees the values and looks at no key."""

from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest

__all__ = ["loss_without_a_key"]


def loss_without_a_key(pairs, *, each_once=True, draws=None):
    """The mean loss of the best guess of as many answers, for who sees which values the pairs have, and no key.

    An order of queries is seen by the values that were answered, and has a chance: of `AssociativeRecall` with each
    key once, each pair draws one of the places that are left, the x-th with a weight of x^-0.99. With `draws` so many
    draws of values stand for all.
    """
    if each_once:
        places = np.array([*permutations(range(pairs))])  # of each pair
        weights = (places + 1.0) ** -0.99
        chances = (weights / weights[:, ::-1].cumsum(1)[:, ::-1]).prod(1)
        orders = places.argsort(1)  # the pair of each query
    else:
        orders = np.array([*product(range(pairs), repeat=pairs)])
        chances = np.full(len(orders), 1 / len(orders))
    assert chances.sum() == pytest.approx(1)
    random = np.random.default_rng(0)
    drawn = random.integers(pairs, size=(draws, pairs)) if draws else product(range(pairs), repeat=pairs)
    alike = Counter(tuple(map(tuple(values).index, values)) for values in drawn)
    found = 0.0
    for values, count in alike.items():
        digits = np.array(values)[orders] * pairs ** np.arange(pairs)
        sequences, which = np.unique(digits.sum(1), return_inverse=True)
        assert not each_once or len(np.unique(digits[:, :-1].sum(1))) == len(sequences), "the last one is certain"
        answers = np.bincount(which, chances)
        found -= count / alike.total() * float(answers @ np.log(answers))
    return found / pairs
