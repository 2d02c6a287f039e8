"""What somebody asked for, and how it becomes a `RunConfig`: the same for a command line, a notebook and a sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from benchbed import __version__
from benchbed.config.protocol import MINIMUM_SEEDS
from benchbed.config.run_config import MixerReference, RunConfig, TaskReference, TrackReference
from benchbed.config.tracks import BackboneSizes, Level, Track, load_track, track_names
from benchbed.errors import DeviceError, OptionError
from benchbed.plugins.registry import Plugin, find
from benchbed.storage.schema import Strict, describe_error

__all__ = ["CUSTOM", "RunRequest", "choose_level", "default_track"]

CUSTOM = "custom"
"""Name of a level whose options were changed."""

M = TypeVar("M", bound=Strict)


@dataclass(frozen=True)
class RunRequest:
    """What somebody asked for. Nothing has been looked up, and nothing has to exist.

    Options are values, or text as a command line gives it.
    """

    mixer: str
    """Name of a mixer, or `package.module:Class`."""
    task: str
    """`name` or `name@level`."""
    track: str | Track | None = None
    """A published name; a file's path or a `Track`, which is unranked; None is `standard` on CUDA, else `lite`."""
    mixer_options: Mapping[str, Any] = field(default_factory=dict)
    task_options: Mapping[str, Any] = field(default_factory=dict)
    """They replace single options of the level; unranked."""
    backbone: Mapping[str, Any] = field(default_factory=dict)
    """Sizes instead of the track's; unranked."""
    seeds: int | None = None
    """Scoring seeds instead of the track's number; unranked."""
    max_steps: int | None = None
    """Budget instead of the track's; unranked."""
    learning_rate: float | None = None
    """Train at this rate and tune nothing; unranked."""
    score_bias: float = 0.0
    """Added to the attention scores of the true parents; unranked."""
    tf32: bool = False
    """Make matrix products in TF32; needs CUDA."""
    checked: bool = True
    """Run the leak checks before training; without, it is unranked."""

    def load_track(self, device: str) -> Track:
        """The track, loaded.

        Args:
            device: its type, `cpu` or `cuda`.

        Raises:
            BenchbedError: there is none of this name, or its file is malformed.
        """
        if isinstance(self.track, Track):
            return self.track
        return load_track(self.track or default_track(device))

    def look_up(self) -> None:
        """Refuse what can be told without importing torch or a plug-in: names, levels and options that do not exist.

        Raises:
            BenchbedError: one of them does not.
        """
        task_name, _, level = self.task.partition("@")
        mixer, task = find("mixer", self.mixer), find("task", task_name)
        mixer.refuse_unknown(self.mixer_options)
        task.refuse_unknown(self.task_options)
        if self.track is not None:
            track = self.load_track("cpu")
            if task.label in track.tasks or level not in ("", "default"):
                track.level(task.label, level or None)

    def resolve(self, device: str) -> RunConfig:
        """Look everything up, validate it, and say why the run would be unranked.

        Args:
            device: its type, `cpu` or `cuda`.

        Raises:
            BenchbedError: something does not exist or does not fit together.
        """
        task_name, _, level_name = self.task.partition("@")
        mixer, task, track = find("mixer", self.mixer), find("task", task_name), self.load_track(device)
        level_name, level, task_options = choose_level(track, task, level_name, self.task_options)
        mixer_options = mixer.resolve(self.mixer_options, text=True)
        if not math.isfinite(self.score_bias):
            raise OptionError(f"--bias: expected a finite number, found {self.score_bias}")
        if mixer.needs_cuda and device != "cuda":
            raise DeviceError(f"{mixer.owner}: expected a CUDA device, found {device}; leave --device away")
        if self.tf32 and device != "cuda":
            raise DeviceError(f"--tf32: expected a CUDA device, found {device}; leave --tf32 away")
        steps, rate = self.max_steps, self.learning_rate
        budget = track.budget_at(level)
        reasons = self._reasons(track, mixer, task, level_name, budget.steps)
        if steps is not None:
            budget = _changed(budget, {"steps": steps}, "--max-steps")
        number = self._scored(track)
        if not 1 <= number <= min(track.seeds.tuning):
            raise OptionError(f"--seeds: expected 1 to {min(track.seeds.tuning)}, found {number}")
        given = {} if rate is None else {"learning_rates": [rate], "further_rates": []}
        return RunConfig(
            benchbed=__version__,
            mixer=MixerReference(
                name=mixer.label,
                distribution=mixer.distribution,
                version=mixer.version,
                options=mixer_options,
                source_hash=mixer.source_hash,
            ),
            task=TaskReference(
                name=task.label,
                level=level_name,
                distribution=task.distribution,
                version=task.version,
                task_version=task.load().version,
                options=task_options,
                source_hash=task.source_hash,
            ),
            track=TrackReference(name=track.name, version=track.version, hash=track.hash),
            backbone=_sized(track.sizes_at(level).model_dump(), self.backbone),
            optimiser=_changed(track.optimiser, given, "--learning-rate") if given else track.optimiser,
            budget=budget,
            scoring_seeds=list(range(number)),
            tuning_seeds=track.seeds.tuning if rate is None else [],
            device=device,
            checked=self.checked,
            unranked=reasons,
            score_bias=self.score_bias,
            tf32=self.tf32,
        )

    def _scored(self, track: Track) -> int:
        return track.seeds.scoring if self.seeds is None else self.seeds

    def _reasons(self, track: Track, mixer: Plugin, task: Plugin, level: str, budget: int) -> list[str]:
        """Why the run cannot stand on a board. Words and order are part of its identity."""
        rate, bias = self.learning_rate, self.score_bias
        seeds = self._scored(track)
        steps = budget if self.max_steps is None else self.max_steps
        published = self.track is None or self.track in track_names()
        sizes = ", ".join(f"{key}={value}" for key, value in self.backbone.items())
        reasons = {
            f"the track is a file, not one of {', '.join(track_names())}": not published,
            f"--seeds {seeds} instead of {track.seeds.scoring}": seeds != track.seeds.scoring,
            f"--max-steps {steps} instead of {budget}": steps != budget,
            f"{mixer.owner} is registered by no package": not mixer.registered,
            "--task-option changes the level": level == CUSTOM,
            f"track {track.name} has no level of {task.label}": task.label not in track.tasks,
            f"fewer than {MINIMUM_SEEDS} seeds": seeds < MINIMUM_SEEDS,
            f"--learning-rate {rate} instead of tuning": rate is not None,
            f"backbone changed: {sizes}": bool(self.backbone),
            f"--bias {bias:g} on the true parents": bias != 0,
            "--no-check": not self.checked,
        }
        return [reason for reason, holds in reasons.items() if holds]


def default_track(device: str) -> str:
    """The track of a run that names none."""
    return "standard" if device == "cuda" else "lite"


def choose_level(
    track: Track, task: Plugin, name: str, changes: Mapping[str, Any]
) -> tuple[str, Level, dict[str, Any]]:
    """A level's name, its setting, and all options of the task at it.

    Args:
        track: whose levels they are; a task that the track does not know has one level, its own defaults.
        task: the task.
        name: the level's; empty for the default.
        changes: options, values or text, instead of the level's; if they make a difference, its name is `CUSTOM`.

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


def _changed(model: M, changes: Mapping[str, Any], flag: str) -> M:
    try:
        return type(model).model_validate({**model.model_dump(), **changes})
    except ValidationError as error:
        raise OptionError(f"{flag}: {describe_error(error, type(model))}") from None


def _sized(sizes: Mapping[str, int], changes: Mapping[str, Any]) -> BackboneSizes:
    try:
        return BackboneSizes.model_validate_strings({k: str(v) for k, v in {**sizes, **changes}.items()})
    except ValidationError as error:
        raise OptionError(f"backbone: {describe_error(error, BackboneSizes)}") from None
