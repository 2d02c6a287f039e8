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

from benchbed.checks.counting import Counted, Oracle, find_oracle, uncountable
from benchbed.checks.findings import Check, Finding, as_tests, run_checks
from benchbed.contracts import Task, TaskWithTargets
from benchbed.errors import PluginError
from benchbed.training.seeding import generator
from benchbed.training.validation import check_task, parents_in, targets_in

__all__ = ["TASK_CHECKS", "TaskSubject", "conformance_tests", "task_conformance"]

_INSTANCES = 8
"""Instances that the statistical checks look at."""
_ORACLE_SAMPLES = 64
"""Sequences on which a task's own oracle is tried."""


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


def _targets(subject: TaskSubject) -> str | None:
    """What is asked for at a place follows from the tokens before it."""
    for seed, task in enumerate(subject.instances()):
        if not isinstance(task, TaskWithTargets):
            return None
        tokens, others = (task.sample(_ORACLE_SAMPLES, generator(0, stream)) for stream in ("held-out", "training"))
        asked = task.targets(tokens)
        for place, token in enumerate(task.scored.nonzero().flatten().tolist()):
            changed = torch.cat((tokens[:, :token], others[:, token:]), dim=1)
            if not torch.equal(task.targets(changed)[:, : place + 1], asked[:, : place + 1]):
                return f"instance {seed}: the target of token {token} or an earlier one depends on it or a later one"
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
    """An oracle that sees the parents of each token alone solves the task; or the task's own does, from the past."""
    for seed, task in enumerate(subject.instances()):
        if (oracle := find_oracle(task)) is not None:
            message = _own_oracle_solves(task, oracle)
            if message:
                return f"instance {seed}: {message}"
            continue
        if why := uncountable(task):
            return why
        counted = Counted(task)
        accuracy = torch.tensor([counted.accuracy(token, counted.parents(token)) for token in counted.scored])
        if not bool(task.solved(accuracy)):
            worst = int(accuracy.argmin())
            return (
                f"instance {seed}: what depends on its parents alone does not solve it: token "
                f"{counted.scored[worst]} is right in {accuracy[worst]:.0%} of sequences from its parents"
            )
    return None


def _own_oracle_solves(task: Task, oracle: Oracle) -> str | None:
    tokens = task.sample(_ORACLE_SAMPLES, generator(0, "held-out"))
    scored = task.scored.nonzero().flatten()
    guesses = oracle(tokens)
    accuracy = (guesses == targets_in(task, tokens)).float().mean(0)
    if not bool(task.solved(accuracy)):
        return f"its oracle does not solve it (mean accuracy {accuracy.mean():.3f})"
    for column, token in list(enumerate(scored.tolist()))[:: max(1, len(scored) // 8)]:
        changed = tokens.clone()
        changed[:, token:] = (changed[:, token:] + 1) % task.vocabulary
        if not torch.equal(oracle(changed)[:, : column + 1], guesses[:, : column + 1]):
            return f"its oracle's guess of token {token} or an earlier one depends on token {token} or a later one"
    return None


def _parents_needed(subject: TaskSubject) -> str | None:
    """Without one of its parents a token cannot be told as well; a tenth may be idle, as in a random table."""
    idle, total = [], 0
    for seed, task in enumerate(subject.instances()):
        oracle = find_oracle(task)
        if oracle is None and (why := uncountable(task)):
            return why
        for token, parent, needed in _needs(task) if oracle is None else _needs_of_oracle(task, oracle):
            total += 1
            if not needed:
                idle.append(f"instance {seed}: token {token} is told as well without its parent {parent}")
    return f"{idle[0]} ({len(idle)} of {total} parents are idle)" if len(idle) > total / 10 else None


def _needs(task: Task) -> Iterator[tuple[int, int, bool]]:
    """Every scored token, the number of each of its parents, and whether its table is worse without it."""
    counted = Counted(task)
    for token in counted.scored:
        parents = counted.parents(token)
        whole = counted.accuracy(token, parents)
        for left_out in range(len(parents[0])):
            others = [i for i in range(len(parents[0])) if i != left_out]
            fewer = parents[0][others], parents[1][others]
            yield token, left_out, counted.accuracy(token, fewer) <= whole - 0.01


def _needs_of_oracle(task: Task, oracle: Oracle) -> Iterator[tuple[int, int, bool]]:
    """Parents of the last scored tokens, and whether the oracle's guess moves with them."""
    tokens = task.sample(_ORACLE_SAMPLES, generator(0, "held-out"))
    parents, guesses = parents_in(task, tokens), oracle(tokens)
    if parents is None:
        return
    scored = task.scored.nonzero().flatten().tolist()
    for column, token in list(enumerate(scored))[-4:]:
        for parent in parents[0, token].nonzero().flatten().tolist():
            changed = tokens.clone()
            changed[:, parent] = (changed[:, parent] + 1) % task.vocabulary
            yield token, parent, bool((oracle(changed)[:, column] != guesses[:, column]).any())


def _no_shortcut(subject: TaskSubject) -> str | None:
    """Looking at earlier scored tokens alone does not solve it: their latest, each of them, and pairs of them."""
    for seed, task in enumerate(subject.instances()):
        counted = Counted(task, small=True)
        accuracy = torch.tensor([_guess(counted, place) for place in range(len(counted.scored))])
        if bool(task.solved(accuracy)):
            return (
                f"instance {seed}: guessing each token from at most a few earlier scored tokens solves it "
                f"(mean accuracy {float(accuracy.mean()):.3f})"
            )
    return None


def _guess(counted: Counted, place: int) -> float:
    """How often a scored token is told by the best table over a few of the scored tokens before it."""
    few = len(counted.scored) <= 32  # of many tokens, fewer tables each
    earlier = counted.scored[:place][-32 if few else -8 :]
    latest = [earlier[-n:] for n in range(3, 9) if n <= len(earlier) and counted.vocabulary**n <= 2**12]
    # Pairs of more values than there are sequences to count them in are known to nobody.
    pairs = combinations(earlier[-12 if few else -4 :], 2) if counted.vocabulary**2 <= 2**12 else ()
    sets: list[list[int]] = [[], *([token] for token in earlier), *map(list, pairs), *latest]
    return max(counted.accuracy(counted.scored[place], counted.fixed(columns)) for columns in sets)


def _frequencies(subject: TaskSubject) -> Tensor:
    """How often each scored token takes each value, over instances, `(N, V)`."""
    tables = []
    for task in subject.instances():
        targets = targets_in(task, task.sample(2**12, generator(0, "training")))
        tables.append(torch.nn.functional.one_hot(targets, task.vocabulary).double().mean(0))
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
    "targets": _targets,
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
