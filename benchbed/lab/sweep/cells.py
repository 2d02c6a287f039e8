"""A sweep: every cell of a grid of options, each a run of its own, and one tidy table of all their seeds.

Cells of one shape train as one. A cell that cannot be, as one with more ones than bits, and one that fails, costs its
own rows and nothing else. Runs lie in `<out>/runs`, so that a sweep goes on where it was stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from benchbed.config.request import RunRequest
from benchbed.errors import BenchbedError, OptionError, PluginError
from benchbed.lab.sweep.grid import as_text, combine, parse_axes
from benchbed.results.result import Result
from benchbed.runs.execute import Observer, PlannedRun, execute_together, prepare
from benchbed.storage.names import file_name
from benchbed.storage.schema import fingerprint
from benchbed.training.engine import EngineSettings

__all__ = ["Batch", "Cell", "Sweep", "batches", "plan_cells", "train"]

Status = Literal["waiting", "finished", "impossible", "failed"]


@dataclass(frozen=True)
class Sweep:
    """What a sweep was asked for."""

    mixers: tuple[str, ...]
    grid: tuple[str, ...]
    """As `benchbed.lab.sweep.grid` reads it."""
    request: RunRequest
    """What is the same in every cell; its mixer counts for nothing."""

    @property
    def plain(self) -> dict[str, Any]:
        """As data, options as text."""
        request = self.request
        return {
            "mixers": list(self.mixers),
            "task": request.task,
            "track": request.track,
            "grid": list(self.grid),
            "seeds": request.seeds,
            "max_steps": request.max_steps,
            "learning_rate": request.learning_rate,
            "mixer_options": {key: as_text(value) for key, value in request.mixer_options.items()},
            "task_options": {key: as_text(value) for key, value in request.task_options.items()},
            "checked": request.checked,
            **({"backbone": dict(request.backbone)} if request.backbone else {}),
            **({"score_bias": request.score_bias} if request.score_bias else {}),
        }

    @property
    def name(self) -> str:
        """Another one for another sweep: a folder's name."""
        return f"{file_name(self.request.task)}-{fingerprint(self.plain)[:10]}"


@dataclass(eq=False)
class Cell:
    """One point of the grid and what came of it."""

    values: dict[str, Any]
    """`mixer` and the options on the axes, as `task.sparsity`."""
    planned: PlannedRun | None = None
    problem: str | None = None
    result: Result | None = None

    @property
    def run(self) -> PlannedRun:
        """The run, of a cell that is possible."""
        assert self.planned is not None
        return self.planned

    @property
    def status(self) -> Status:
        """Impossible: no such task or mixer can be made; failed: training it did not work."""
        if self.result is not None:
            return "finished"
        if self.problem is None:
            return "waiting"
        return "impossible" if self.planned is None else "failed"


Batch = list[Cell]


def plan_cells(sweep: Sweep, device: str, out: Path) -> list[Cell]:
    """Every cell, planned.

    Args:
        sweep: what to plan.
        device: type of the device.
        out: the sweep's folder.

    Raises:
        BenchbedError: no cell is possible; the message is the first one's.
    """
    points = combine(parse_axes(sweep.grid))
    cells = [_plan_cell(sweep, mixer, point, device, out) for mixer in sweep.mixers for point in points]
    if all(cell.status == "impossible" for cell in cells):
        raise OptionError(cells[0].problem or "the grid is empty")
    return cells


def _plan_cell(sweep: Sweep, mixer: str, point: dict[str, str], device: str, out: Path) -> Cell:
    def options(owner: str) -> dict[str, str]:
        return {k.partition(".")[2]: value for k, value in point.items() if k.startswith(f"{owner}.")}

    request = replace(
        sweep.request,
        mixer=mixer,
        mixer_options={**sweep.request.mixer_options, **options("mixer")},
        task_options={**sweep.request.task_options, **options("task")},
        backbone={**sweep.request.backbone, **options("backbone")},
    )
    try:
        planned = prepare(request.resolve(device), out / "runs")
    except (OptionError, PluginError) as error:
        return Cell({"mixer": mixer, **point}, problem=str(error))
    plain = planned.config.model_dump(mode="json")
    known = {"task": plain["task"]["options"], "mixer": plain["mixer"]["options"], "backbone": plain["backbone"]}
    values = {key: known[key.partition(".")[0]][key.partition(".")[2]] for key in point}
    return Cell({"mixer": mixer, **values}, planned)


def batches(cells: Sequence[Cell]) -> list[Batch]:
    """Cells that wait, in groups that can train as one."""
    shapes = {cell: cell.run.shape for cell in cells if cell.status == "waiting"}
    order = list(dict.fromkeys(shapes.values()))
    waiting = sorted(shapes, key=lambda cell: order.index(shapes[cell]))
    return [list(group) for _, group in groupby(waiting, key=lambda cell: shapes[cell])]


def train(batch: Batch, engine: EngineSettings, observe: Observer) -> None:
    """Train cells of one shape as one; if that fails, one by one, so that only the one at fault does.

    Args:
        batch: cells of `batches`; their results and problems are filled in.
        engine: how to compute.
        observe: told where training stands.
    """
    try:
        outcomes = execute_together([cell.run for cell in batch], engine, observe)
    except Exception as error:  # a bug in one cell must not cost the others their night
        if len(batch) > 1:
            for cell in batch:
                train([cell], engine, observe)
        else:
            batch[0].problem = str(error) if isinstance(error, BenchbedError) else f"{type(error).__name__}: {error}"
        return
    for cell, outcome in zip(batch, outcomes, strict=True):
        cell.result = outcome.result
