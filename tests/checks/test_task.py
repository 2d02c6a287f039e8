"""Planted faults in tasks are caught, each by the check that is there for it; built-in tasks raise no alarm."""

import csv
import io
import json
import math
import sys

import pytest
import torch
from strangers import install

from benchbed.checks.task import TASK_CHECKS, TaskSubject, conformance_tests, task_conformance
from benchbed.errors import PluginError
from benchbed.plugins.registry import find, plugins
from benchbed.training.validation import check_task

TASKS = [p.name for p in plugins("task") if p.distribution == "benchbed"]


def make(name="linear_map"):
    return find("task", name).load()(torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", TASKS)
def test_built_in_tasks_keep_their_contract(name):
    check_task(make(name))


def upside_down(task):
    task.parents = task.parents.T


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda t: setattr(t, "scored", t.scored.float()), r"scored as bool \(32,\)"),
        (lambda t: setattr(t, "scored", torch.ones(32) > 0), "token 0 not among them"),
        (lambda t: setattr(t, "scored", torch.zeros(32) > 0), "some scored tokens"),
        (lambda t: setattr(t, "parents", t.parents[:5]), "parents as bool"),
        (upside_down, "parents before their token"),
        (lambda t: setattr(t, "parents", torch.zeros(32, 32) > 0), "a parent for every scored token"),
        (lambda t: setattr(t, "chance_loss", 0.0), "a chance_loss above 0"),
        (lambda t: setattr(t, "vocabulary", 1), "length and vocabulary of at least 2"),
        (lambda t: setattr(t, "sample", lambda n, g: torch.zeros(n, 32)), r"to give \(16, 32\) torch.int64"),
        (lambda t: setattr(t, "sample", lambda n, g: torch.full((n, 32), 2)), "tokens 0..1, found 2..2"),
        (lambda t: setattr(t, "solved", lambda a: a.sum(-1) < 0), "solved.. to hold where every accuracy is 1"),
    ],
)
def test_a_task_that_breaks_its_contract_is_told_how(fault, message):
    task = make()
    fault(task)
    with pytest.raises(PluginError, match=message):
        check_task(task)


class Permuted:
    """Four tokens, then the same in a hidden order; the faults below change one thing each."""

    version = 1
    vocabulary = 3
    length = 8
    chance_loss = math.log(3)

    def __init__(self, generator, *, shift: int = 0):
        self.order = torch.randperm(4, generator=generator)
        self.scored = torch.arange(8) >= 4
        self.parents = torch.zeros(8, 8, dtype=torch.bool)
        self.parents[torch.arange(4, 8), (self.order + shift) % 4] = True

    def sample(self, count, generator):
        first = torch.randint(0, 3, (count, 4), generator=generator)
        return torch.cat((first, first[:, self.order]), dim=1)

    def solved(self, accuracy):
        return (accuracy >= 0.99).all(-1)


class NoVersion(Permuted):
    version = None


class DrawsGlobally(Permuted):
    def sample(self, count, generator):
        return super().sample(count, None)


class InstanceDrawnGlobally(Permuted):
    def __init__(self, generator):
        super().__init__(None)


class SeededInside(Permuted):
    def sample(self, count, generator):
        return super().sample(count, torch.Generator().manual_seed(0))


class GoesOn(Permuted):
    """Counts its calls."""

    calls = 0

    def sample(self, count, generator):
        self.calls += 1
        return (super().sample(count, generator) + self.calls) % 3


class OneSequence(Permuted):
    def sample(self, count, generator):
        return super().sample(1, generator).expand(count, -1).contiguous()


class WrongChance(Permuted):
    chance_loss = math.log(4)


class SkewedTokens(Permuted):
    def sample(self, count, generator):
        return super().sample(count, generator).clamp(max=1)


class Generous(Permuted):
    def solved(self, accuracy):
        return accuracy.mean(-1) > 0.3


class OneVerdictForAll(Permuted):
    def solved(self, accuracy):
        return (accuracy >= 0.99).all()


class OtherParents(Permuted):
    def __init__(self, generator):
        super().__init__(generator, shift=1)


class TooManyParents(Permuted):
    def __init__(self, generator):
        super().__init__(generator)
        self.parents[4:, :4] = True


class Asks(Permuted):
    """The same, with markers in place of the answers, which are asked for and not shown."""

    def sample(self, count, generator):
        tokens = super().sample(count, generator)
        tokens[:, 4:] = 0
        return tokens

    def targets(self, tokens):
        return tokens[:, self.order]


class AsksForTheFuture(Asks):
    def sample(self, count, generator):
        return Permuted.sample(self, count, generator)

    def targets(self, tokens):
        return tokens[:, 4:].roll(-1, dims=1)


class AsksForTooFew(Asks):
    def targets(self, tokens):
        return super().targets(tokens)[:, 1:]


class AsksForOtherTokens(Asks):
    def targets(self, tokens):
        return super().targets(tokens) + 1


class FullRows(find("task", "linear_map").load()):
    """Every output is the same parity; a criterion over the mean lets a copy of the token before pass."""

    def __init__(self, generator):
        super().__init__(generator, state_size=8, sparsity=3)
        self.matrix = torch.ones(8, 8)
        self.parents[8:, :8] = True

    def solved(self, accuracy):
        return accuracy.mean(-1) >= 0.9


FAULTS = [
    (NoVersion, "contract", "version: int"),
    (DrawsGlobally, "same seed, same data", "draw everything from the generator"),
    (InstanceDrawnGlobally, "same seed, same data", "draw everything from the generator"),
    (SeededInside, "same seed, same data", "gives the same sequences again"),
    (GoesOn, "same seed, same data", "keep nothing between calls"),
    (OneSequence, "same seed, same data", "all sequences of a sample are equal"),
    (AsksForTheFuture, "targets", "the target of token 4 or an earlier one depends on it or a later one"),
    (AsksForTooFew, "contract", "expected targets(tokens) to give (16, 4) torch.int64 on cpu, found (16, 3)"),
    (AsksForOtherTokens, "contract", "expected targets 0..2, found 1..3"),
    (
        WrongChance,
        "chance level",
        "chance_loss is 1.3863 nats; the best constant prediction of each token reaches 1.098",
    ),
    (SkewedTokens, "chance level", "chance_loss is 1.0986 nats"),
    (Generous, "criterion", "solved() holds where constants are guessed"),
    (OneVerdictForAll, "criterion", "one bool a row"),
    (OtherParents, "parents suffice", "% of sequences from its parents"),
    (TooManyParents, "parents needed", "is told as well without its parent"),
    (FullRows, "no shortcut", "from at most a few earlier scored tokens solves it"),
]


@pytest.mark.parametrize(("task", "check", "message"), FAULTS, ids=[task.__name__ for task, *_ in FAULTS])
def test_a_planted_fault_is_caught_by_its_check(task, check, message):
    findings = {f.check: f for f in task_conformance(TaskSubject(task))}
    assert findings[check].status == "failed"
    assert message in findings[check].message


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("linear_map", {"state_size": 8}),
        ("linear_map", {"state_size": 16, "sparsity": 7}),
        ("linear_map", {"state_size": 2, "sparsity": 1}),
        ("cellular_automata", {"state_size": 8, "rules": 16}),
        ("cellular_automata", {"colours": 2, "state_size": 8, "rules": 0}),
        ("associative_recall", {}),
        ("associative_recall", {"queries": 1}),
        ("associative_recall", {"order": "power_law"}),
        ("induction", {}),
        ("hops", {}),
        ("hops", {"hops": 1, "letters": 6, "context": 8, "asked": 4}),
        ("selective_copy", {}),
        ("selective_copy", {"copies": 2, "context": 6, "symbols": 3}),
        ("state_tracking", {}),
        ("state_tracking", {"group": "parity", "steps": 12}),
        ("state_tracking", {"group": "s5", "steps": 4}),
    ],
)
def test_built_in_tasks_pass(name, level):
    subject = TaskSubject(find("task", name).load(), level)
    assert [f for f in task_conformance(subject) if f.status != "passed"] == []


test_in_one_line = conformance_tests(Permuted)
test_what_is_asked_for_need_not_be_shown = conformance_tests(Asks)


def test_what_cannot_be_counted_is_noted():
    def opaque(generator):
        task = find("task", "linear_map").load()(generator)
        task.parents = None
        return task

    crowded = TaskSubject(find("task", "linear_map").load(), {"state_size": 32, "sparsity": 20})
    for subject, reason in (
        (TaskSubject(opaque), "declares no parents"),
        (crowded, "its parents take 1e+06 combinations"),
    ):
        notes = {f.check: f.message for f in task_conformance(subject) if f.status == "note"}
        assert list(notes) == ["parents suffice", "parents needed"]
        assert reason in notes["parents suffice"]


def test_the_command(command_line, monkeypatch, tmp_path):
    source = "from test_task_checks import Permuted, WrongChance\n"
    install(tmp_path, "tasky", "[benchbed.tasks]\nwrong = tasky:WrongChance\npermuted = tasky:Permuted", tasky=source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "test_task_checks", sys.modules[__name__])

    def call(*arguments):
        return command_line("check", *arguments)

    code, out, _ = call("--task", "permuted", "--json")
    assert (code, [f["check"] for f in json.loads(out)]) == (0, list(TASK_CHECKS))
    code, out, _ = call("--task", "tasky:wrong", "--csv")
    found = {row["check"]: row["status"] for row in csv.DictReader(io.StringIO(out))}
    assert (code, list(found), found["chance level"]) == (1, list(TASK_CHECKS), "failed")
    code, out, _ = call("--task", "tasky:wrong")
    assert code == 1
    assert "✗ chance level: chance_loss is 1.3863" in out
    assert call("--task", "tasky:Permuted")[0] == 0
    assert call("--task", "linear_map@s3", "--task-option", "sparsity=2")[0] == 0
    code, _, err = call("--task", "linear_map@s9")
    assert (code, "unknown level" in err) == (2, True)
    code, _, err = call()
    assert (code, "expected a mixer, or a task with --task" in err) == (2, True)
    assert call("mlp_mixer", "--task", "linear_map")[0] == 2
