"""Arguments that several commands share, each written once; text becomes values here and nowhere else."""

from typing import Annotated

import typer

from benchbed.errors import OptionError

__all__ = ["Compiled", "Device", "Json", "MixerOptions", "TaskOptions", "parse_assignments", "split_names"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Compiled = Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")]
MixerOptions = Annotated[
    list[str] | None, typer.Option("--mixer-option", metavar="KEY=VALUE", help="Option of the mixer.")
]
TaskOptions = Annotated[
    list[str] | None, typer.Option("--task-option", metavar="KEY=VALUE", help="Option of the task.")
]


def parse_assignments(pairs: list[str] | None, flag: str) -> dict[str, str]:
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
