"""What every command shares: a console, JSON, and how Ctrl-C ends."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

__all__ = ["console", "going_on", "print_json"]


def console(stderr: bool = False) -> Any:
    """A console; Rich is imported here and not at the start of every command."""
    from rich.console import Console

    return Console(stderr=stderr)


def print_json(data: Any) -> None:
    """Print data for machines."""
    print(json.dumps(data, indent=2, allow_nan=False))


@contextmanager
def going_on() -> Iterator[None]:
    """Ctrl-C inside is no error: what was trained lies in a checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nbenchbed: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
