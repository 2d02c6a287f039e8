"""What can be told of a token from a few others, by counting: the measurements behind the checks of a task."""

from collections.abc import Callable

import torch
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

Columns = tuple[Tensor, Tensor]
"""Which tokens of each sequence a table sees, `(1 or B, K)`, in the two samples of `Counted`."""


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
        self.samples = task.sample(count, generator(0, "training")), task.sample(2**12, generator(0, "held-out"))
        self._targets = [targets_in(task, sample) for sample in self.samples]
        self._parents = None if small else [parents_in(task, sample) for sample in self.samples]

    def fixed(self, columns: list[int]) -> Columns:
        """The same tokens of every sequence."""
        index = torch.tensor([columns], dtype=torch.long)
        return index, index

    def parents(self, token: int) -> Columns:
        """The parents of a token in every sequence."""
        assert self._parents is not None
        mine = [parents[:, token] for parents in self._parents if parents is not None]
        number = int(mine[0][0].sum())
        assert all(bool((rows.sum(1) == number).all()) for rows in mine), "as many parents in every sequence"
        first, second = (rows.float().topk(number, dim=1).indices.sort(dim=1).values for rows in mine)
        return first, second

    def accuracy(self, token: int, columns: Columns) -> float:
        """How often `token` is what most often went with the same values of `columns`."""
        number = columns[0].shape[1]
        radix = self.vocabulary ** torch.arange(number)
        keys, tried = (
            (sample.gather(1, index.expand(len(sample), -1)) * radix).sum(1)
            for sample, index in zip(self.samples, columns, strict=True)
        )
        cells, place = self.vocabulary ** (number + 1), self.scored.index(token)
        counts = torch.bincount(keys * self.vocabulary + self._targets[0][:, place], minlength=cells)
        likeliest = counts.view(-1, self.vocabulary).argmax(1)
        return float((likeliest[tried] == self._targets[1][:, place]).float().mean())


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
