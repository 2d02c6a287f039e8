"""The commands that look closer than a score: `benchbed sweep`, `trace`, `patch` and `reproduce`."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchbed.cli.arguments import Backend, BackendName, Compiled, Device, Json, TimeLimit, request_of
from benchbed.cli.terminal import console, going_on, print_json
from benchbed.errors import OptionError

__all__ = ["patch", "reproduce", "sweep", "trace"]

Mixers = Annotated[list[str], typer.Option("--mixer", "-m", help="Mixer; repeat for several.")]
Task = Annotated[str, typer.Option("--task", "-t", help="Task, or task@level.")]
Track = Annotated[str, typer.Option(help="Track, or a track file.")]
MixerOptions = Annotated[list[str] | None, typer.Option("--mixer-option", metavar="KEY=VALUE", help="In every cell.")]
TaskOptions = Annotated[list[str] | None, typer.Option("--task-option", metavar="KEY=VALUE", help="In every cell.")]
Seeds = Annotated[int | None, typer.Option(help="Scoring seeds.", show_default="the track's")]
MaxSteps = Annotated[int | None, typer.Option(help="Budget in steps.", show_default="the track's")]
Rate = Annotated[float | None, typer.Option(help="Train at this rate.", show_default="tune, as `benchbed run` does")]


class FigureName(StrEnum):
    """Experiments of arXiv 2606.25010."""

    fig3 = "fig3"
    fig4_linear_map = "fig4-linear-map"
    fig4_middle = "fig4-middle"
    fig4_automata = "fig4-automata"
    fig4_plateau = "fig4-plateau"
    fig5_heads = "fig5-heads"
    fig5_dimension = "fig5-dimension"
    fig6_mixer = "fig6-mixer"
    recall_state = "recall-state"


class ScaleName(StrEnum):
    """How large an experiment is."""

    quick = "quick"
    medium = "medium"
    full = "full"


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
    out: Annotated[Path | None, typer.Option(help="Its folder.", show_default="sweeps/<task>-<hash>")] = None,
    track: Track = "lite",
    mixer_option: MixerOptions = None,
    task_option: TaskOptions = None,
    seeds: Seeds = None,
    max_steps: MaxSteps = None,
    learning_rate: Rate = None,
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    device: Device = "auto",
    compile_: Compiled = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Look for leaks before training.")] = True,
) -> None:
    """Run mixers over a grid of options: a table of every seed, and pictures. Exit code 1 if a cell failed."""
    settings = {"seeds": seeds, "max_steps": max_steps, "learning_rate": learning_rate, "checked": check}
    request, *_ = [request_of(name, task, track, mixer_option, task_option, **settings) for name in mixer]
    from benchbed.lab.sweep.cells import Sweep
    from benchbed.lab.sweep.job import run_sweep

    asked = Sweep(tuple(mixer), tuple(grid), request)
    with going_on(time_limit):
        folder = out or Path("sweeps") / asked.name
        cells = run_sweep(asked, folder, device, backend.value, console(), compiled=compile_)
    if any(cell.status == "failed" for cell in cells):
        raise typer.Exit(1)


def trace(
    mixer: Annotated[str, typer.Option("--mixer", "-m", help="Mixer.")],
    task: Task,
    track: Track = "lite",
    mixer_option: MixerOptions = None,
    task_option: TaskOptions = None,
    seeds: Annotated[int, typer.Option(help="Seeds to train and look into.")] = 2,
    max_steps: MaxSteps = None,
    learning_rate: Annotated[float, typer.Option(help="Rate to train at.")] = 1e-3,
    bias: Annotated[
        float | None, typer.Option(help="Train also with this much added to the scores of the true parents.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for traces.")] = Path("traces"),
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    device: Device = "auto",
    retrain: Annotated[bool, typer.Option("--retrain", help="Train again what is finished.")] = False,
) -> None:
    """Watch a mixer find the pattern: every output's loss, its jumps, and the maps against the true parents."""
    settings = {"seeds": seeds, "max_steps": max_steps, "learning_rate": learning_rate, "checked": False}
    request = request_of(mixer, task, track, mixer_option, task_option, **settings)
    requests = [request] if bias is None else [request, replace(request, score_bias=bias)]
    from benchbed.lab.trace.job import run_trace
    from benchbed.training.devices import find_device

    found = find_device(device)
    with going_on(time_limit):
        run_trace(requests, out, found, console(), retrain=retrain, backend=backend.value)


def patch(
    early: Annotated[Path, typer.Argument(help="Weights of a traced run: .../weights/seed-0/step-000100.pt.")],
    late: Annotated[Path, typer.Argument(help="Later ones of the same seed.")],
    as_json: Json = False,
) -> None:
    """Put the attention patterns of one checkpoint into another: the share of the loss gap that they carry."""
    from benchbed.lab.trace.patching import patch as exchange
    from benchbed.lab.trace.tables import patch_tables

    found = exchange(early, late)
    if as_json:
        print_json(found.plain())
    else:
        console().print(patch_tables(found))


def reproduce(
    figure: Annotated[FigureName, typer.Argument(help="Which experiment.")],
    scale: Annotated[
        ScaleName | None,
        typer.Option(
            help="quick: ten minutes on two CPU cores; medium: an hour or two; full: a GPU.", show_default="full"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The same as --scale quick.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for reproductions.")] = Path("reproductions"),
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    device: Device = "auto",
) -> None:
    """Run an experiment of the paper, or recall against state: figure, numbers, and whether the claim holds."""
    if quick and scale not in (None, ScaleName.quick):
        raise OptionError(f"--quick: expected no other scale with it, found --scale {scale}")
    chosen = ScaleName.quick if quick else scale or ScaleName.full
    from benchbed.lab.paper.reproduce import reproduce as run_it

    with going_on(time_limit):
        run_it(figure.value, chosen.value, out, device, console(), backend=backend.value)
