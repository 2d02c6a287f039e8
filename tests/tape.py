"""A CUDA graph that is pretended on a CPU: the operations of a step on the memory that they ran on, and no Python.

As with a graph, whatever the step's Python would do otherwise the next time is lost: numbers that are no tensors stay
as they were, and tensors that are made anew outside are not seen.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

__all__ = ["Tape", "tape"]


class Tape(TorchDispatchMode):
    """Records every operation of a step; refuses one that asks for a value, as a capture does."""

    def __init__(self):
        super().__init__()
        self.operations = []
        self.kept = []
        """Every tensor that was made, so that no address is given twice."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            raise RuntimeError("operation not permitted when stream is capturing")
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        self.kept += [leaf for leaf in tree_flatten((args, result))[0] if isinstance(leaf, torch.Tensor)]
        return result

    def replay(self):
        made = {}

        def now(tensor):
            return made.get(id(tensor), tensor)

        with torch.no_grad():
            for func, args, kwargs, result in self.operations:
                found = func(*tree_map_only(torch.Tensor, now, args), **tree_map_only(torch.Tensor, now, kwargs))
                for old, new in zip(tree_flatten(result)[0], tree_flatten(found)[0], strict=True):
                    if isinstance(old, torch.Tensor):
                        made[id(old)] = new


def tape(step, changed):
    """In place of `cuda_graph`."""
    before = [tensor.detach().clone() for tensor in changed]
    with Tape() as recorded:
        step()
    with torch.no_grad():
        for tensor, value in zip(changed, before, strict=True):
            tensor.copy_(value)
    return recorded.replay
