"""Every random number of a member is a pure function of its seed, a purpose and an index.

So a member draws the same weights and data whatever trains beside it, on whatever device, and however often it
was stopped: there is no generator state to carry around.
"""

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from benchbed.errors import PluginError

__all__ = ["generator", "seeded_globally"]

Purpose = Literal["instance", "weights", "training", "held-out", "hidden"]


def generator(seed: int, purpose: Purpose, index: int = 0) -> torch.Generator:
    """A CPU generator for one purpose of one member, e.g. its `index`-th interval of training data."""
    return torch.Generator().manual_seed(_derive(seed, purpose, index))


@contextlib.contextmanager
def seeded_globally(seed: int, purpose: Purpose) -> Iterator[None]:
    """Seed the global CPU generator, which `nn.Module` constructors draw from, and put it back afterwards.

    NumPy's and Python's are seeded as well, because some constructors draw from those. A default type that is set
    inside is set for nobody else.

    Raises:
        PluginError: torch's generator was seeded anew inside, so that every seed would start alike.
    """
    derived = _derive(seed, purpose, 0)
    before = torch.random.get_rng_state(), np.random.get_state(), random.getstate(), torch.get_default_dtype()
    torch.default_generator.manual_seed(derived)
    np.random.seed(derived % 2**32)
    random.seed(derived)
    try:
        yield
        if torch.default_generator.initial_seed() != derived:
            raise PluginError(
                "expected weights drawn from torch's global generator as it is, found a call of torch.manual_seed in "
                "__init__, with which every seed starts alike"
            )
    finally:
        torch.random.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
        torch.set_default_dtype(before[3])


def _derive(seed: int, purpose: str, index: int) -> int:
    digest = hashlib.sha256(f"benchbed/{purpose}/{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
