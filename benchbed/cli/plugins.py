"""The commands about what is installed: `benchbed list`, `plugins`, `check` and `new`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchbed.cli.arguments import Csv, Json, MixerOptions, TaskOptions, parse_assignments
from benchbed.cli.terminal import console, only_json, print_csv, print_json, working
from benchbed.errors import OptionError

__all__ = ["check", "list_", "new", "plugins"]


class Listed(StrEnum):
    """What `benchbed list` lists."""

    mixers = "mixers"
    tasks = "tasks"
    tracks = "tracks"
    capabilities = "capabilities"


class Holds(StrEnum):
    """What `benchbed new` makes a package for."""

    mixer = "mixer"
    task = "task"


def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.mixers,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List mixers, tasks, tracks or capabilities, without importing them."""
    if what is Listed.tracks:
        from benchbed.config.tracks import list_tracks

        rows = list_tracks()
    else:
        from benchbed.plugins.listing import list_plugins
        from benchbed.plugins.registry import PLURAL

        rows = list_plugins(next(kind for kind, plural in PLURAL.items() if plural == what.value))
    _print(rows, as_json, as_csv)


def plugins(
    load: Annotated[bool, typer.Option("--check", help="Import each and say whether it works.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List every installed mixer, task and capability with its status; exit code 1 if --check finds a broken one."""
    from benchbed.plugins.listing import list_installed

    with only_json(as_json):
        rows = list_installed(load)
    _print(rows, as_json, as_csv)
    if any(row["status"].startswith("broken") for row in rows):
        raise typer.Exit(1)


def check(
    mixer: Annotated[
        str | None, typer.Argument(help="A mixer's name, distribution:name, or package.module:Class.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Check this task, or task@level, instead.")] = None,
    track: Annotated[str, typer.Option(help="Track whose sizes and levels are tried.")] = "lite",
    mixer_option: MixerOptions = None,
    task_option: TaskOptions = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Check a mixer or a task for whatever would make its scores meaningless; exit code 1 if it fails.

    Nothing is trained. Exit code 2 if it cannot be checked.
    """
    from benchbed.checks.examination import examine_mixer, examine_task
    from benchbed.reporting.tables import print_finding

    if (mixer is None) == (task is None) or (task_option if mixer is not None else mixer_option):
        raise OptionError("check: expected a mixer, or a task with --task, and options of that alone")
    findings, data = [], as_json or as_csv
    screen = console(stderr=data)
    with only_json(data), working(screen, "checking"):
        if mixer is not None:
            examination = examine_mixer(mixer, track, parse_assignments(mixer_option, "--mixer-option"))
        else:
            examination = examine_task(task or "", track, parse_assignments(task_option, "--task-option"))
        for finding in examination:
            findings.append(finding)
            if not data:
                print_finding(screen, finding)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    elif as_csv:
        print_csv([asdict(finding) for finding in findings])
    if any(finding.status == "failed" for finding in findings):
        raise typer.Exit(1)


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


def _print(rows: list[dict[str, Any]], as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json(rows)
        return
    if as_csv:
        print_csv(rows)
        return
    from benchbed.reporting.tables import listing_table

    console().print(listing_table(rows))
