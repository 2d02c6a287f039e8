"""A step recorded once, and replayed from then on: on a GPU the launch of one graph instead of hundreds of kernels.

What is recorded is which kernels run on which memory, and nothing of the Python around them: whatever changes from
step to step must lie in tensors that stay where they are.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["CapturedStep", "cuda_graph"]

_WARM = 2
"""Steps before a capture, in which libraries choose their kernels and take their memory."""


class CapturedStep:
    """A step as a graph, with buffers of its own for what it is given.

    Args:
        step: takes a batch's tensors, gives nothing, and writes into `changed`.
        batch: a batch of the shapes to come.
        changed: what a step writes into; recording leaves it as it is.
    """

    def __init__(self, step: Callable[..., None], batch: Sequence[Tensor], changed: Sequence[Tensor]) -> None:
        self._batch = [tensor.clone() for tensor in batch]
        self._replay = cuda_graph(lambda: step(*self._batch), changed)

    def __call__(self, *batch: Tensor) -> None:
        """Take a step."""
        for buffer, tensor in zip(self._batch, batch, strict=True):
            buffer.copy_(tensor)
        self._replay()


def cuda_graph(step: Callable[[], None], changed: Sequence[Tensor]) -> Callable[[], None]:
    """Record a step; what is given back takes it.

    Args:
        step: to record.
        changed: what it writes into; as before afterwards.

    Raises:
        RuntimeError: there is no CUDA device, or something in the step waits for a value.
    """
    device = changed[0].device
    if device.type != "cuda":
        raise RuntimeError(f"a device of type {device.type} has no graphs")
    before = [tensor.detach().clone() for tensor in changed]
    aside = torch.cuda.Stream(device)
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        for _ in range(_WARM):
            step()
    torch.cuda.current_stream(device).wait_stream(aside)
    with torch.no_grad():
        for tensor, value in zip(changed, before, strict=True):
            tensor.copy_(value)
    graph = torch.cuda.CUDAGraph()
    # Others of this process may take memory meanwhile: only what this thread does is recorded.
    with torch.cuda.graph(graph, pool=_pool(device), stream=aside, capture_error_mode="thread_local"):
        step()
    return graph.replay


@cache
def _pool(device: torch.device) -> Any:
    """The memory in which the graphs of a device compute, one after the other.

    Each begins with nothing in it and leaves nothing there, so that groups which do not fit beside each other need no
    more than the largest of them.
    """
    return torch.cuda.graph_pool_handle()
