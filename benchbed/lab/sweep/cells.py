"""A sweep: every cell of a grid of options, each a run of its own, and one tidy table of all their seeds.

Cells of one shape train as one. A cell that cannot be, as one with more ones than bits, and one that fails, costs its
own rows and nothing else. Runs lie in `<out>/runs`, so that a sweep goes on where it was stopped.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from benchbed.config.request import plan
from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import load_track, track_names
from benchbed.errors import BenchbedError, OptionError, PluginError
from benchbed.lab.sweep.grid import combine, parse_axes
from benchbed.results.result import Result, run_folder
from benchbed.runs.execute import Observer, execute_together, shape_of
from benchbed.storage.files import file_name
from benchbed.storage.schema import fingerprint
from benchbed.training.engine import EngineRequest
from benchbed.training.recipe import make_recipe

__all__ = ["Batch", "Cell", "Sweep", "batches", "plan_cells", "train"]

Status = Literal["waiting", "finished", "impossible", "failed"]


@dataclass(frozen=True)
class Sweep:
    """What `benchbed sweep` was asked for."""

    mixers: tuple[str, ...]
    task: str
    track: str
    grid: tuple[str, ...]
    """As `benchbed.lab.sweep.grid` reads it."""
    seeds: int | None = None
    max_steps: int | None = None
    learning_rate: float | None = None
    mixer_options: dict[str, str] = field(default_factory=dict)
    """The same in every cell."""
    task_options: dict[str, str] = field(default_factory=dict)
    checked: bool = True

    @property
    def name(self) -> str:
        """Another one for another sweep: a folder's name."""
        return f"{file_name(self.task)}-{fingerprint(asdict(self))[:10]}"


@dataclass(eq=False)
class Cell:
    """One point of the grid and what came of it."""

    values: dict[str, Any]
    """`mixer` and the options on the axes, as `task.sparsity`."""
    config: RunConfig | None = None
    problem: str | None = None
    result: Result | None = None
    folder: Path | None = None

    @property
    def planned(self) -> tuple[RunConfig, Path]:
        """The run and its folder, of a cell that is possible."""
        assert self.config is not None
        assert self.folder is not None
        return self.config, self.folder

    @property
    def status(self) -> Status:
        """Impossible: no such task or mixer can be made; failed: training it did not work."""
        if self.result is not None:
            return "finished"
        if self.problem is None:
            return "waiting"
        return "impossible" if self.config is None else "failed"


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

    try:
        config = plan(
            mixer,
            sweep.task,
            load_track(sweep.track),
            track_is_published=sweep.track in track_names(),
            device=device,
            mixer_options=sweep.mixer_options | options("mixer"),
            task_options=sweep.task_options | options("task"),
            backbone=options("backbone"),
            seeds=sweep.seeds,
            max_steps=sweep.max_steps,
            learning_rate=sweep.learning_rate,
            checked=sweep.checked,
        )
        make_recipe(config)
    except (OptionError, PluginError) as error:
        return Cell({"mixer": mixer, **point}, problem=str(error))
    plain = config.model_dump(mode="json")
    known = {"task": plain["task"]["options"], "mixer": plain["mixer"]["options"], "backbone": plain["backbone"]}
    values = {key: known[key.partition(".")[0]][key.partition(".")[2]] for key in point}
    return Cell({"mixer": mixer, **values}, config, folder=run_folder(out / "runs", config))


def batches(cells: Sequence[Cell]) -> list[Batch]:
    """Cells that wait, in groups that can train as one."""
    shapes = {cell: shape_of(cell.planned[0]) for cell in cells if cell.status == "waiting"}
    order = list(dict.fromkeys(shapes.values()))
    waiting = sorted(shapes, key=lambda cell: order.index(shapes[cell]))
    return [list(group) for _, group in groupby(waiting, key=lambda cell: shapes[cell])]


def train(batch: Batch, request: EngineRequest, observe: Observer) -> None:
    """Train cells of one shape as one; if that fails, one by one, so that only the one at fault does.

    Args:
        batch: cells of `batches`; their results and problems are filled in.
        request: how to compute.
        observe: told where training stands.
    """
    configs, folders = zip(*(cell.planned for cell in batch), strict=True)
    try:
        outcomes = execute_together(configs, folders, request, observe)
    except Exception as error:  # a bug in one cell must not cost the others their night
        if len(batch) > 1:
            for cell in batch:
                train([cell], request, observe)
        else:
            batch[0].problem = str(error) if isinstance(error, BenchbedError) else f"{type(error).__name__}: {error}"
        return
    for cell, outcome in zip(batch, outcomes, strict=True):
        cell.result = outcome.result
