"""Errors that a user can cause: each message says what was expected, what was found and what to do.

The command line prints one of them as one line on stderr and exits with code 2.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "BenchbedError",
    "BusyError",
    "DeviceError",
    "EntryError",
    "OptionError",
    "PluginError",
    "ResultError",
    "StorageError",
    "TrackError",
    "UnknownNameError",
    "blame",
]


class BenchbedError(Exception):
    """Base of every error that is the caller's to mend."""


class OptionError(BenchbedError):
    """An option of a mixer, task or command is unknown, of the wrong type, or impossible."""


class UnknownNameError(BenchbedError):
    """No mixer, task, level or track has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str], see: str) -> None:
        known = sorted(known)
        super().__init__(
            f"unknown {kind} '{name}'{did_you_mean(name, known)}; known: {', '.join(known) or 'none'} (see `{see}`)"
        )


class PluginError(BenchbedError):
    """A mixer or task exists but cannot be loaded, or breaks its contract."""


class TrackError(BenchbedError):
    """A track file is malformed."""


class ResultError(BenchbedError):
    """A result file is missing, unreadable, or of another schema version."""


class EntryError(BenchbedError):
    """A leaderboard entry is malformed, or a run cannot become one."""


class StorageError(BenchbedError):
    """A file cannot be written."""


class BusyError(BenchbedError):
    """Another process is writing to the same folder."""


class DeviceError(BenchbedError):
    """The requested device is not there, or ran out of memory."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'heads'?"` for the nearest of `known`, or the empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


@contextmanager
def blame(what: str) -> Iterator[None]:
    """Turn whatever a plug-in's own code raises into one line that names the plug-in.

    Raises:
        PluginError: something other than a `BenchbedError` was raised inside.
        OptionError: the plug-in refused its options; the message now names it.
    """
    try:
        yield
    except OptionError as error:
        raise OptionError(f"{what}: {error}") from error
    except BenchbedError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        raise PluginError(f"{what}: {type(error).__name__}: {message} (--debug shows where)") from error
