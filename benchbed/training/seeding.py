"""Every random number of a member is a pure function of its seed, a purpose and an index.

So a member draws the same weights and data whatever trains beside it, on whatever device, and however often it
was stopped: there is no generator state to carry around.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Literal

import torch

__all__ = ["generator", "seeded_globally"]

Purpose = Literal["instance", "weights", "training", "held-out", "hidden"]


def generator(seed: int, purpose: Purpose, index: int = 0) -> torch.Generator:
    """A CPU generator for one purpose of one member, e.g. its `index`-th interval of training data."""
    return torch.Generator().manual_seed(_derive(seed, purpose, index))


@contextlib.contextmanager
def seeded_globally(seed: int, purpose: Purpose) -> Iterator[None]:
    """Seed the global CPU generator, which `nn.Module` constructors draw from, and put it back afterwards."""
    before = torch.random.get_rng_state()
    torch.default_generator.manual_seed(_derive(seed, purpose, 0))
    try:
        yield
    finally:
        torch.random.set_rng_state(before)


def _derive(seed: int, purpose: str, index: int) -> int:
    digest = hashlib.sha256(f"benchbed/{purpose}/{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
