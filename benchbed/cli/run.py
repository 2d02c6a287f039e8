"""`benchbed run`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchbed.cli.arguments import (
    COMPUTED,
    Backend,
    BackendName,
    Compiled,
    Device,
    Out,
    Retrain,
    TimeLimit,
    request_of,
)
from benchbed.cli.terminal import console, going_on, only_json, print_json
from benchbed.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from benchbed.config.request import RunRequest
    from benchbed.results.result import Result
    from benchbed.runs.execute import PlannedRun

__all__ = ["run"]

_UNRANKED = "For looking around: the result is unranked"


class EngineName(StrEnum):
    """How members train side by side."""

    auto = "auto"
    graph = "graph"
    vmap = "vmap"
    loop = "loop"


def run(
    mixer: Annotated[
        list[str], typer.Option("--mixer", "-m", help="Mixer to score, or package.module:Class; repeat.")
    ],
    task: Annotated[str, typer.Option("--task", "-t", help="Task, or task@level.")],
    track: Annotated[
        str | None, typer.Option(help="Track, or a track file.", show_default="standard with CUDA, else lite")
    ] = None,
    mixer_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the mixers.")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the task.", rich_help_panel=_UNRANKED)
    ] = None,
    match_parameters: Annotated[
        int | None, typer.Option(help="Size the models for this many parameters, by their widths (unranked) or ...")
    ] = None,
    match_by: Annotated[str | None, typer.Option(help="... by this option of the mixer (ranked).")] = None,
    seeds: Annotated[int | None, typer.Option(help="Scoring seeds.", rich_help_panel=_UNRANKED)] = None,
    max_steps: Annotated[int | None, typer.Option(help="Budget in steps.", rich_help_panel=_UNRANKED)] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Train at this rate, tune nothing.", rich_help_panel=_UNRANKED)
    ] = None,
    out: Out = Path("runs"),
    engine: Annotated[
        EngineName, typer.Option(help="loop: one by one; vmap, graph: as one.", rich_help_panel=COMPUTED)
    ] = EngineName.auto,
    device: Device = "auto",
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    compile_: Compiled = None,
    tf32: Annotated[
        bool,
        typer.Option("--tf32", help="Matrix products in TF32: faster, less exact.", rich_help_panel=COMPUTED),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check/--no-check", help="Look for leaks before training.", rich_help_panel=_UNRANKED),
    ] = True,
    retrain: Retrain = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")] = False,
) -> None:
    """Score mixers on a task: tune the learning rate, train every seed, write the results."""
    _refuse(mixer, match_by, match_parameters)
    changes = {"seeds": seeds, "max_steps": max_steps, "learning_rate": learning_rate}
    settings = {**changes, "tf32": tf32, "checked": check}
    requests = [request_of(name, task, track, mixer_option, task_option, **settings) for name in mixer]
    from benchbed.training.fork_server import start_server

    start_server()  # it imports torch while this process does
    from benchbed.reporting.live import run_live, train_all_ahead
    from benchbed.training.devices import find_device
    from benchbed.training.engine import EngineSettings

    found, screen = find_device(device), console(stderr=as_json)
    with going_on(time_limit), only_json(as_json):
        if track is None:
            _say_track(found.type, screen)
        planned = [_prepare(request, found.type, out, match_parameters, match_by) for request in requests]
        how = EngineSettings(engine.value, found, compile_)
        if backend == BackendName.ray:
            train_all_ahead(planned, how, screen, retrain=retrain)
            retrain = False
        results = [run_live(each, how, screen, retrain=retrain) for each in planned]
    _say_standings(results, screen)
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
    elif len(results) > 1:
        from benchbed.reporting.tables import comparison_table

        screen.print(comparison_table(results))


def _refuse(mixers: list[str], match_by: str | None, match_parameters: int | None) -> None:
    if len(set(mixers)) < len(mixers):
        raise OptionError(f"--mixer: expected different mixers, found {', '.join(mixers)}")
    if match_by and match_parameters is None:
        raise OptionError("--match-by: expected --match-parameters with it")


def _say_track(device: str, screen: "Console") -> None:
    from benchbed.config.request import default_track
    from benchbed.reporting.live import say

    reason = "CUDA is present" if device == "cuda" else f"the device is {device}, not CUDA"
    say(screen, f"track {default_track(device)}, because {reason}; choose another with --track")


def _say_standings(results: "list[Result]", screen: "Console") -> None:
    """Where each of them would stand, if its board has entries."""
    from benchbed.boards.folders import boards_folder
    from benchbed.boards.views.sentences import provisional
    from benchbed.reporting.live import say

    boards = boards_folder()
    for said in (provisional(boards, result) for result in results):
        if said:
            say(screen, said)


def _prepare(request: "RunRequest", device: str, out: Path, target: int | None, option: str | None) -> "PlannedRun":
    from benchbed.runs.execute import prepare
    from benchbed.runs.matching import plan_at_size

    return prepare(plan_at_size(request, device, target, option), out)
