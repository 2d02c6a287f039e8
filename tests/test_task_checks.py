import pytest
import torch

from benchbed.errors import PluginError
from benchbed.registry import find, plugins
from benchbed.task_checks import check_task

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
