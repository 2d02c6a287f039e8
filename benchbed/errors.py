"""Errors that a user can cause: each message says what was expected, what was found and what to do.

The command line prints one of them as one line on stderr and exits with code 2.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "BenchbedError",
    "BusyError",
    "DeviceError",
    "EntryError",
    "LanguageModelError",
    "OptionError",
    "PluginError",
    "ResultError",
    "StorageError",
    "TrackError",
    "UnknownNameError",
    "blame",
    "remember_files",
]


class BenchbedError(Exception):
    """Base of every error that is the caller's to mend."""


class OptionError(BenchbedError):
    """An option of a mixer, task or command is unknown, of the wrong type, or impossible."""


class UnknownNameError(BenchbedError):
    """No mixer, task, level or track has this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str], see: str, where: str = "") -> None:
        known = sorted(known)
        hint = where + did_you_mean(name, known)
        super().__init__(f"unknown {kind} '{name}'{hint}; known: {', '.join(known) or 'none'} (see `{see}`)")


class PluginError(BenchbedError):
    """A mixer or task exists but cannot be loaded, or breaks its contract."""


class TrackError(BenchbedError):
    """A track file is malformed."""


class ResultError(BenchbedError):
    """A result file is missing, unreadable, or of another schema version."""


class EntryError(BenchbedError):
    """A leaderboard entry is malformed, or a run cannot become one."""


class LanguageModelError(BenchbedError):
    """A language model cannot be found, fetched or read, or cannot be measured."""


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
def blame(what: str, files: Collection[str] | None = None) -> Iterator[None]:
    """Turn what a plug-in's own code raises into one line that names the plug-in.

    Args:
        what: how messages name the plug-in.
        files: its source files, real paths. An error that came through none of them is not the plug-in's, and goes on
            as it is: a fault of benchbed must show as one. None where nothing runs inside but what the contract of
            plug-ins says; all that is raised there is the plug-in's.

    Raises:
        PluginError: the plug-in's code raised something other than a `BenchbedError`.
        OptionError: the plug-in refused its options; the message now names it.
    """
    try:
        yield
    except OptionError as error:
        raise OptionError(f"{what}: {error}") from error
    except BenchbedError:
        raise
    except Exception as error:
        if files is not None and not _came_through(error, files):
            raise
        message = " ".join(str(error).split())
        raise PluginError(f"{what}: {type(error).__name__}: {message} (--debug shows where)") from error


def remember_files(error: Exception, files: Collection[str]) -> Exception:
    """An error of another process, with the files that it came through there: tracebacks do not travel."""
    error.__dict__["came_through"] = frozenset(files)
    return error


def _came_through(error: BaseException | None, files: Collection[str]) -> bool:
    """Whether a frame of an error, or of what it was raised from, lies in one of the files."""
    import os  # neither at the start of every command
    import traceback

    while error is not None:
        frames = traceback.walk_tb(error.__traceback__)
        if any(os.path.realpath(frame.f_code.co_filename) in files for frame, _ in frames):
            return True
        if not error.__dict__.get("came_through", frozenset()).isdisjoint(files):
            return True
        error = error.__cause__ or error.__context__
    return False
