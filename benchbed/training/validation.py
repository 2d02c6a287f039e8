"""One instance of a mixer or task meets its contract: what is asked before anything trains."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchbed.contracts import Task, TaskWithOwnParents
from benchbed.errors import PluginError
from benchbed.training.seeding import seeded_globally

__all__ = ["check_output", "check_task", "parents_in"]

_SAMPLES = 16


def check_output(make_mixer: Callable[[], nn.Module], dim: int, length: int) -> None:
    """Call a mixer once.

    Raises:
        PluginError: it is no module, or its output has another shape or type than its input.
    """
    with seeded_globally(0, "weights"):
        mixer = make_mixer()
    if not isinstance(mixer, nn.Module):
        raise PluginError(f"expected a torch.nn.Module, found {type(mixer).__name__}")
    x = torch.zeros(2, length, dim)
    with torch.no_grad():
        y = mixer(x)
    if not isinstance(y, Tensor) or y.shape != x.shape or y.dtype != x.dtype:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise PluginError(
            f"mixer {type(mixer).__name__}: expected an output of shape {tuple(x.shape)} and type {x.dtype} "
            f"(as its input), found {found}; mend its forward"
        )


def check_task(task: Task) -> None:
    """Look at an instance, and at a few sequences of it.

    Raises:
        PluginError: it breaks the contract of `benchbed.contracts.Task`.
    """
    length, vocabulary = task.length, task.vocabulary
    _expect(length >= 2 and vocabulary >= 2, "length and vocabulary of at least 2", (length, vocabulary))
    scored = task.scored
    _expect(_form(scored) == f"({length},) torch.bool on cpu", f"scored as bool ({length},) on cpu", _form(scored))
    _expect(bool(scored.any()) and not scored[0], "some scored tokens, token 0 not among them", scored.tolist())
    _expect(task.chance_loss > 0, "a chance_loss above 0", task.chance_loss)
    tokens = task.sample(_SAMPLES, torch.Generator().manual_seed(0))
    wanted = f"{(_SAMPLES, length)} torch.int64 on cpu"
    _expect(_form(tokens) == wanted, f"sample({_SAMPLES}, generator) to give {wanted}", _form(tokens))
    inside = bool(((tokens >= 0) & (tokens < vocabulary)).all())
    _expect(inside, f"tokens 0..{vocabulary - 1}", f"{int(tokens.min())}..{int(tokens.max())}")
    parents = parents_in(task, tokens)
    if parents is not None:
        shape = (1 if task.parents is not None else _SAMPLES, length, length)
        wanted = f"{shape} torch.bool on cpu"
        _expect(_form(parents) == wanted, f"parents as bool {shape[-2:]} on cpu, a sequence", _form(parents))
        _expect(not parents.triu().any(), "parents before their token", "some at it or after it")
        _expect(bool(parents[:, scored].any(-1).all()), "a parent for every scored token", "some without")
    verdict = task.solved(torch.ones(2, int(scored.sum())))
    _expect(verdict.tolist() == [True, True], "solved() to hold where every accuracy is 1", verdict.tolist())


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype} on {tensor.device.type}"


def _expect(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise PluginError(f"a task breaks its contract: expected {expected}, found {found}")


def parents_in(task: Task, tokens: Tensor) -> Tensor | None:
    """The parents in each sequence, `(1 or B, T, T)`, or None if the task declares none."""
    if task.parents is not None:
        return task.parents[None]
    return task.parents_of(tokens) if isinstance(task, TaskWithOwnParents) else None
