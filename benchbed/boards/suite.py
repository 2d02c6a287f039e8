"""Many runs at once: the cells of a track's boards that hold no entry yet."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console

from benchbed.boards.entries.entry import load_entry
from benchbed.boards.folders import entry_files
from benchbed.config.request import RunRequest
from benchbed.config.tracks import Track, load_track
from benchbed.errors import BenchbedError
from benchbed.plugins.registry import Plugin, find, plugins
from benchbed.reporting.live import Backend, run_live, train_ahead
from benchbed.runs.checkpoint import CHECKPOINT
from benchbed.runs.estimate import most_seconds
from benchbed.runs.execute import PlannedRun, prepare
from benchbed.storage.names import file_name
from benchbed.training.devices import find_device
from benchbed.training.engine import EngineSettings

__all__ = ["Forecast", "Vacancy", "fill_vacancies", "find_vacancies", "forecast"]


class Vacancy(NamedTuple):
    """One mixer on one level that a board lacks."""

    mixer: str
    level: str


@dataclass(frozen=True)
class Forecast:
    """What filling a vacancy takes."""

    mixer: str
    level: str
    state: Literal["to do", "begun", "finished", "fails"]
    """Of the run in the folder of results; a finished one waits to be submitted."""
    seconds: float | None
    """At most, and of what is left; None where it fails."""
    problem: str = ""


def find_vacancies(boards: Path, track: str, mixers: list[str] | None, levels: list[str] | None) -> list[Vacancy]:
    """Every mixer on every level, but for those that a board holds, as their source is today.

    Args:
        boards: the folder that holds the tracks.
        track: a published track.
        mixers: their names; by default every built-in one that this machine can run.
        levels: `task@level` or `task`; by default every level of the track.

    Raises:
        BenchbedError: something does not exist.
    """
    loaded = load_track(track)
    usable = [plugin for plugin in plugins("mixer") if plugin.built_in and not plugin.unavailable]
    chosen = [find("mixer", name) for name in mixers] if mixers else usable
    names = [_level(loaded, name) for name in levels] if levels else loaded.level_names
    return [
        Vacancy(plugin.label, level)
        for level in names
        for plugin in chosen
        if not _held(boards / track, level, plugin)
    ]


def forecast(vacancies: list[Vacancy], track: str, out: Path, device: str) -> Iterator[Forecast]:
    """How long each would take at most, from a step that is measured here.

    Args:
        vacancies: of `find_vacancies`.
        track: their track.
        out: the folder of results, where some may be begun or finished.
        device: where to compute.
    """
    found = find_device(device)
    for vacancy in vacancies:
        try:
            run = _plan(vacancy, track, out, found.type)
            seconds = most_seconds(run, EngineSettings("auto", found))
        except Exception as error:  # of a mixer's own code as well
            yield Forecast(*vacancy, "fails", None, str(error))
            continue
        begun = (run.folder / CHECKPOINT).exists()
        yield Forecast(*vacancy, "finished" if run.finished else "begun" if begun else "to do", seconds)


def fill_vacancies(
    vacancies: list[Vacancy],
    track: str,
    out: Path,
    device: str,
    console: Console,
    *,
    compiled: bool | None = None,
    backend: Backend = "local",
) -> dict[Vacancy, str]:
    """Run them one after another, or at once on Ray; finished runs in `out` are taken as they are.

    Returns:
        What went wrong, by vacancy.
    """
    failures: dict[Vacancy, str] = {}
    found = find_device(device)
    engine = EngineSettings("auto", found, compiled)
    planned: dict[Vacancy, PlannedRun] = {}
    if backend == "ray":
        for vacancy in vacancies:
            with contextlib.suppress(Exception):  # it fails again below, and is told there
                planned[vacancy] = _plan(vacancy, track, out, found.type)
        problems = train_ahead(list(planned.values()), engine, console)
        failures = {vacancy: problems[run] for vacancy, run in planned.items() if run in problems}
    for number, vacancy in enumerate(vacancies, start=1):
        if vacancy in failures:
            continue
        console.rule(f"{number} of {len(vacancies)}: {vacancy.mixer} on {vacancy.level}", align="left")
        try:
            run_live(planned.get(vacancy) or _plan(vacancy, track, out, found.type), engine, console)
        except BenchbedError as error:
            failures[vacancy] = str(error)
            console.print(f"failed: {error}", style="red", soft_wrap=True, markup=False)
        except Exception as error:  # a bug in one run must not cost the others their night
            failures[vacancy] = f"{type(error).__name__}: {error}"
            console.print_exception()
    console.rule(f"{len(vacancies) - len(failures)} of {len(vacancies)} cells finished", align="left")
    for vacancy, reason in failures.items():
        console.print(
            f"failed: {vacancy.mixer} on {vacancy.level}: {reason}", style="red", soft_wrap=True, markup=False
        )
    return failures


def _plan(vacancy: Vacancy, track: str, out: Path, device: str) -> PlannedRun:
    return prepare(RunRequest(vacancy.mixer, vacancy.level, track).resolve(device), out)


def _level(track: Track, name: str) -> str:
    task, _, level = name.partition("@")
    return f"{task}@{track.level(task, level or None)[0]}"


def _held(folder: Path, level: str, mixer: Plugin) -> bool:
    """Whether a board holds this mixer at its default options, in full precision, with today's source."""
    defaults = mixer.resolve({})
    entries = [load_entry(path) for path in entry_files(folder / file_name(level))]
    configs = [entry.result.config for entry in entries if entry.standing != "withdrawn"]
    references = [config.mixer for config in configs if not config.tf32]
    return any(
        r.name == mixer.label and r.options == defaults and r.source_hash == mixer.source_hash for r in references
    )
