"""The commands that look closer than a score: `benchbed sweep`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchbed.terminal import console, going_on

__all__ = ["sweep"]

Mixers = Annotated[list[str], typer.Option("--mixer", "-m", help="Mixer; repeat for several.")]
Task = Annotated[str, typer.Option("--task", "-t", help="Task, or task@level.")]
Track = Annotated[str, typer.Option(help="Track, or a track file.")]
MixerOptions = Annotated[list[str] | None, typer.Option("--mixer-option", metavar="KEY=VALUE", help="In every cell.")]
TaskOptions = Annotated[list[str] | None, typer.Option("--task-option", metavar="KEY=VALUE", help="In every cell.")]
Seeds = Annotated[int | None, typer.Option(help="Scoring seeds. [default: the track's]")]
MaxSteps = Annotated[int | None, typer.Option(help="Budget in steps. [default: the track's]")]
Rate = Annotated[float | None, typer.Option(help="Train at this rate. [default: tune, as `benchbed run` does]")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]


class BackendName(StrEnum):
    """Where cells are trained."""

    local = "local"
    ray = "ray"


def sweep(
    mixer: Mixers,
    task: Task,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            "-g",
            metavar="OWNER.OPTION=VALUES",
            help="Axis: task.sparsity=1..4, mixer.heads=1,2; repeat.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the sweep.")] = Path("sweeps/sweep"),
    track: Track = "lite",
    mixer_option: MixerOptions = None,
    task_option: TaskOptions = None,
    seeds: Seeds = None,
    max_steps: MaxSteps = None,
    learning_rate: Rate = None,
    backend: Annotated[BackendName, typer.Option(help="ray spreads cells over a cluster.")] = BackendName.local,
    device: Device = "auto",
    check: Annotated[bool, typer.Option("--check/--no-check", help="Look for leaks before training.")] = True,
) -> None:
    """Run mixers over a grid of options: a table of every seed, and pictures. Exit code 1 if a cell failed."""
    from benchbed.options import parse_assignments
    from benchbed.sweep import Sweep
    from benchbed.sweep_job import run_sweep_job

    asked = Sweep(
        mixers=tuple(mixer),
        task=task,
        track=track,
        grid=tuple(grid),
        seeds=seeds,
        max_steps=max_steps,
        learning_rate=learning_rate,
        mixer_options=parse_assignments(mixer_option or [], "--mixer-option"),
        task_options=parse_assignments(task_option or [], "--task-option"),
        checked=check,
    )
    with going_on():
        cells = run_sweep_job(asked, out, device, backend.value, console())
    if any(cell.status == "failed" for cell in cells):
        raise typer.Exit(1)
