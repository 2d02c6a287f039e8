"""Conformance of a task: what it must satisfy before a score on it means anything.

`check_task(task)` looks at an instance before every run. `benchbed check --task NAME` and `conformance_tests(MyTask)`
also measure, by counting and without training, that what the task says of itself is true: that its parents are
what its tokens depend on, that nothing easier solves it, and that chance is where it says.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbed.contracts import Task
from benchbed.errors import PluginError
from benchbed.findings import Check, Finding, Note, as_tests, run_checks
from benchbed.seeding import generator

__all__ = ["TASK_CHECKS", "TaskSubject", "check_task", "conformance_tests", "task_conformance"]

_SAMPLES = 16
_INSTANCES = 8
"""Instances that the statistical checks look at."""
_CONTEXTS = 2**16
"""Most combinations of tokens that are counted in one table."""
_RECENT = 12
"""Earlier scored tokens, the latest ones, that a shortcut may use in pairs."""


@dataclass(frozen=True)
class TaskSubject:
    """A task under test."""

    task: Callable[..., Task]
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, seed: int = 0) -> Task:
        """The instance that belongs to a seed."""
        return self.task(generator(seed, "instance"), **self.options)

    def instances(self) -> list[Task]:
        """Those of the first seeds."""
        return [self.build(seed) for seed in range(_INSTANCES)]


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
    if task.parents is not None:
        form = _form(task.parents)
        wanted = f"{(length, length)} torch.bool on cpu"
        _expect(form == wanted, f"parents as bool ({length}, {length}) on cpu, or None", form)
        _expect(not task.parents.triu().any(), "parents before their token", "some at it or after it")
        _expect(bool(task.parents[scored].any(1).all()), "a parent for every scored token", "some without")
    _expect(task.chance_loss > 0, "a chance_loss above 0", task.chance_loss)
    tokens = task.sample(_SAMPLES, torch.Generator().manual_seed(0))
    wanted = f"{(_SAMPLES, length)} torch.int64 on cpu"
    _expect(_form(tokens) == wanted, f"sample({_SAMPLES}, generator) to give {wanted}", _form(tokens))
    inside = bool(((tokens >= 0) & (tokens < vocabulary)).all())
    _expect(inside, f"tokens 0..{vocabulary - 1}", f"{int(tokens.min())}..{int(tokens.max())}")
    verdict = task.solved(torch.ones(2, int(scored.sum())))
    _expect(verdict.tolist() == [True, True], "solved() to hold where every accuracy is 1", verdict.tolist())


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype} on {tensor.device.type}"


def _expect(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise PluginError(f"a task breaks its contract: expected {expected}, found {found}")


def _contract(subject: TaskSubject) -> str | None:
    for task in subject.instances():
        version = getattr(task, "version", None)
        if not isinstance(version, int):
            return f"expected an attribute `version: int`, found {version!r}"
        try:
            check_task(task)
        except PluginError as error:
            return str(error)
    return None


def _same_data(subject: TaskSubject) -> str | None:
    """A seed's data is the same wherever and whenever it is drawn."""
    drawn = []
    for chaos in (1, 2):
        with _global_seed(chaos):
            task = subject.build()
            drawn += [task.sample(64, torch.Generator().manual_seed(5)) for _ in range(2)]
    if not all(torch.equal(drawn[0], other) for other in drawn[1:]):
        return (
            "equal generators give other sequences; draw everything from the generator that is handed in, and keep "
            "nothing between calls"
        )
    stream = torch.Generator().manual_seed(5)
    first, second = task.sample(64, stream), task.sample(64, stream)
    if torch.equal(first, second):
        return "a generator that has moved on gives the same sequences again; held-out data would be training data"
    if len(first.unique(dim=0)) == 1:
        return "all sequences of a sample are equal"
    return None


def _chance(subject: TaskSubject) -> str | None:
    """`chance_loss` is what the best constant prediction of each token reaches, over all instances."""
    claimed, frequencies = subject.build().chance_loss, _frequencies(subject)
    measured = float(torch.special.entr(frequencies).sum(1).mean())
    if abs(claimed - measured) > 0.02 * measured:
        return f"chance_loss is {claimed:.4f} nats; the best constant prediction of each token reaches {measured:.4f}"
    return None


def _criterion(subject: TaskSubject) -> str | None:
    """`solved` accepts a perfect model and no guess."""
    task = subject.build()
    guess = _frequencies(subject).amax(1)
    for accuracy, what in ((torch.zeros_like(guess), "no token is right"), (guess, "constants are guessed")):
        if bool(task.solved(accuracy)):
            return f"solved() holds where {what}"
    rows = torch.stack((torch.ones_like(guess), guess)).repeat(3, 1, 1)
    verdict = task.solved(rows)
    if verdict.dtype != torch.bool or verdict.tolist() != [[True, False]] * 3:
        return f"solved() must give one bool a row of accuracies, found {verdict.tolist()} for (3, 2, N)"
    return None


def _parents_suffice(subject: TaskSubject) -> str | None:
    """An oracle that sees a token's parents and nothing else solves the task."""
    for seed, task in enumerate(subject.instances()):
        if isinstance(families := _families(task), Note):
            return families
        accuracy = torch.tensor([_Counted(task, parents).accuracy(token, parents) for token, parents in families])
        if not bool(task.solved(accuracy)):
            worst = int(accuracy.argmin())
            token, parents = families[worst]
            return (
                f"instance {seed}: what depends on its parents alone does not solve it: token {token} is right in "
                f"{accuracy[worst]:.0%} of sequences from its parents {parents}"
            )
    return None


def _parents_needed(subject: TaskSubject) -> str | None:
    """Without one of its parents a token cannot be told as well; a tenth may be idle, as in a random table."""
    idle, total = [], 0
    for seed, task in enumerate(subject.instances()):
        if isinstance(families := _families(task), Note):
            return families
        for token, parents in families:
            counted = _Counted(task, parents)
            whole = counted.accuracy(token, parents)
            total += len(parents)
            for parent in parents:
                others = [p for p in parents if p != parent]
                if counted.accuracy(token, others) > whole - 0.01:
                    idle.append(f"instance {seed}: token {token} is told as well without its parent {parent}")
    return f"{idle[0]} ({len(idle)} of {total} parents are idle)" if len(idle) > total / 10 else None


def _no_shortcut(subject: TaskSubject) -> str | None:
    """Looking at earlier scored tokens alone does not solve it: their latest, each of them, and pairs of them."""
    for seed, task in enumerate(subject.instances()):
        scored, accuracy = task.scored.nonzero().flatten().tolist(), []
        counted = _Counted(task, [])
        for position, token in enumerate(scored):
            earlier = scored[:position]
            latest = [earlier[-n:] for n in range(3, 9) if n <= len(earlier) and task.vocabulary**n <= 2**12]
            sets = [[], *([e] for e in earlier), *map(list, combinations(earlier[-_RECENT:], 2)), *latest]
            accuracy.append(max(counted.accuracy(token, columns) for columns in sets))
        if bool(task.solved(torch.tensor(accuracy))):
            return (
                f"instance {seed}: guessing each token from at most a few earlier scored tokens solves it "
                f"(mean accuracy {np.mean(accuracy):.3f})"
            )
    return None


class _Counted:
    """Two samples of an instance: tables are counted on one and tried on the other.

    Args:
        task: the instance.
        columns: the most tokens that a table will see; they decide how many sequences are drawn.
    """

    def __init__(self, task: Task, columns: list[int]) -> None:
        self.vocabulary = task.vocabulary
        count = min(2**18, max(2**12, 16 * task.vocabulary ** len(columns)))
        self.seen = task.sample(count, generator(0, "training"))
        self.held_out = task.sample(2**12, generator(0, "held-out"))

    def accuracy(self, token: int, columns: list[int]) -> float:
        """How often `token` is what most often went with the same values of `columns`."""
        radix = self.vocabulary ** torch.arange(len(columns))
        keys, tried = ((tokens[:, columns] * radix).sum(1) for tokens in (self.seen, self.held_out))
        cells = self.vocabulary ** (len(columns) + 1)
        counts = torch.bincount(keys * self.vocabulary + self.seen[:, token], minlength=cells)
        likeliest = counts.view(-1, self.vocabulary).argmax(1)
        return float((likeliest[tried] == self.held_out[:, token]).float().mean())


def _families(task: Task) -> list[tuple[int, list[int]]] | Note:
    """Every scored token with its parents, or why they cannot be counted."""
    if task.parents is None:
        return Note("not tried: the task declares no parents")
    scored = task.scored.nonzero().flatten().tolist()
    families = [(token, task.parents[token].nonzero().flatten().tolist()) for token in scored]
    most = max(len(parents) for _, parents in families)
    if task.vocabulary**most > _CONTEXTS:
        return Note(f"not tried: {most} parents of {task.vocabulary} values each are too many to count")
    return families


def _frequencies(subject: TaskSubject) -> Tensor:
    """How often each scored token takes each value, over instances, `(N, V)`."""
    tables = []
    for task in subject.instances():
        tokens = task.sample(2**12, generator(0, "training"))[:, task.scored]
        tables.append(torch.nn.functional.one_hot(tokens, task.vocabulary).double().mean(0))
    return torch.stack(tables).mean(0)


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Every global generator in a given state, and as before afterwards (torch's is kept by `run_checks`)."""
    before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


TASK_CHECKS: dict[str, Check[TaskSubject]] = {
    "contract": _contract,
    "same seed, same data": _same_data,
    "chance level": _chance,
    "criterion": _criterion,
    "parents suffice": _parents_suffice,
    "parents needed": _parents_needed,
    "no shortcut": _no_shortcut,
}


def task_conformance(subject: TaskSubject) -> Iterator[Finding]:
    """Run the checks one by one."""
    return run_checks(TASK_CHECKS, subject)


def conformance_tests(task: type, **options: Any) -> Callable[[str], None]:
    """Make a parametrised pytest function with one test a check, for a plug-in's own tests.

    Args:
        task: the class.
        options: those that differ from its defaults.
    """
    return as_tests(TASK_CHECKS, TaskSubject(task, options))
