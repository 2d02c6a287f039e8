"""What somebody asked for, and how it becomes a `RunConfig`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from benchbed import __version__
from benchbed.config.protocol import MINIMUM_SEEDS
from benchbed.config.run_config import MixerReference, RunConfig, TaskReference, TrackReference
from benchbed.config.tracks import Backbone, Level, Track, track_names
from benchbed.errors import DeviceError, OptionError
from benchbed.plugins.registry import Plugin, find
from benchbed.storage.schema import Strict, describe_error

__all__ = ["CUSTOM", "M", "choose_level", "plan"]

M = TypeVar("M", bound=Strict)


CUSTOM = "custom"
"""Name of a level whose options were changed."""


def plan(
    mixer: str,
    task: str,
    track: Track,
    *,
    track_is_published: bool,
    device: str,
    mixer_options: Mapping[str, str] = MappingProxyType({}),
    task_options: Mapping[str, str] = MappingProxyType({}),
    backbone: Mapping[str, str] = MappingProxyType({}),
    seeds: int | None = None,
    max_steps: int | None = None,
    learning_rate: float | None = None,
    score_bias: float = 0.0,
    checked: bool = True,
) -> RunConfig:
    """Resolve what a command line asked for.

    Args:
        mixer: name of a mixer, or `package.module:Class`.
        task: `name` or `name@level`.
        track: the track to run under.
        track_is_published: whether it came with benchbed, and not from a file of the user's.
        device: type of the device.
        mixer_options: as text.
        task_options: as text; they replace single options of the level.
        backbone: sizes instead of the track's, as text.
        seeds: scoring seeds instead of the track's number.
        max_steps: budget instead of the track's.
        learning_rate: train at this rate and tune nothing.
        score_bias: added to the attention scores of the true parents.
        checked: run the leak checks before training.

    Raises:
        BenchbedError: something does not exist or does not fit together.
    """
    task_name, _, level_name = task.partition("@")
    mixer_plugin, task_plugin = find("mixer", mixer), find("task", task_name)
    level_name, level, options = choose_level(track, task_plugin, level_name, task_options)
    resolved = mixer_plugin.resolve(mixer_options, text=True)
    if mixer_plugin.needs_cuda and device != "cuda":
        raise DeviceError(f"{mixer_plugin.owner}: expected a CUDA device, found {device}; leave --device away")
    budget = track.budget if max_steps is None else _changed(track.budget, {"steps": max_steps}, "--max-steps")
    number = track.seeds.scoring if seeds is None else seeds
    if not 1 <= number <= min(track.seeds.tuning):
        raise OptionError(f"--seeds: expected 1 to {min(track.seeds.tuning)}, found {number}")
    reasons = {
        f"the track is a file, not one of {', '.join(track_names())}": not track_is_published,
        f"--seeds {number} instead of {track.seeds.scoring}": number != track.seeds.scoring,
        f"--max-steps {budget.steps} instead of {track.budget.steps}": budget.steps != track.budget.steps,
        f"{mixer_plugin.owner} is registered by no package": not mixer_plugin.registered,
        "--task-option changes the level": level_name == CUSTOM,
        f"track {track.name} has no level of {task_plugin.label}": task_plugin.label not in track.tasks,
        f"fewer than {MINIMUM_SEEDS} seeds": number < MINIMUM_SEEDS,
        f"--learning-rate {learning_rate} instead of tuning": learning_rate is not None,
        f"backbone changed: {', '.join(f'{k}={v}' for k, v in backbone.items())}": bool(backbone),
        f"--bias {score_bias:g} on the true parents": score_bias != 0,
        "--no-check": not checked,
    }
    sizes = track.backbone.model_dump() | ({} if level.layers is None else {"layers": level.layers})
    optimiser = track.optimiser
    if learning_rate is not None:
        optimiser = _changed(optimiser, {"learning_rates": [learning_rate]}, "--learning-rate")
    return RunConfig(
        benchbed=__version__,
        mixer=MixerReference(
            name=mixer_plugin.label,
            distribution=mixer_plugin.distribution,
            version=mixer_plugin.version,
            options=resolved,
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
        backbone=_sized(sizes, backbone),
        optimiser=optimiser,
        budget=budget,
        scoring_seeds=list(range(number)),
        tuning_seeds=track.seeds.tuning if learning_rate is None else [],
        device=device,
        checked=checked,
        unranked=[reason for reason, holds in reasons.items() if holds],
        score_bias=score_bias,
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


def _changed(model: M, changes: Mapping[str, Any], flag: str) -> M:
    try:
        return type(model).model_validate({**model.model_dump(), **changes})
    except ValidationError as error:
        raise OptionError(f"{flag}: {describe_error(error, type(model))}") from None


def _sized(sizes: Mapping[str, int], changes: Mapping[str, str]) -> Backbone:
    try:
        return Backbone.model_validate_strings({**{k: str(v) for k, v in sizes.items()}, **changes})
    except ValidationError as error:
        raise OptionError(f"backbone: {describe_error(error, Backbone)}") from None
