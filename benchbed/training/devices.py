"""How many threads a kernel uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["single_threaded"]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Kernels of one thread inside, as many as before outside.

    For matrices so small that threads would wait for each other longer than they compute: where other processes hold
    the cores, for minutes.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
