"""`benchbed run`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchbed.cli.terminal import console, going_on, print_json

__all__ = ["run"]


class EngineName(StrEnum):
    """How members train side by side."""

    auto = "auto"
    vmap = "vmap"
    loop = "loop"


def run(
    mixer: Annotated[
        list[str], typer.Option("--mixer", "-m", help="Mixer to score, or package.module:Class; repeat.")
    ],
    task: Annotated[str, typer.Option("--task", "-t", help="Task, or task@level.")],
    track: Annotated[
        str | None, typer.Option(help="Track, or a track file. [default: standard with CUDA, else lite]")
    ] = None,
    mixer_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the mixers.")] = None,
    task_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Task option; unranked.")] = None,
    match_parameters: Annotated[
        int | None, typer.Option(help="Size the models for this many parameters, by their width (unranked) or ...")
    ] = None,
    match_by: Annotated[str | None, typer.Option(help="... by this option of the mixer (ranked).")] = None,
    seeds: Annotated[int | None, typer.Option(help="Scoring seeds; unranked.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Budget in steps; unranked.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Train at this rate, tune nothing; unranked.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results.")] = Path("runs"),
    engine: Annotated[EngineName, typer.Option(help="How members train side by side.")] = EngineName.auto,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    compile_: Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Look for leaks before training; without, it is unranked.")
    ] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what is finished or begun.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")] = False,
) -> None:
    """Score mixers on a task: tune the learning rate, train every seed, write the results."""
    from benchbed.job import Job, run_job

    job = Job(
        mixers=mixer,
        task=task,
        track=track,
        mixer_options=mixer_option or [],
        task_options=task_option or [],
        match_parameters=match_parameters,
        match_by=match_by,
        seeds=seeds,
        max_steps=max_steps,
        learning_rate=learning_rate,
        out=out,
        engine=engine.value,
        device=device,
        compiled=compile_,
        fresh=fresh,
        checked=check,
    )
    screen = console(stderr=as_json)
    with going_on():
        results = run_job(job, screen)
    if as_json:
        print_json([result.model_dump(mode="json") for result in results])
    elif len(results) > 1:
        from benchbed.reporting.tables import comparison_table

        screen.print(comparison_table(results))
