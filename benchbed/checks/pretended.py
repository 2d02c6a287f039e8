"""A CUDA device that is not there: what would go wrong on one, found with tensors that have a device and no numbers.

torch's fake tensors know shapes, types and devices. Moved to `cuda`, they show a tensor that was left on the CPU, and
a value that is asked for between two evaluations, where a GPU would stand still until it is known. An index that lies
on the CPU fails nothing and is sent to the device at every step, which no graph can record. The backward pass and
kernels of cuDNN cannot be pretended.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchbed.checks.findings import Note
from benchbed.training.recipe import Recipe
from benchbed.training.step.forward import Forward, fixed_tensors, flatten
from benchbed.training.step.optimiser import RowAdamW

__all__ = ["NOT_PRETENDED", "why_not_cuda", "why_not_pretended"]

NOT_PRETENDED = "its kernels cannot be pretended"
"""What `why_not_cuda` says of a mixer that asks a library of NVIDIA for its kernels, as torch's LSTM does."""

_CUDA = torch.device("cuda")


class _Moves(TorchDispatchMode):
    """Refuses copies from the device to the CPU, and to it; all else that waits has no answer for a fake tensor.

    A number may come along with a kernel.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        made = [one for one in tree_leaves(result) if isinstance(one, Tensor)]
        if any(one.is_cuda for one in given) and any(not one.is_cuda for one in made):
            raise _CopiedError
        if any(not one.is_cuda and one.ndim for one in given) and any(one.is_cuda for one in [*given, *made]):
            raise _SentError
        return result


class _CopiedError(Exception):
    """A tensor was copied to the CPU."""


class _SentError(Exception):
    """A tensor was copied to the device."""


def why_not_pretended() -> str | None:
    """Why this torch cannot pretend the device on this machine; None where it can."""
    if not torch.backends.cuda.is_built():
        # Autograd asks for the device's guard, and such a build ends the process over it.
        return "not tried: this build of torch is for machines without CUDA"
    try:
        with FakeTensorMode() as mode:
            mode.from_tensor(torch.empty(1)).to(_CUDA)
    except RuntimeError:  # torch 2.9 asks the driver
        return "not tried: this release of torch needs a driver of CUDA for it"
    return None


def why_not_cuda(recipe: Recipe, *, vectorise: bool = True) -> Note | None:
    """What would go wrong in a step and an evaluation of two members on a GPU; None where nothing can be seen.

    Args:
        recipe: of the members.
        vectorise: both as one, as the engine does on a GPU; else one alone.
    """
    if reason := why_not_pretended():
        return Note(reason)
    count = 2 if vectorise else 1
    task = recipe.make_task(0)
    models = [recipe.make_model(seed, task) for seed in range(count)]
    shared, own = fixed_tensors(models, torch.device("cpu"))
    weights, rates = torch.stack([flatten(model) for model in models]), torch.full((count, 1), 1e-3)
    drawn = [rows[:1].expand(count, -1, -1).contiguous() for rows in recipe.training_data(0, task, 0)]
    try:
        with FakeTensorMode() as mode:

            def there(tensor: Tensor) -> Tensor:
                return mode.from_tensor(tensor).to(_CUDA)

            _move(models[0], there)
            tokens, targets = map(there, drawn)
            alike, apart = ({name: there(tensor) for name, tensor in held.items()} for held in (shared, own))
            forward = Forward(models[0], vectorise=vectorise)
            optimiser = RowAdamW(there(weights), there(rates), recipe.optimiser, budget=1)
            with _Moves():
                losses = forward.token_losses(optimiser.weights, alike, apart, tokens, targets)
                optimiser.step(torch.zeros_like(optimiser.weights))
                with torch.no_grad():
                    hits = forward.logits(optimiser.weights, alike, apart, tokens).argmax(dim=-1) == targets
        where = {tensor.device.type for tensor in (losses, hits)}
        return None if where == {"cuda"} else Note("on CUDA its output would lie on the CPU")
    except (_CopiedError, DataDependentOutputException, DynamicOutputShapeException):
        return Note("on CUDA every step would wait for a value: no .item(), .cpu() or branch on a tensor's value")
    except _SentError:
        return Note("on CUDA every step would send a tensor there: no index that is a list; register_buffer")
    except Exception as error:  # whatever a mixer's own code makes of a device that is not there
        told = " ".join(str(error).split())
        if "data pointer" in told:
            return Note(NOT_PRETENDED)
        return Note(f"on CUDA it would fail: {type(error).__name__}: {told[:160]}")


def _move(model: nn.Module, there: Any) -> None:
    """Put every parameter and buffer of a model on the device, in its place."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved = there(parameter).detach()
                module._parameters[name] = nn.Parameter(moved, requires_grad=parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = there(buffer)
