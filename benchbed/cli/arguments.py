"""Arguments that several commands share, each written once; text becomes values here and nowhere else."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchbed.errors import OptionError

if TYPE_CHECKING:
    from benchbed.config.request import RunRequest

__all__ = [
    "COMPUTED",
    "AtLevel",
    "Backend",
    "BackendName",
    "Boards",
    "Compiled",
    "Csv",
    "Device",
    "Json",
    "Levels",
    "MixerOptions",
    "OnTrack",
    "Out",
    "Retrain",
    "TaskOptions",
    "TimeLimit",
    "parse_assignments",
    "request_of",
    "split_names",
]


class BackendName(StrEnum):
    """Where runs are trained."""

    local = "local"
    ray = "ray"


Text = list[str] | None

COMPUTED = "How it is computed"
"""Heading of the options that every command has which trains."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Boards = Annotated[Path | None, typer.Option("--boards", help="Folder of the tracks.", show_default="leaderboards")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel=COMPUTED)]
Compiled = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile",
        help="Use torch.compile.",
        show_default="by a rule, where it pays",
        rich_help_panel=COMPUTED,
    ),
]
Levels = Annotated[str | None, typer.Option(help="Comma-separated task@level.", show_default="every level")]
OnTrack = Annotated[str | None, typer.Option(help="Only this track.")]
AtLevel = Annotated[str | None, typer.Option(help="Only task@level, or a task for its default level.")]
Retrain = Annotated[bool, typer.Option("--retrain", help="Train again what is finished or begun.")]
Out = Annotated[Path, typer.Option(help="Folder for results.")]
Backend = Annotated[
    BackendName, typer.Option(help="ray: each run is a task of a Ray cluster.", rich_help_panel=COMPUTED)
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="End after 25m, 1h30m, ... with exit code 75; the same goes on.",
        rich_help_panel=COMPUTED,
    ),
]
MixerOptions = Annotated[
    list[str] | None, typer.Option("--mixer-option", metavar="KEY=VALUE", help="Option of the mixer.")
]
TaskOptions = Annotated[
    list[str] | None, typer.Option("--task-option", metavar="KEY=VALUE", help="Option of the task.")
]


def request_of(
    mixer: str, task: str, track: str | None, mixer_option: Text, task_option: Text, **settings: Any
) -> "RunRequest":
    """What a command line asks for; names and options that do not exist are refused before torch is imported.

    Args:
        mixer: its name.
        task: its name, and a level.
        track: its name or file.
        mixer_option: `key=value` each.
        task_option: likewise.
        settings: further fields of `RunRequest`.

    Raises:
        BenchbedError: one of them does not exist.
    """
    from benchbed.config.request import RunRequest

    options = parse_assignments(mixer_option, "--mixer-option"), parse_assignments(task_option, "--task-option")
    request = RunRequest(mixer, task, track, *options, **settings)
    request.look_up()
    return request


def parse_assignments(pairs: Text, flag: str) -> dict[str, str]:
    """Read `["heads=4"]` as `{"heads": "4"}`.

    Raises:
        OptionError: a pair has no `=`, or a key stands twice.
    """
    given: dict[str, str] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise OptionError(f"{flag}: expected key=value, found '{pair}'")
        if key in given:
            raise OptionError(f"{flag}: '{key}' was given twice; give it once")
        given[key] = value
    return given


def split_names(text: str | None) -> list[str] | None:
    """Read `"a, b"` as `["a", "b"]`; None where nothing was given."""
    return [name.strip() for name in text.split(",") if name.strip()] if text else None
