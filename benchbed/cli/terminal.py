"""What every command shares: a console, JSON, and how Ctrl-C ends."""

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

import typer

from benchbed.errors import OptionError

__all__ = ["console", "going_on", "only_json", "print_csv", "print_json", "working"]


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


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows for spreadsheets; lists become words."""
    from benchbed.storage.files import csv_text

    plain = [{k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()} for row in rows]
    print(csv_text(plain), end="")


@contextmanager
def working(screen: Any, what: str) -> Iterator[None]:
    """Show in a terminal that something takes a while; what is printed on `screen` meanwhile stands above it."""
    with screen.status(f"{what} ...") if screen.is_terminal else nullcontext():
        yield


class _Ended(KeyboardInterrupt):
    """Ctrl-C by another name: a batch system's signal, or the time limit."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


@contextmanager
def going_on(time_limit: str | None = None) -> Iterator[None]:
    """Ctrl-C inside, SIGTERM and a time limit are no errors: what was trained lies in a checkpoint.

    Exit codes are 130 for Ctrl-C, 143 for SIGTERM and 75, which means "try again", for the time limit.

    Args:
        time_limit: such as `25m`; None for none.

    Raises:
        OptionError: the time limit is no time.
    """
    seconds = None if time_limit is None else _seconds(time_limit)
    main = threading.current_thread() is threading.main_thread()  # elsewhere signals have no handlers

    def terminated(*_: object) -> None:
        raise _Ended("terminated", 143)

    before = signal.signal(signal.SIGTERM, terminated) if main else None
    watch = nullcontext() if seconds is None else _time_up(seconds, time_limit)
    try:
        with watch:
            yield
    except KeyboardInterrupt as end:
        reason, code = (str(end), end.code) if isinstance(end, _Ended) else ("interrupted", 130)
        print(f"\nbenchbed: {reason}; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(code) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _time_up(seconds: float, shown: str | None) -> Iterator[None]:
    """Raise `_Ended` in this thread after so many seconds."""
    number = getattr(signal, "SIGALRM", signal.SIGINT)

    def up(*_: object) -> None:
        raise _Ended(f"the time limit of {shown} is up", 75)

    before = signal.signal(number, up)
    watch = threading.Timer(seconds, signal.raise_signal if number == signal.SIGINT else _alarm, (number,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        signal.signal(number, before)


def _alarm(number: int) -> None:
    """To the process and not to this thread, so that a call that waits in the main one ends."""
    os.kill(os.getpid(), number)


def _seconds(text: str) -> float:
    """Read `90s`, `25m`, `1h30m`.

    Raises:
        OptionError: it is none of these.
    """
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    total = sum(int(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    if not total:
        raise OptionError(f"--time-limit: expected a time such as 90s, 25m or 1h30m, found '{text}'")
    return total
