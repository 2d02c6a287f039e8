"""What every command shares: a console, JSON, and how Ctrl-C ends."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

import typer

__all__ = ["console", "going_on", "only_json", "print_json", "working"]


def console(stderr: bool = False) -> Any:
    """A console; Rich is imported here and not at the start of every command."""
    from rich.console import Console

    # What is shown holds names and texts of strangers: brackets in them mean nothing.
    made = Console(stderr=stderr, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 200  # a file or a pipe has no edge
    return made


@contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """What a plug-in prints inside goes to stderr, so that stdout holds the JSON and nothing else."""
    with redirect_stdout(sys.stderr) if wanted else nullcontext():
        yield


def print_json(data: Any) -> None:
    """Print data for machines."""
    print(json.dumps(data, indent=2, allow_nan=False))


@contextmanager
def working(screen: Any, what: str) -> Iterator[None]:
    """Show in a terminal that something takes a while; what is printed on `screen` meanwhile stands above it."""
    with screen.status(f"{what} ...") if screen.is_terminal else nullcontext():
        yield


@contextmanager
def going_on() -> Iterator[None]:
    """Ctrl-C inside is no error: what was trained lies in a checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nbenchbed: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
