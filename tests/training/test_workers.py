"""Whoever trains a member, and whatever becomes of them, its numbers are the same to the last bit."""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from strangers import TINY_TRACK, install

from benchbed.config.request import RunRequest
from benchbed.errors import DeviceError, PluginError, blame
from benchbed.plugins.registry import find
from benchbed.training import ensemble, trajectory, workers
from benchbed.training.confirmation.hidden import confirm
from benchbed.training.engine import EngineSettings
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import make_recipe
from benchbed.training.step.forward import flatten
from benchbed.training.trajectory import Member
from benchbed.training.workers import processes, threads
from benchbed.training.workers.processes import ProcessCrew
from benchbed.training.workers.threads import ThreadCrew

CPU = torch.device("cpu")

ODD = """
import os
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(x)

class Deadly(Plain):
    '''Ends its process.'''
    def forward(self, x):
        if torch.is_grad_enabled():
            os._exit(3)
        return super().forward(x)

class Wrong(Plain):
    '''Raises what no pickle knows.'''
    def forward(self, x):
        class Mine(Exception):
            pass
        raise Mine("of mine")

class Huge(Plain):
    def forward(self, x):
        raise ValueError("too large")
"""


def members(seeds, rate=0.01):
    return [Member(seed, rate) for seed in seeds]


def curves(trajectories):
    return [[(e.step, e.loss, e.accuracy, e.solved) for e in t.evaluations] for t in trajectories]


@pytest.fixture
def odd(tmp_path, monkeypatch):
    lines = "\n".join(f"{name.lower()} = odd_mixers:{name}" for name in ("Plain", "Deadly", "Wrong", "Huge"))
    install(tmp_path, "odd", f"[benchbed.mixers]\n{lines}\n", odd_mixers=ODD)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("odd_mixers", None)


def train(recipe, who, cores, crew: Any = ProcessCrew, observe=lambda _: None):
    settings = EngineSettings("loop", CPU, cores=cores)
    with crew(recipe, settings) as hired:
        return Ensemble(recipe, who, settings, crew=hired).train(lambda _: observe(hired))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("track") / "track.yaml"
    budget = (
        "{steps: 60, tokens_per_step: 512, evaluate_every: 10",
        "{steps: 16, tokens_per_step: 64, evaluate_every: 2",
    )
    path.write_text(TINY_TRACK.replace(*budget))
    return make_recipe(RunRequest("multi_head_attention", "linear_map@s2", str(path)).resolve("cpu"))[0]


WHO = [*members(range(3), rate=0.0003), *members(range(2), rate=0.003)]


@pytest.fixture(scope="module")
def expected(recipe):
    found = curves(train(recipe, WHO, 1, ThreadCrew))
    assert sum(map(len, found)) > 20, "or there is no time to die in"
    return found


@pytest.mark.parametrize(("cores", "crew"), [(2, ThreadCrew), (1, ProcessCrew), (2, ProcessCrew), (4, ProcessCrew)])
def test_members_are_the_same_whoever_trains_them(recipe, expected, cores, crew):
    assert curves(train(recipe, WHO, cores, crew)) == expected
    assert curves(train(recipe, WHO[3:4], cores, crew)) == expected[3:4]


def test_a_crew_trains_one_ensemble_after_the_other(recipe, expected):
    settings = EngineSettings("loop", CPU, cores=2)
    with ProcessCrew(recipe, settings) as crew:
        for _ in range(2):
            assert curves(Ensemble(recipe, WHO, settings, crew=crew).train(lambda _: None)) == expected


def test_processes_that_are_killed_at_any_moment_cost_nothing_but_time(recipe, expected):
    for moment in range(20):
        seen, killed = [], []

        def kill(crew, moment=moment, seen=seen, killed=killed):
            seen.append(crew)
            if len(seen) == moment + 1:
                # While it trains, or before it has begun.
                killed.extend(worker.process.pid for worker in crew._workers[: 1 + moment % 2])
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)

        assert curves(train(recipe, WHO, 2, observe=kill)) == expected
        assert killed


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


def test_ctrl_c_between_any_two_lines_of_the_bookkeeping_loses_nothing(recipe, expected):
    """A step that is counted and whose weights are not kept would go on from the wrong ones, and say nothing."""
    settings = EngineSettings("loop", CPU, cores=1)
    books = {ensemble.__file__, trajectory.__file__}

    def rule(run, mine, step):
        return {0.003} if step == 8 else ()

    def begin(saved, crew):
        return Ensemble(recipe, WHO, settings, saved=saved, crew=crew)

    def train_until(line):
        """What is saved if the run is interrupted at so many lines, and whether it was."""
        lines = 0

        def watch(frame, event, _):
            nonlocal lines
            if frame.f_code.co_filename not in books or frame.f_code.co_name in ("state", "to_plain"):
                return None
            lines += event == "line"
            if lines == line:
                raise Interrupted
            return watch

        with ThreadCrew(recipe, settings) as crew:
            found = begin({}, crew)
            before = sys.gettrace()
            sys.settrace(watch)
            try:
                found.train(lambda _: None, give_up=rule)
            except Interrupted:
                return {0: found.state()}, lines
            finally:
                sys.settrace(before)
        return None, lines

    with ThreadCrew(recipe, settings) as crew:
        whole = [t.to_plain() | {"seconds": 0} for t in begin({}, crew).train(lambda _: None, give_up=rule)]
    _, lines = train_until(-1)
    chance = random.Random(0)
    for line in chance.sample(range(1, lines), 12):
        saved, _ = train_until(line)
        assert saved is not None
        with ThreadCrew(recipe, settings) as crew:
            found = begin(saved, crew).train(lambda _: None, give_up=rule)
        assert [t.to_plain() | {"seconds": 0} for t in found] == whole, line


def test_a_member_moves_to_a_process_that_has_nothing_to_do(recipe, expected, monkeypatch):
    given = []
    give = processes._Worker.give
    monkeypatch.setattr(processes._Worker, "give", lambda self, unit: (given.append((self, unit)), give(self, unit)))
    # Everything is one process's, until the other is asked.
    choose = ProcessCrew._choose
    monkeypatch.setattr(
        ProcessCrew,
        "_choose",
        lambda self, worker, ahead: (
            choose(self, worker, ahead=ahead)
            if worker is self._workers[0] or all(unit.step for unit in self._waiting)
            else None
        ),
    )
    assert curves(train(recipe, WHO, 2)) == expected
    by_member = {m: {id(w) for w, unit in given if unit.members == [m]} for m in WHO}
    assert any(len(who) > 1 for who in by_member.values())


def interrupted(recipe, who, settings):
    """What is saved of members that were stopped when each had trained two steps."""
    begun = Ensemble(recipe, who, settings)

    def stop(ensemble):
        if all(t.step >= 2 for t in ensemble.trajectories.values()):
            raise Interrupted

    with pytest.raises(Interrupted):
        begun.train(stop)
    return begun.state()


def test_members_of_a_run_that_goes_on_train_side_by_side(recipe):
    """Two a process trained to their end before the others began: no rate was given up until all had come so far."""
    # One process: of two, the one that the machine favours may be ahead.
    settings, who = EngineSettings("loop", CPU, cores=1), members(range(8), rate=0.0003)
    saved, spreads = interrupted(recipe, who, settings), []

    def observe(ensemble):
        steps = [t.step for t in ensemble.trajectories.values() if t.status == "training"]
        spreads.append(max(steps, default=0) - min(steps, default=0))

    Ensemble(recipe, who, settings, saved={0: saved}).train(observe)
    assert len(spreads) > 8
    assert max(spreads) <= 3 * recipe.budget.evaluate_every


def test_going_on_with_states_larger_than_a_connection_holds(recipe):
    """Each of the two would wait for the other to read: a run that was killed stood still when it was given again."""
    wide = replace(recipe, backbone=recipe.backbone.model_copy(update={"dim": 96, "mlp_dim": 384}))
    settings, who = EngineSettings("loop", CPU, cores=2), members(range(8), rate=0.0003)
    saved = interrupted(wide, who, settings)
    assert sum(tensor.nbytes for tensor in saved["weights"][0].values()) > 1 << 20

    def give_up(*_):
        raise AssertionError("it stands still")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        found = Ensemble(wide, who, settings, saved={0: saved}).train(lambda _: None)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert curves(found) == curves(Ensemble(wide, who, settings).train(lambda _: None))


def test_a_mixer_that_ends_its_process_is_said_to(configure, odd):
    recipe, _ = make_recipe(configure("deadly"))
    with pytest.raises(DeviceError, match="3 processes in a row ended while they trained Deadly: expected that they"):
        train(recipe, members([0, 1]), 2)


@pytest.mark.parametrize(
    ("name", "message"), [("huge", "ValueError: too large"), ("wrong", "RuntimeError: Mine: of mine")]
)
def test_an_error_of_a_mixer_is_the_mixers_and_says_where(configure, odd, name, message, monkeypatch):
    settings = configure(name)
    monkeypatch.setattr("benchbed.training.recipe.check_mixer", lambda *_: None)
    recipe, _ = make_recipe(settings)
    plugin = find("mixer", name)
    with pytest.raises(PluginError, match=f"{message} \\(--debug") as caught, blame(plugin.owner, plugin.files):
        train(recipe, members([0]), 2)
    assert "odd_mixers.py" in "".join(getattr(caught.value.__cause__, "__notes__", []))
    with pytest.raises((ValueError, RuntimeError)), blame("somebody else", {"/elsewhere.py"}):
        train(recipe, members([0]), 2)


def test_a_mixer_that_is_edited_while_it_runs_is_not_mixed_with_what_it_was(configure, odd, tmp_path):
    """Each question and each process imports it anew: a run half of one code and half of another is neither's."""
    recipe, task = make_recipe(configure("plain"))
    settings = EngineSettings("loop", CPU, cores=2)
    file = tmp_path / "odd_mixers.py"
    before = file.read_text()
    held_out = recipe.held_out_data(0, task)
    seen = torch.zeros(len(held_out.tokens), int(task.scored.sum()), dtype=torch.bool)
    asked = (recipe, 0, task, held_out, seen, flatten(recipe.make_model(0, task)), {})
    confirm(*asked)
    file.write_text(before.replace("return self.project(x)", "return 2 * self.project(x)"))
    with pytest.raises(PluginError, match=r"odd_mixers\.py was edited while it was running: expected it as it was"):
        confirm(*asked)
    with pytest.raises(ChildProcessError, match="was edited"):
        ProcessCrew(recipe, settings)
    with workers.hire(recipe, settings) as crew:
        assert isinstance(crew, ThreadCrew), "which has what was imported"
    file.write_text(before)
    confirm(*asked)


def test_what_no_other_process_can_import_is_trained_in_threads(configure):
    class Local(find("mixer", "static_mixer").load()):
        pass

    recipe = make_recipe(configure("static_mixer"))[0]
    settings = EngineSettings("loop", CPU)
    with workers.hire(recipe, settings) as crew:
        assert isinstance(crew, ProcessCrew if workers.forks() else ThreadCrew)
    object.__setattr__(recipe, "mixer", Local)
    with workers.hire(recipe, settings) as crew:
        assert isinstance(crew, threads.ThreadCrew)


def test_processes_end_with_their_crew(recipe):
    with ProcessCrew(recipe, EngineSettings("loop", CPU, cores=2)) as crew:
        pid = crew._workers[0].process.pid
        assert os.kill(pid, signal.SIG_DFL) is None
    limit = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")
