"""The commands that run many levels: `benchbed suite plan`, `benchbed suite run` and `benchbed score`."""

from pathlib import Path
from typing import Annotated

import typer

from benchbed.boards.folders import boards_folder
from benchbed.cli.arguments import (
    Backend,
    BackendName,
    Boards,
    Compiled,
    Csv,
    Device,
    Json,
    Levels,
    MixerOptions,
    Out,
    TimeLimit,
    parse_assignments,
    split_names,
)
from benchbed.cli.terminal import console, going_on, only_json, print_csv, print_json, working

__all__ = ["score", "suite"]

suite = typer.Typer(help="Run many cells of a board.", no_args_is_help=True)


_NOTHING = "nothing to run: the boards hold every one of these mixers on every one of these levels"

Track = Annotated[str, typer.Option(help="Track whose boards to fill.")]
Mixers = Annotated[str | None, typer.Option(help="Comma-separated.", show_default="every built-in")]


@suite.command("plan")
def plan_suite(
    track: Track = "lite",
    mixers: Mixers = None,
    levels: Levels = None,
    out: Out = Path("runs"),
    device: Device = "auto",
    boards: Boards = None,
    as_json: Json = False,
) -> None:
    """What `suite run` would do, and how long each cell takes at most, from a step that is measured."""
    from dataclasses import asdict

    from benchbed.boards.suite import find_vacancies, forecast
    from benchbed.boards.views.tables import forecast_table

    vacancies = find_vacancies(boards_folder(boards), track, split_names(mixers), split_names(levels))
    screen = console(stderr=as_json)
    with only_json(as_json), working(screen, "measuring a step of each"):
        cells = list(forecast(vacancies, track, out, device))
    if as_json:
        print_json([asdict(cell) for cell in cells])
        return
    if not cells:
        print(_NOTHING)
        return
    screen.print(forecast_table(cells))
    screen.print("At most: no seed solves, no rate is given up, nothing is compiled; mostly it is far less.")


@suite.command("run")
def run_suite(
    track: Track = "lite",
    mixers: Mixers = None,
    levels: Levels = None,
    out: Out = Path("runs"),
    device: Device = "auto",
    compile_: Compiled = None,
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    boards: Boards = None,
) -> None:
    """Run every mixer and level that the boards lack; a cell that fails does not stop the others."""
    from benchbed.boards.suite import fill_vacancies, find_vacancies

    vacancies = find_vacancies(boards_folder(boards), track, split_names(mixers), split_names(levels))
    if not vacancies:
        print(_NOTHING)
        return
    with going_on(time_limit):
        failures = fill_vacancies(vacancies, track, out, device, console(), compiled=compile_, backend=backend.value)
    if failures:
        raise typer.Exit(1)


def score(
    mixer: Annotated[str, typer.Argument(help="Mixer to score, or package.module:Class.")],
    track: Annotated[str, typer.Option(help="Track whose levels to run.")] = "lite",
    levels: Levels = None,
    mixer_option: MixerOptions = None,
    out: Out = Path("runs"),
    device: Device = "auto",
    compile_: Compiled = None,
    backend: Backend = BackendName.local,
    time_limit: TimeLimit = None,
    boards: Boards = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Score a mixer on every level of a track: where it would stand on each board, and over all of them."""
    from benchbed.boards.score import plan_score
    from benchbed.boards.score import score as score_all
    from benchbed.boards.views.rows import score_rows
    from benchbed.boards.views.tables import score_table
    from benchbed.reporting.figures import plot_profile
    from benchbed.reporting.live import say
    from benchbed.training.devices import find_device
    from benchbed.training.engine import EngineSettings

    found, screen = find_device(device), console(stderr=as_json or as_csv)
    options = parse_assignments(mixer_option, "--mixer-option")
    with going_on(time_limit), only_json(as_json or as_csv):
        planned = plan_score(mixer, track, split_names(levels), options, out, found.type)
        engine = EngineSettings("auto", found, compile_)
        scored = score_all(planned, track, boards_folder(boards), engine, screen, backend.value)
        picture = planned[0].folder.parents[1] / f"score-{planned[0].folder.name}.png"
        plot_profile(scored.results, picture)
    if as_json:
        print_json(scored.plain())
        return
    if as_csv:
        print_csv(score_rows(scored))
        return
    screen.print(score_table(scored))
    say(screen, f"{picture} written")
