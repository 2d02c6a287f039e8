"""One run: tune the learning rate, train the scoring seeds, write the result; or go on where it was stopped."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch

from benchbed.checks import LEAK_CHECKS, Subject, conformance
from benchbed.config import RunConfig
from benchbed.contracts import Task
from benchbed.costs import measure_costs
from benchbed.ensemble import EngineSettings, Ensemble, why_not_vmap
from benchbed.environment import describe_environment
from benchbed.errors import DeviceError, blame
from benchbed.recipe import Recipe, make_recipe
from benchbed.results import RESULT, History, Result, load_result, save_history, save_result
from benchbed.scoring import choose_learning_rate, member_row, summarise
from benchbed.storage import exclusive, write_atomically
from benchbed.trajectory import Member, Trajectory

__all__ = ["EngineRequest", "Outcome", "Progress", "Stage", "choose_engine", "execute"]

Stage = Literal["tuning", "scoring"]

CHECKPOINT = "checkpoint.pt"
_CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class EngineRequest:
    """How the user wants it computed."""

    engine: Literal["auto", "vmap", "loop"]
    device: torch.device
    compiled: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a run stands; handed to the observer after every evaluation."""

    config: RunConfig
    stage: Stage
    trajectories: list[Trajectory]
    chance_loss: float
    steps_per_second: float
    """Member-steps of all members together, since this process began."""
    seconds_left: float
    """At most: as if no further member solved."""


Observer = Callable[[Progress], None]


@dataclass(frozen=True)
class Outcome:
    """A finished run and where it lies."""

    result: Result
    folder: Path
    reused: bool
    """It had been finished before, and nothing was trained now."""


def execute(
    config: RunConfig, folder: Path, request: EngineRequest, observe: Observer, *, fresh: bool = False
) -> Outcome:
    """Carry out a run, or give back its result if it is finished.

    A checkpoint in the folder means an unfinished run, which goes on; else a result means a finished one.

    Args:
        config: what to run.
        folder: where its files go.
        request: how to compute.
        observe: told where the run stands.
        fresh: begin from nothing, whatever lies in the folder.

    Raises:
        BenchbedError: the mixer or task is at fault, a file cannot be written, or another process is at it.
    """
    recipe, task = make_recipe(config)
    with exclusive(folder):
        checkpoint = _Checkpoint(folder / CHECKPOINT, config.identity)
        if fresh:
            checkpoint.remove()
        elif (folder / RESULT).exists() and not checkpoint.path.exists():
            return Outcome(load_result(folder), folder, reused=True)
        with blame(f"mixer '{config.mixer.name}'"):
            result, history = _Run(config, recipe, task, request, checkpoint, observe).execute()
        save_history(history, folder)
        save_result(result, folder)
        checkpoint.remove()
    return Outcome(result, folder, reused=False)


class _Run:
    """The state that the stages of one run share."""

    def __init__(
        self,
        config: RunConfig,
        recipe: Recipe,
        task: Task,
        request: EngineRequest,
        checkpoint: "_Checkpoint",
        observe: Observer,
    ) -> None:
        self.config, self.recipe, self.task = config, recipe, task
        self.checkpoint, self.observe = checkpoint, observe
        self.settings, self.engine_note = choose_engine(recipe, request)
        self.started = time.perf_counter()
        self.trained_now = 0

    def execute(self) -> tuple[Result, History]:
        config = self.config
        faults = self._leaks() if config.checked else []
        budget, chance = config.budget.steps, self.task.chance_loss
        costs = measure_costs(self.recipe, self.task)
        rates = config.optimiser.learning_rates
        tuning = self._train("tuning", [Member(s, rate) for rate in rates for s in config.tuning_seeds])
        tuning_rows = [member_row(t, chance) for t in tuning]
        rate = choose_learning_rate(tuning_rows, budget)
        scored = self._train("scoring", [Member(seed, rate) for seed in config.scoring_seeds])
        rows = [member_row(t, chance) for t in scored]
        result = Result(
            schema_version=1,
            identity=config.identity,
            config=config,
            unranked=config.unranked + faults,
            chance_loss=chance,
            costs=costs,
            learning_rate=rate,
            tuning=tuning_rows,
            members=rows,
            summary=summarise(rows, budget),
            environment=describe_environment(self.settings, self.engine_note),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(self._seconds(), 3),
        )
        return result, History.of(scored)

    def _leaks(self) -> list[str]:
        """What the leak checks found at this width and length."""
        subject = Subject(self.recipe.mixer, self.recipe.mixer_options, self.config.backbone.dim, self.task.length)
        findings = conformance(subject, LEAK_CHECKS)
        return [f"check '{f.check}' failed: {f.message}" for f in findings if f.status == "failed"]

    def _train(self, stage: Stage, members: list[Member]) -> list[Trajectory]:
        ensemble = Ensemble(self.recipe, members, self.settings, self.checkpoint.stages.get(stage))
        before = sum(t.step for t in ensemble.trajectories.values())
        trained_earlier = self.trained_now

        def observe(ensemble: Ensemble) -> None:
            trajectories = list(ensemble.trajectories.values())
            self.trained_now = trained_earlier + sum(t.step for t in trajectories) - before
            self.observe(self._progress(stage, trajectories))
            if self.checkpoint.due():
                self.checkpoint.save(stage, ensemble.state(), self._seconds())

        try:
            trajectories = ensemble.train(observe)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.settings.device} ran out of memory with engine {self.settings.engine}; try --engine loop"
            ) from error
        finally:
            # Ctrl-C, a full disk and the end of a stage alike: nothing that was trained is lost.
            self.checkpoint.save(stage, ensemble.state(), self._seconds())
        return trajectories

    def _progress(self, stage: Stage, trajectories: list[Trajectory]) -> Progress:
        left = sum(t.budget - t.step for t in trajectories if t.status == "training")
        if stage == "tuning":
            left += len(self.config.scoring_seeds) * self.config.budget.steps
        speed = self.trained_now / max(1e-9, time.perf_counter() - self.started)
        return Progress(
            self.config, stage, trajectories, self.task.chance_loss, speed, left / speed if speed else 0.0
        )

    def _seconds(self) -> float:
        return self.checkpoint.seconds + time.perf_counter() - self.started


class _Checkpoint:
    """What an unfinished run has come to: one file, replaced as a whole.

    A file that cannot be read, or that another run wrote, counts as none: training begins again.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.saved = time.monotonic()
        self.stages: dict[str, Any] = {}
        self.seconds = 0.0
        """Wall time of earlier processes."""
        try:
            with warnings.catch_warnings(action="ignore"):
                stored = torch.load(path, weights_only=True)
        except Exception:  # rubbish makes the unpickler raise, and warn of, whatever its bytes happen to mean
            return
        if isinstance(stored, dict) and stored.get("identity") == identity:
            self.stages, self.seconds = stored["stages"], stored["seconds"]

    def due(self) -> bool:
        return time.monotonic() - self.saved >= _CHECKPOINT_SECONDS

    def save(self, stage: Stage, state: dict[str, Any], seconds: float) -> None:
        self.stages[stage] = state
        stored = {"identity": self.identity, "stages": self.stages, "seconds": seconds}
        write_atomically(self.path, lambda file: torch.save(stored, file))
        self.saved = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.stages, self.seconds = {}, 0.0


def choose_engine(recipe: Recipe, request: EngineRequest) -> tuple[EngineSettings, str | None]:
    """The engine, and why it is not the one that was asked for.

    `auto` is a rule and no race: a choice by stopwatch would let the noise of a timing decide how a published
    number was rounded. On CPUs `loop` was faster in every measurement (docs/speed.md), on GPUs launches cost most.
    """
    wanted = request.engine
    if wanted == "auto":
        wanted = "vmap" if request.device.type == "cuda" else "loop"
    note = why_not_vmap(recipe, request.device) if wanted == "vmap" else None
    settings = EngineSettings("loop" if note else wanted, request.device, request.compiled)
    return settings, f"vmap cannot train this mixer: {note}" if note else None
