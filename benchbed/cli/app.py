"""The command line: commands parse, call and render.

torch, timm, scipy and matplotlib are imported inside the commands that need them, so that `--help` and `list`
answer at once.
"""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchbed.cli import boards as cli_boards
from benchbed.cli import lab as cli_lab
from benchbed.cli.terminal import console, going_on, print_json
from benchbed.errors import BenchbedError, OptionError
from benchbed.plugins.options import parse_assignments

__all__ = ["app", "main"]

app = typer.Typer(
    name="benchbed",
    help="How many training steps does a token mixer need to find the sparse pattern that a task hides?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(cli_boards.leaderboard, name="leaderboard")
app.add_typer(cli_boards.suite, name="suite")
app.command()(cli_boards.compare)
app.command()(cli_boards.schema)
app.command()(cli_lab.sweep)
app.command()(cli_lab.trace)
app.command()(cli_lab.patch)
app.command()(cli_lab.reproduce)

_debug = False


class Listed(StrEnum):
    """What `benchbed list` lists."""

    mixers = "mixers"
    tasks = "tasks"
    tracks = "tracks"


class Holds(StrEnum):
    """What `benchbed new` makes a package for."""

    mixer = "mixer"
    task = "task"


class EngineName(StrEnum):
    """How members train side by side."""

    auto = "auto"
    vmap = "vmap"
    loop = "loop"


def main() -> None:
    """Run the command line; an error that the user can mend is one line on stderr and exit code 2."""
    try:
        code = app(prog_name="benchbed", standalone_mode=False)
    except Exception as error:
        # Typer's own complaints about a command line have a message for users; older releases take the class
        # from click, newer ones bring their own, so it is known by its method.
        if _debug or (not isinstance(error, BenchbedError) and not hasattr(error, "format_message")):
            raise
        message = str(error) if isinstance(error, BenchbedError) else _usage(error)
        print(f"benchbed: {message}", file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "benchbed"
    return f"{message} (see `{command} --help`)"


def _print_version(wanted: bool) -> None:
    if wanted:
        from benchbed import __version__

        print(f"benchbed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """How many training steps does a token mixer need to find the sparse pattern that a task hides?"""
    global _debug
    _debug = debug


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.mixers,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List mixers, tasks or tracks, without importing them."""
    from benchbed.plugins.listing import list_plugins, list_tracks

    rows = list_tracks() if what is Listed.tracks else list_plugins("task" if what is Listed.tasks else "mixer")
    if as_json:
        print_json(rows)
    else:
        console().print(_render().listing_table(rows))


@app.command()
def plugins(
    load: Annotated[bool, typer.Option("--check", help="Import each and say whether it works.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every installed mixer and task with its status; exit code 1 if --check finds a broken one."""
    from benchbed.plugins.listing import list_installed

    rows = list_installed(load)
    if as_json:
        print_json(rows)
    else:
        console().print(_render().listing_table(rows))
    if any(row["status"].startswith("broken") for row in rows):
        raise typer.Exit(1)


@app.command()
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
        screen.print(_render().comparison_table(results))


@app.command()
def check(
    mixer: Annotated[
        str | None, typer.Argument(help="A mixer's name, distribution:name, or package.module:Class.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Check this task, or task@level, instead.")] = None,
    track: Annotated[str, typer.Option(help="Track whose sizes and levels are tried.")] = "lite",
    mixer_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the mixer.")] = None,
    task_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the task.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a mixer or a task for whatever would make its scores meaningless; exit code 1 if it fails.

    Nothing is trained. Exit code 2 if it cannot be checked.
    """
    from benchbed.checks.examination import examine_mixer, examine_task

    if mixer is not None and task is None and not task_option:
        examination = examine_mixer(mixer, track, mixer_option or [])
    elif task is not None and mixer is None and not mixer_option:
        examination = examine_task(task, track, task_option or [])
    else:
        raise OptionError("check: expected a mixer, or a task with --task, and options of that alone")
    findings = []
    for finding in examination:
        findings.append(finding)
        if not as_json:
            _render().print_finding(console(), finding)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.status == "failed" for finding in findings):
        raise typer.Exit(1)


@app.command()
def new(
    kind: Annotated[Holds, typer.Argument(help="What the package holds.")],
    name: Annotated[str, typer.Argument(help="Its name, as in moving_average.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where the package's folder goes.")] = Path(),
) -> None:
    """Write a small complete package with a mixer or a task: it installs, passes its tests and runs as it stands."""
    from benchbed.plugins.scaffold import new_package

    package = new_package(kind.value, name, folder)
    subject, run = (
        ("", f"--mixer {name} --task linear_map")
        if kind is Holds.mixer
        else ("--task ", f"--mixer multi_head_attention --task {name}")
    )
    print(f"{package} holds a {kind.value} that works: replace what it computes. Next:")
    print(f'  pip install -e "{package}[test]" && pytest {package}')
    print(f"  benchbed check {subject}{name}")
    print(f"  benchbed run {run}")


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A result.yaml, its folder, or the word mixer.")],
    name: Annotated[str | None, typer.Argument(help="Of the mixer.")] = None,
    track: Annotated[str, typer.Option(help="Track at whose shapes a mixer is measured.")] = "lite",
    mixer_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the mixer.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a stored result again, or what a mixer costs: parameters, FLOPs, time and state, measured here."""
    if name is not None:
        if what != "mixer":
            raise OptionError(f"show: expected a result, or mixer and a name, found {what} {name}")
        from pydantic import TypeAdapter

        from benchbed.lab.profile.measure import profile_mixer

        profile = profile_mixer(name, track, parse_assignments(mixer_option or [], "--mixer-option"))
        if as_json:
            print_json(TypeAdapter(type(profile)).dump_python(profile, mode="json"))
        else:
            console().print(_render().mixer_tables(profile))
        return
    from benchbed.results.result import load_result

    loaded = load_result(Path(what))
    if as_json:
        print_json(loaded.model_dump(mode="json"))
    else:
        console().print(_render().result_table(loaded))


@app.command()
def plot(
    results: Annotated[list[Path], typer.Argument(help="Results of one level: files or folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png or .svg file.")],
) -> None:
    """Draw loss and solved fraction against step."""
    from benchbed.reporting.figures import plot_results
    from benchbed.results.result import load_history, load_result

    loaded = [(load_result(p), load_history(p if p.is_dir() else p.parent)) for p in results]
    plot_results(loaded, output)
    print(output)


def _render() -> Any:
    from benchbed.reporting import tables as render

    return render
