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
from benchbed.results.history import History, save_history
from benchbed.results.result import RESULT, Result, load_result, save_result
from benchbed.results.scoring import MemberRow, choose_learning_rate, member_row, summarise
from benchbed.runs.checkpoint import CHECKPOINT, Checkpoint
from benchbed.runs.costs import measure_costs
from benchbed.runs.environment import describe_environment
from benchbed.runs.progress import Progress, Stage, progress_of
from benchbed.storage.files import exclusive
from benchbed.storage.schema import fingerprint
from benchbed.training.engine import EngineRequest, choose_engine
from benchbed.training.ensemble import Ensemble, Record
from benchbed.training.recipe import Recipe, join_recipes, make_recipe
from benchbed.training.trajectory import Member, Trajectory

__all__ = ["Outcome", "execute", "execute_together", "shape_of"]


Observer = Callable[[Progress], None]


@dataclass(frozen=True)
class Outcome:
    """A finished run and where it lies."""

    result: Result
    folder: Path
    reused: bool
    """It had been finished before, and nothing was trained now."""


def execute(
    config: RunConfig,
    folder: Path,
    request: EngineRequest,
    observe: Observer,
    *,
    fresh: bool = False,
    record: Record | None = None,
) -> Outcome:
    """Carry out a run, or give back its result if it is finished.

    A checkpoint in the folder means an unfinished run, which goes on; else a result means a finished one.

    Args:
        config: what to run.
        folder: where its files go.
        request: how to compute.
        observe: told where the run stands.
        fresh: begin from nothing, whatever lies in the folder.
        record: handed every evaluation with the member's weights.

    Raises:
        BenchbedError: the mixer or task is at fault, a file cannot be written, or another process is at it.
    """
    return execute_together([config], [folder], request, observe, fresh=fresh, record=record)[0]


def execute_together(
    configs: Sequence[RunConfig],
    folders: Sequence[Path],
    request: EngineRequest,
    observe: Observer,
    *,
    fresh: bool = False,
    record: Record | None = None,
) -> list[Outcome]:
    """Carry out runs of one shape (`shape_of`) as one; arguments and errors are those of `execute`."""
    made = [make_recipe(config) for config in configs]
    with contextlib.ExitStack() as locks:
        for folder in folders:
            locks.enter_context(exclusive(folder))
        cells = [
            _Cell(config, folder, recipe, task, Checkpoint(folder / CHECKPOINT, config.identity))
            for config, folder, (recipe, task) in zip(configs, folders, made, strict=True)
        ]
        if fresh:
            for cell in cells:
                cell.checkpoint.remove()
        left = [cell for cell in cells if fresh or not cell.finished]
        if left:
            with blame(f"mixer '{configs[0].mixer.name}'"):
                trained = _Batch(left, request, observe, record).execute()
            for cell, (result, history) in zip(left, trained, strict=True):
                save_history(history, cell.folder)
                save_result(result, cell.folder)
                cell.checkpoint.remove()
        return [Outcome(load_result(cell.folder), cell.folder, reused=cell not in left) for cell in cells]


def shape_of(config: RunConfig) -> str:
    """Equal for runs that can train as one: all but the options of their task is the same, and so are its sizes."""
    _, task = make_recipe(config)
    plain = config.model_dump(mode="json", exclude={"task", "unranked"})
    return fingerprint([plain, config.task.name, task.length, task.vocabulary, task.scored.tolist()])


@dataclass(eq=False)
class _Cell:
    """One of the runs that train as one."""

    config: RunConfig
    folder: Path
    recipe: Recipe
    task: Task
    checkpoint: Checkpoint
    trained_now: int = 0
    """Member-steps of this process."""

    @property
    def finished(self) -> bool:
        return (self.folder / RESULT).exists() and not self.checkpoint.path.exists()


class _Batch:
    """The state that the stages of runs that train as one share."""

    def __init__(self, cells: list[_Cell], request: EngineRequest, observe: Observer, record: Record | None) -> None:
        self.cells, self.observe, self.record = cells, observe, record
        self.config = cells[0].config
        self.recipe = join_recipes([cell.recipe for cell in cells])
        self.settings, self.engine_note = choose_engine(self.recipe, request)
        self.started = time.perf_counter()

    def execute(self) -> list[tuple[Result, History]]:
        config, cells = self.config, range(len(self.cells))
        faults = self._leaks() if config.checked else []
        rates = config.optimiser.learning_rates
        tuned = self._train("tuning", [Member(s, r, c) for c in cells for r in rates for s in config.tuning_seeds])
        tuning = [self._rows(trajectories, cell) for trajectories, cell in zip(tuned, self.cells, strict=True)]
        chosen = [choose_learning_rate(rows, config.budget.steps) if rows else rates[0] for rows in tuning]
        scored = self._train("scoring", [Member(s, chosen[c], c) for c in cells for s in config.scoring_seeds])
        return [
            (self._result(cell, faults, rate, rows, trajectories), History.of(trajectories))
            for cell, rate, rows, trajectories in zip(self.cells, chosen, tuning, scored, strict=True)
        ]

    def _result(
        self,
        cell: _Cell,
        faults: list[str],
        rate: float,
        tuning: list[MemberRow],
        scored: list[Trajectory],
    ) -> Result:
        rows = self._rows(scored, cell)
        return Result(
            schema_version=1,
            identity=cell.config.identity,
            config=cell.config,
            unranked=cell.config.unranked + faults,
            chance_loss=cell.task.chance_loss,
            costs=measure_costs(cell.recipe, cell.task),
            learning_rate=rate,
            tuning=tuning,
            members=rows,
            summary=summarise(rows, cell.config.budget.steps),
            environment=describe_environment(self.settings, self.engine_note),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(self._seconds(cell), 3),
        )

    def _rows(self, trajectories: list[Trajectory], cell: _Cell) -> list[MemberRow]:
        return [member_row(trajectory, cell.task.chance_loss) for trajectory in trajectories]

    def _leaks(self) -> list[str]:
        """What the leak checks found at this width and length."""
        recipe, length = self.recipe, self.cells[0].task.length
        subject = Subject(recipe.mixer, recipe.mixer_options, self.config.backbone.dim, length)
        findings = conformance(subject, LEAK_CHECKS)
        return [f"check '{f.check}' failed: {f.message}" for f in findings if f.status == "failed"]

    def _train(self, stage: Stage, members: list[Member]) -> list[list[Trajectory]]:
        """Train members, if there are any, and give their trajectories by cell."""
        if not members:
            return [[] for _ in self.cells]
        saved = {
            i: cell.checkpoint.stages[stage] for i, cell in enumerate(self.cells) if stage in cell.checkpoint.stages
        }
        ensemble = Ensemble(self.recipe, members, self.settings, saved)
        trained_before = [
            cell.trained_now - steps for cell, steps in zip(self.cells, self._steps(ensemble), strict=True)
        ]

        def observe(ensemble: Ensemble) -> None:
            for cell, before, steps in zip(self.cells, trained_before, self._steps(ensemble), strict=True):
                cell.trained_now = before + steps
            self.observe(self._progress(stage, list(ensemble.trajectories.values())))
            if self.cells[0].checkpoint.due():
                self._save(stage, ensemble)

        try:
            trajectories = ensemble.train(observe, self.record if stage == "scoring" else None)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.settings.device} ran out of memory with engine {self.settings.engine}; try --engine loop"
            ) from error
        finally:
            # Ctrl-C, a full disk and the end of a stage alike: nothing that was trained is lost.
            self._save(stage, ensemble)
        return [[t for t in trajectories if t.member.cell == cell] for cell in range(len(self.cells))]

    def _save(self, stage: Stage, ensemble: Ensemble) -> None:
        for number, cell in enumerate(self.cells):
            cell.checkpoint.save(stage, ensemble.state(number), self._seconds(cell))

    def _steps(self, ensemble: Ensemble) -> list[int]:
        """Steps that the members of each cell have come."""
        steps = [0] * len(self.cells)
        for member, trajectory in ensemble.trajectories.items():
            steps[member.cell] += trajectory.step
        return steps

    def _progress(self, stage: Stage, trajectories: list[Trajectory]) -> Progress:
        scoring = len(self.cells) * len(self.config.scoring_seeds) * self.config.budget.steps
        return progress_of(
            self.config,
            stage,
            trajectories,
            self.cells[0].task.chance_loss,
            trained=sum(cell.trained_now for cell in self.cells),
            seconds=time.perf_counter() - self.started,
            to_come=scoring if stage == "tuning" else 0,
            cells=len(self.cells),
        )

    def _seconds(self, cell: _Cell) -> float:
        """Wall time of a cell: of runs that train as one, each has the share of its steps."""
        trained = sum(cell.trained_now for cell in self.cells)
        share = cell.trained_now / trained if trained else 1 / len(self.cells)
        return cell.checkpoint.seconds + share * (time.perf_counter() - self.started)
