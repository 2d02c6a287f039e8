"""One frozen object that says what a run is: what the user asked for, resolved and hashed.

A run with another mixer source, option, track, device or benchbed version has another identity, and so another
folder. How it is computed (engine, threads, compilation) is not part of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import NonNegativeInt, ValidationError

from benchbed import __version__
from benchbed.errors import OptionError
from benchbed.options import describe_error
from benchbed.registry import Plugin, find
from benchbed.scoring import MINIMUM_SEEDS
from benchbed.tracks import Backbone, Budget, Level, Optimiser, Strict, Track, fingerprint, track_names

__all__ = ["MixerReference", "RunConfig", "TaskReference", "TrackReference", "choose_level", "plan"]

CUSTOM = "custom"
"""Name of a level whose options were changed."""


class MixerReference(Strict):
    """A mixer, its options and where its code came from."""

    name: str
    distribution: str
    version: str
    options: dict[str, Any]
    source_hash: str | None


class TaskReference(Strict):
    """A task at a level, likewise."""

    name: str
    level: str
    distribution: str
    version: str
    task_version: int
    options: dict[str, Any]
    source_hash: str | None


class TrackReference(Strict):
    """A track, by name, version and `Track.hash`."""

    name: str
    version: int
    hash: str


class RunConfig(Strict):
    """One mixer x one level x one track."""

    benchbed: str
    mixer: MixerReference
    task: TaskReference
    track: TrackReference
    backbone: Backbone
    optimiser: Optimiser
    budget: Budget
    scoring_seeds: list[NonNegativeInt]
    tuning_seeds: list[NonNegativeInt]
    device: str
    """Type of the device, `cpu` or `cuda`: rounding differs between them."""
    checked: bool
    """The leak checks run before training."""
    unranked: list[str]
    """Why this run cannot stand on a board; empty if it can."""

    @property
    def identity(self) -> str:
        """SHA-256 of all of it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def level(self) -> str:
        """`task@level`, as boards name it."""
        return f"{self.task.name}@{self.task.level}"


def plan(
    mixer: str,
    task: str,
    track: Track,
    *,
    track_is_published: bool,
    device: str,
    mixer_options: Mapping[str, str] = MappingProxyType({}),
    task_options: Mapping[str, str] = MappingProxyType({}),
    seeds: int | None = None,
    max_steps: int | None = None,
    checked: bool = True,
) -> RunConfig:
    """Resolve what a command line asked for.

    Args:
        mixer: name of a mixer.
        task: `name` or `name@level`.
        track: the track to run under.
        track_is_published: whether it came with benchbed, and not from a file of the user's.
        device: type of the device.
        mixer_options: as text.
        task_options: as text; they replace single options of the level.
        seeds: scoring seeds instead of the track's number.
        max_steps: budget instead of the track's.
        checked: run the leak checks before training.

    Raises:
        BenchbedError: something does not exist or does not fit together.
    """
    task_name, _, level_name = task.partition("@")
    mixer_plugin, task_plugin = find("mixer", mixer), find("task", task_name)
    level_name, level, options = choose_level(track, task_plugin, level_name, task_options)
    budget = track.budget if max_steps is None else _shorter(track.budget, max_steps)
    number = track.seeds.scoring if seeds is None else seeds
    if not 1 <= number <= min(track.seeds.tuning):
        raise OptionError(f"--seeds: expected 1 to {min(track.seeds.tuning)}, found {number}")
    reasons = {
        f"the track is a file, not one of {', '.join(track_names())}": not track_is_published,
        f"--seeds {number} instead of {track.seeds.scoring}": number != track.seeds.scoring,
        f"--max-steps {budget.steps} instead of {track.budget.steps}": budget.steps != track.budget.steps,
        "--task-option changes the level": level_name == CUSTOM,
        f"track {track.name} has no level of {task_plugin.label}": task_plugin.label not in track.tasks,
        f"fewer than {MINIMUM_SEEDS} seeds": number < MINIMUM_SEEDS,
        "--no-check": not checked,
    }
    backbone = track.backbone
    if level.layers is not None:
        backbone = backbone.model_copy(update={"layers": level.layers})
    return RunConfig(
        benchbed=__version__,
        mixer=MixerReference(
            name=mixer_plugin.label,
            distribution=mixer_plugin.distribution,
            version=mixer_plugin.version,
            options=mixer_plugin.resolve(mixer_options, text=True),
            source_hash=mixer_plugin.source_hash,
        ),
        task=TaskReference(
            name=task_plugin.label,
            level=level_name,
            distribution=task_plugin.distribution,
            version=task_plugin.version,
            task_version=task_plugin.load().version,
            options=options,
            source_hash=task_plugin.source_hash,
        ),
        track=TrackReference(name=track.name, version=track.version, hash=track.hash),
        backbone=backbone,
        optimiser=track.optimiser,
        budget=budget,
        scoring_seeds=list(range(number)),
        tuning_seeds=track.seeds.tuning,
        device=device,
        checked=checked,
        unranked=[reason for reason, holds in reasons.items() if holds],
    )


def choose_level(
    track: Track, task: Plugin, name: str, changes: Mapping[str, str]
) -> tuple[str, Level, dict[str, Any]]:
    """A level's name, its setting, and all options of the task at it.

    Args:
        track: whose levels they are; a task that the track does not know has one level, its own defaults.
        task: the task.
        name: the level's; empty for the default.
        changes: options, as text, instead of the level's; if they make a difference, its name is `CUSTOM`.

    Raises:
        UnknownNameError: there is no such level.
        OptionError: there is no such option, or it has a wrong value.
    """
    if task.label not in track.tasks and name in ("", "default"):
        name, level = "default", Level(options={})
    else:
        name, level = track.level(task.label, name or None)
    published = task.resolve(level.options)
    changed = task.resolve(changes, text=True)
    options = published | {key: changed[key] for key in changes}
    return name if options == published else CUSTOM, level, options


def _shorter(budget: Budget, steps: int) -> Budget:
    try:
        return Budget.model_validate({**budget.model_dump(), "steps": steps})
    except ValidationError as error:
        raise OptionError(f"--max-steps: {describe_error(error, Budget)}") from None
