"""What an instance of a task must satisfy before anything trains on it."""

import torch

from benchbed.contracts import Task
from benchbed.errors import PluginError

__all__ = ["check_task"]

_SAMPLES = 16


def check_task(task: Task) -> None:
    """Look at an instance, and at a few sequences of it.

    Raises:
        PluginError: it breaks the contract of `benchbed.contracts.Task`.
    """
    length, vocabulary = task.length, task.vocabulary
    _expect(length >= 2 and vocabulary >= 2, "length and vocabulary of at least 2", (length, vocabulary))
    scored = task.scored
    _expect(scored.dtype == torch.bool and scored.shape == (length,), f"scored as bool ({length},)", _form(scored))
    _expect(bool(scored.any()) and not scored[0], "some scored tokens, token 0 not among them", scored.tolist())
    if task.parents is not None:
        form = _form(task.parents)
        _expect(form == f"{(length, length)} torch.bool", f"parents as bool ({length}, {length}) or None", form)
        _expect(not task.parents.triu().any(), "parents before their token", "some at it or after it")
        _expect(bool(task.parents[scored].any(1).all()), "a parent for every scored token", "some without")
    _expect(task.chance_loss > 0, "a chance_loss above 0", task.chance_loss)
    tokens = task.sample(_SAMPLES, torch.Generator().manual_seed(0))
    wanted = f"{(_SAMPLES, length)} torch.int64"
    _expect(_form(tokens) == wanted, f"sample({_SAMPLES}, generator) to give {wanted}", _form(tokens))
    inside = bool(((tokens >= 0) & (tokens < vocabulary)).all())
    _expect(inside, f"tokens 0..{vocabulary - 1}", f"{int(tokens.min())}..{int(tokens.max())}")
    verdict = task.solved(torch.ones(2, int(scored.sum())))
    _expect(verdict.tolist() == [True, True], "solved() to hold where every accuracy is 1", verdict.tolist())


def _form(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype}"


def _expect(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise PluginError(f"a task breaks its contract: expected {expected}, found {found}")
