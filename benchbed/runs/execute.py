"""Runs: tune the learning rate, train the scoring seeds, write the result; or go on where it was stopped.

Runs that differ in their task's options alone, and need models of one shape, can train as one: on a GPU they fill one
batch, on a CPU no core waits for the slowest member of a small run. Each keeps its own folder, checkpoint and result.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchbed.checks.mixer import LEAK_CHECKS, Subject, conformance
from benchbed.config.run_config import RunConfig
from benchbed.contracts import Task
from benchbed.errors import DeviceError, blame
from benchbed.plugins.registry import find
from benchbed.results.history import History, save_history
from benchbed.results.result import RESULT, Environment, Result, load_result, run_folder, save_result
from benchbed.results.scoring import MemberRow, member_row, summarise
from benchbed.results.tuning import choose_learning_rate, further_rates, giving_up, most_to_come
from benchbed.runs.checkpoint import CHECKPOINT, Checkpoint
from benchbed.runs.costs import measure_costs
from benchbed.runs.environment import describe_environment
from benchbed.runs.progress import Pace, Progress, Stage, progress_of
from benchbed.storage.files import exclusive
from benchbed.storage.schema import fingerprint
from benchbed.training.engine import EngineSettings, choose_engine
from benchbed.training.ensemble import Ensemble, GiveUp, Record
from benchbed.training.recipe import Recipe, join_recipes, make_recipe
from benchbed.training.trajectory import Member, Trajectory
from benchbed.training.workers import Crew, hire

__all__ = ["Observer", "Outcome", "PlannedRun", "execute", "execute_together", "prepare"]

Observer = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run made ready: its classes are loaded, and one instance of each is proven to fit."""

    config: RunConfig
    folder: Path
    """Where its files go."""
    recipe: Recipe
    task: Task
    """The instance of the first scoring seed."""

    @property
    def finished(self) -> bool:
        """Its result is there, and no checkpoint of a later attempt."""
        return (self.folder / RESULT).exists() and not (self.folder / CHECKPOINT).exists()

    @property
    def shape(self) -> str:
        """Equal for runs that can train as one: all is the same but their task's options, which give equal sizes."""
        plain = self.config.model_dump(mode="json", exclude={"task", "unranked"})
        task = self.task
        return fingerprint([plain, self.config.task.name, task.length, task.vocabulary, task.scored.tolist()])


@dataclass(frozen=True)
class Outcome:
    """A finished run and where it lies."""

    result: Result
    folder: Path
    reused: bool
    """It had been finished before, and nothing was trained now."""


def prepare(config: RunConfig, out: Path) -> PlannedRun:
    """Make a run ready, once.

    Args:
        config: what to run.
        out: the folder of all runs.

    Raises:
        BenchbedError: the options do not fit, or a class breaks its contract.
    """
    recipe, task = make_recipe(config)
    return PlannedRun(config, run_folder(out, config), recipe, task)


def execute(
    planned: PlannedRun,
    engine: EngineSettings,
    observe: Observer,
    *,
    retrain: bool = False,
    record: Record | None = None,
) -> Outcome:
    """Carry out a run, or give back its result if it is finished.

    A checkpoint in the folder means an unfinished run, which goes on; else a result means a finished one.

    Args:
        planned: what to run.
        engine: how to compute.
        observe: told where the run stands.
        retrain: begin from nothing, whatever lies in the folder.
        record: handed every evaluation with the member's weights.

    Raises:
        BenchbedError: the mixer or task is at fault, a file cannot be written, or another process is at it.
    """
    return execute_together([planned], engine, observe, retrain=retrain, record=record)[0]


def execute_together(
    planned: Sequence[PlannedRun],
    engine: EngineSettings,
    observe: Observer,
    *,
    retrain: bool = False,
    record: Record | None = None,
) -> list[Outcome]:
    """Carry out runs of one shape as one; arguments and errors are those of `execute`."""
    with contextlib.ExitStack() as locks:
        for each in planned:
            locks.enter_context(exclusive(each.folder))
        runs = [_Run(each) for each in planned]
        if retrain:
            for run in runs:
                run.checkpoint.remove()
        left = [run for run in runs if retrain or not run.plan.finished]
        if left:
            config = left[0].plan.config
            mixer, task = find("mixer", config.mixer.name), find("task", config.task.name)
            with blame(task.owner, task.files), blame(mixer.owner, mixer.files):
                joint = _JointRun(left, engine, observe, record)
                with hire(joint.recipe, joint.engine) as joint.crew:
                    trained = joint.execute()
            for run, (result, history) in zip(left, trained, strict=True):
                save_history(history, run.plan.folder)
                save_result(result, run.plan.folder)
                run.checkpoint.remove()
        return [Outcome(load_result(run.plan.folder), run.plan.folder, reused=run not in left) for run in runs]


class _Run:
    """One of the runs that train as one."""

    def __init__(self, plan: PlannedRun) -> None:
        self.plan = plan
        self.checkpoint = Checkpoint(plan.folder / CHECKPOINT, plan.config.identity)
        self.steps = 0
        """Member-steps of this process."""


class _JointRun:
    """The stages of runs that train as one."""

    def __init__(self, runs: list[_Run], engine: EngineSettings, observe: Observer, record: Record | None) -> None:
        self.runs, self.observe, self.record = runs, observe, record
        self.config = runs[0].plan.config  # what runs of one shape share
        self.recipe = join_recipes([run.plan.recipe for run in runs])
        self.engine, note = choose_engine(self.recipe, engine)
        # Now, because that is the code that trains: a checkout may move on while it does.
        self.environment = describe_environment(self.engine, note, tf32=self.config.tf32)
        for run in runs:
            run.checkpoint.go_on_in(self.environment.model_dump(mode="json"))
        self.crew: Crew | None = None
        self.started = time.perf_counter()
        self.pace = Pace()

    def execute(self) -> list[tuple[Result, History]]:
        config, runs = self.config, range(len(self.runs))
        faults = self._leaks() if config.checked else []
        tuning = self._tune() if config.tuning_seeds else [[] for _ in runs]
        given, budget = config.optimiser.learning_rates[0], config.budget.steps
        chosen = [choose_learning_rate(rows, budget) if rows else given for rows in tuning]
        scored = self._train("scoring", [Member(s, chosen[run], run) for run in runs for s in config.scoring_seeds])
        return [
            (self._result(run, faults, rate, rows, _rows(trajectories, run)), History.of(trajectories))
            for run, rate, rows, trajectories in zip(self.runs, chosen, tuning, scored, strict=True)
        ]

    def _result(
        self, run: _Run, faults: list[str], rate: float, tuning: list[MemberRow], scored: list[MemberRow]
    ) -> Result:
        config = run.plan.config
        return Result(
            schema_version=1,
            identity=config.identity,
            config=config,
            unranked=config.unranked + faults + _leaked([*tuning, *scored]),
            chance_loss=run.plan.task.chance_loss,
            scored_tokens=int(run.plan.task.scored.sum()),
            costs=measure_costs(run.plan.recipe, run.plan.task),
            learning_rate=rate,
            tuning=tuning,
            members=scored,
            summary=summarise(scored, config.budget.steps),
            environment=self.environment,
            earlier_environments=[Environment.model_validate(e) for e in run.checkpoint.environments[:-1]],
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(self._seconds(run), 3),
        )

    def _leaks(self) -> list[str]:
        """What the leak checks found at this width and length."""
        recipe, length = self.recipe, self.runs[0].plan.task.length
        subject = Subject(recipe.mixer, recipe.mixer_options, self.config.backbone.dim, length)
        findings = conformance(subject, LEAK_CHECKS)
        return [f"check '{f.check}' failed: {f.message}" for f in findings if f.status == "failed"]

    def _tune(self) -> list[list[MemberRow]]:
        """The tuning rows of each run: the grid, then further rates while the best one is an end of those tried."""
        config = self.config
        rows: list[list[MemberRow]] = [[] for _ in self.runs]
        entered = [config.optimiser.learning_rates for _ in self.runs]
        race = 1
        while any(entered):
            for known, more in zip(rows, self._race(race, entered, rows), strict=True):
                known += more
            entered = [further_rates(known, config.optimiser, config.budget.steps) for known in rows]
            race += 1
        return rows

    def _race(self, race: int, entered: list[list[float]], earlier: list[list[MemberRow]]) -> list[list[MemberRow]]:
        """The rows of a race, by run; when it is over they take the place of its curves in the checkpoint."""
        config, key = self.config, "tuning" if race == 1 else f"tuning {race}"
        over = [run.checkpoint.rows(key) for run in self.runs]
        left = [(run, rate) for run, rates in enumerate(entered) if over[run] is None for rate in rates]
        members = [Member(seed, rate, run) for run, rate in left for seed in config.tuning_seeds]
        further = sum(most_to_come(rates, config.optimiser) for rates in entered if rates)
        later = further * len(config.tuning_seeds) + len(self.runs) * len(config.scoring_seeds)
        if members:
            trained = self._train(key, members, later, giving_up(earlier, config.budget.steps))
            for run in {member.run for member in members}:
                over[run] = rows = _rows(trained[run], self.runs[run])
                self.runs[run].checkpoint.finish(key, rows, self._seconds(self.runs[run]))
        return [rows or [] for rows in over]

    def _train(
        self, key: str, members: list[Member], later: int = 0, give_up: GiveUp | None = None
    ) -> list[list[Trajectory]]:
        """Train members, saved under a key, and give their trajectories by run; at most `later` are still to come."""
        stage: Stage = "scoring" if key == "scoring" else "tuning"
        stages = {member.run: self.runs[member.run].checkpoint.stages for member in members}
        saved = {number: known[key] for number, known in stages.items() if key in known}
        ensemble = Ensemble(self.recipe, members, self.engine, saved, self.crew)
        before = [run.steps for run in self.runs]

        def observe(ensemble: Ensemble) -> None:
            for number, run in enumerate(self.runs):
                run.steps = before[number] + ensemble.steps_now(number)
            self.observe(self._progress(stage, ensemble, later))
            if self.runs[members[0].run].checkpoint.due():
                self._save(key, ensemble)

        try:
            trajectories = ensemble.train(observe, self.record if stage == "scoring" else None, give_up)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.engine.device} ran out of memory with engine {self.engine.engine}; try --engine loop"
            ) from error
        finally:
            # Ctrl-C, a full disk and the end of a stage alike: nothing that was trained is lost.
            self._save(key, ensemble)
        return [[t for t in trajectories if t.member.run == number] for number in range(len(self.runs))]

    def _save(self, key: str, ensemble: Ensemble) -> None:
        for number in {member.run for member in ensemble.trajectories}:
            self.runs[number].checkpoint.save(key, ensemble.state(number), self._seconds(self.runs[number]))

    def _progress(self, stage: Stage, ensemble: Ensemble, later: int) -> Progress:
        return progress_of(
            self.runs[0].plan.config,
            stage,
            ensemble,
            self.runs[0].plan.task.chance_loss,
            speed=self.pace.speed(sum(run.steps for run in self.runs)),
            to_come=later * self.config.budget.steps,
        )

    def _seconds(self, run: _Run) -> float:
        """Wall time of a run: of runs that train as one, each has the share of its steps."""
        trained = sum(each.steps for each in self.runs)
        share = run.steps / trained if trained else 1 / len(self.runs)
        return run.checkpoint.seconds + share * (time.perf_counter() - self.started)


def _leaked(rows: list[MemberRow]) -> list[str]:
    """Why members that read later tokens make a run unranked."""
    seeds = sorted({row.seed for row in rows if row.status == "leaked"})
    named = ", ".join(map(str, seeds))
    return [f"leaks: seeds {named} meet the criterion only with later tokens in view"] if seeds else []


def _rows(trajectories: list[Trajectory], run: _Run) -> list[MemberRow]:
    return [member_row(trajectory, run.plan.task.chance_loss) for trajectory in trajectories]
