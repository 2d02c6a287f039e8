"""When did which output jump? A loss that stays on its plateau and falls within a few evaluations."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Jump", "events", "find_jumps"]

_STEEP = 0.05
"""Share of the chance loss that a loss falls between two evaluations while it jumps."""
_HIGH = 0.25
"""Share of the chance loss that a jump falls in all, at least."""


class Jump(NamedTuple):
    """One abrupt fall of one scored token's loss."""

    token: int
    """Number of the scored token, from 0."""
    begin: int
    """Step of the last evaluation before the fall."""
    end: int
    """Step of the first evaluation after it."""
    before: float
    after: float
    """Loss in nats at both."""


def find_jumps(steps: Sequence[int], losses: np.ndarray, chance_loss: float) -> list[Jump]:
    """Every jump, in order of its begin.

    A jump is an unbroken run of evaluations between which the lowest loss so far falls by a twentieth of chance each
    time, and by a quarter of chance in all. Of the lowest so far, because the way back from a spike is no discovery.

    Args:
        steps: of the K evaluations.
        losses: `(K, N)` in nats.
        chance_loss: in nats.
    """
    found = []
    for token, curve in enumerate(np.minimum.accumulate(losses).T):
        steep = np.concatenate(([False], -np.diff(curve) >= _STEEP * chance_loss, [False]))
        edges = np.flatnonzero(np.diff(steep.astype(int)))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if curve[first] - curve[last] >= _HIGH * chance_loss:
                found.append(Jump(token, steps[first], steps[last], float(curve[first]), float(curve[last])))
    return sorted(found, key=lambda jump: (jump.begin, jump.token))


def events(jumps: Sequence[Jump]) -> list[tuple[int, int]]:
    """Begin and end of the times at which anything jumps: jumps that overlap are one."""
    merged: list[tuple[int, int]] = []
    for jump in sorted(jumps, key=lambda jump: jump.begin):
        if merged and jump.begin < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], jump.end)
        else:
            merged.append((jump.begin, jump.end))
    return merged
