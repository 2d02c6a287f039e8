"""What can be told of a token from a few others, by counting: the measurements behind the checks of a task."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchbed.checks.findings import Note
from benchbed.contracts import Task
from benchbed.training.seeding import generator
from benchbed.training.validation import parents_in, targets_in

__all__ = ["Counted", "Oracle", "find_oracle", "uncountable"]

_CONTEXTS = 2**16
"""Most combinations of tokens that are counted in one table."""

Oracle = Callable[[Tensor], Tensor]
"""See `benchbed.contracts.TaskWithOracle`."""

Columns = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The tokens of each sequence that a table sees, `(K, B)`, in the two samples of `Counted`."""


class Counted:
    """Two samples of an instance: tables are counted on one and tried on the other.

    Args:
        task: the instance.
        small: tables will see few tokens, and few sequences do; else enough for all parents of a token.
    """

    def __init__(self, task: Task, *, small: bool = False) -> None:
        self.vocabulary = task.vocabulary
        self.scored: list[int] = task.scored.nonzero().flatten().tolist()
        count = 2**12 if small else min(2**18, max(2**12, 16 * _contexts(task)))
        samples = task.sample(count, generator(0, "training")), task.sample(2**12, generator(0, "held-out"))
        self._samples = samples
        # A token or a target of all sequences side by side: thousands of small tables are counted over them.
        self._tokens = [np.ascontiguousarray(sample.T.numpy()) for sample in samples]
        self._targets = [np.ascontiguousarray(targets_in(task, sample).T.numpy()) for sample in samples]
        self._parents = None if small else [parents_in(task, sample) for sample in samples]

    def fixed(self, columns: list[int]) -> Columns:
        """The same tokens of every sequence."""
        first, second = (tokens[columns] for tokens in self._tokens)
        return first, second

    def parents(self, token: int) -> Columns:
        """The parents of a token in every sequence."""
        assert self._parents is not None
        mine = [parents[:, token] for parents in self._parents if parents is not None]
        number = int(mine[0][0].sum())
        assert all(bool((rows.sum(1) == number).all()) for rows in mine), "as many parents in every sequence"
        indices = (rows.float().topk(number, dim=1).indices.sort(dim=1).values for rows in mine)
        first, second = (
            sample.gather(1, index.expand(len(sample), -1)).T.numpy()
            for sample, index in zip(self._samples, indices, strict=True)
        )
        return first, second

    def accuracy(self, token: int, columns: Columns) -> float:
        """How often `token` is what most often went with the same values of `columns`."""
        keys, tried = (self.vocabulary ** np.arange(len(values)) @ values for values in columns)
        cells, place = self.vocabulary ** (len(columns[0]) + 1), self.scored.index(token)
        counts = np.bincount(keys * self.vocabulary + self._targets[0][place], minlength=cells)
        likeliest = counts.reshape(-1, self.vocabulary).argmax(1)
        return float((likeliest[tried] == self._targets[1][place]).mean())


def find_oracle(task: Task) -> Oracle | None:
    """The task's own oracle, if it has one."""
    return getattr(task, "oracle", None)


def _contexts(task: Task) -> int:
    """How many combinations of values the parents of a token can take, at most."""
    parents = parents_in(task, task.sample(1, generator(0, "training")))
    return task.vocabulary ** int(parents.sum(-1).max()) if parents is not None else 0


def uncountable(task: Task) -> Note | None:
    """Why no table over the parents can be counted, or None if one can."""
    contexts = _contexts(task)
    if not contexts:
        return Note("not tried: the task declares no parents")
    if contexts > _CONTEXTS:
        return Note(f"not tried: its parents take {contexts:.2g} combinations of values, too many to count")
    return None
