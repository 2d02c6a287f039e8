"""What a mixer costs, measured: parameters, FLOPs, time of a training step and state, at the shapes of a track."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from benchbed.config.request import RunRequest
from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import Track, load_track
from benchbed.errors import BenchbedError
from benchbed.lab.profile.state import StateSize, measure_state
from benchbed.plugins.registry import find
from benchbed.results.result import Costs
from benchbed.runs.costs import measure_costs, seconds_a_step
from benchbed.training.recipe import make_recipe
from benchbed.training.seeding import seeded_globally

__all__ = ["LevelCosts", "MixerProfile", "profile_mixer"]


@dataclass(frozen=True)
class LevelCosts:
    """At the default level of one task."""

    level: str
    costs: Costs
    milliseconds: float
    """Forward and backward pass of a member on one batch, the fastest of a few, on one core or the GPU it needs."""
    ratio: float | None
    """Of that time to the baseline's, measured in turns with it; None where the track names none."""


@dataclass(frozen=True)
class MixerProfile:
    """All of it."""

    name: str
    description: str
    distribution: str
    version: str
    options: dict[str, Any]
    track: str
    baseline: str | None
    levels: list[LevelCosts]
    state: StateSize | str
    """Or why it could not be measured."""


def profile_mixer(mixer: str, track: str, options: Mapping[str, str] = MappingProxyType({})) -> MixerProfile:
    """Measure a mixer at the default level of each of a track's tasks, and its state.

    Args:
        mixer: its name.
        track: name or file.
        options: of the mixer, as text.

    Raises:
        BenchbedError: something does not exist or does not fit together.
    """
    plugin, chosen = find("mixer", mixer), load_track(track)
    resolved = plugin.resolve(options, text=True)
    device = torch.device("cuda" if plugin.needs_cuda else "cpu")
    levels = [_level_costs(mixer, task, chosen, options, device) for task in chosen.tasks]

    def build(dim: int, length: int) -> torch.nn.Module:
        with seeded_globally(0, "weights"):
            return plugin.load()(dim, length, **resolved)

    try:
        state = "not measured: its kernels have no double precision" if plugin.needs_cuda else measure_state(build)
    except (BenchbedError, RuntimeError) as error:
        state = f"not measured: {' '.join(str(error).split())[:120]}"
    return MixerProfile(
        name=plugin.label,
        description=plugin.description,
        distribution=plugin.distribution,
        version=plugin.version,
        options=resolved,
        track=chosen.name,
        baseline=chosen.baseline,
        levels=levels,
        state=state,
    )


def _level_costs(mixer: str, task: str, track: Track, options: Mapping[str, str], device: torch.device) -> LevelCosts:
    def config(who: str, given: Mapping[str, str]) -> RunConfig:
        return RunRequest(who, task, track, mixer_options=given).resolve(device.type)

    mine = config(mixer, options)
    recipe, instance = make_recipe(mine)
    others = [make_recipe(config(track.baseline, {}))[0]] if track.baseline else []
    seconds, *base = seconds_a_step([recipe, *others], device)
    return LevelCosts(mine.level, measure_costs(recipe, instance), 1e3 * seconds, seconds / base[0] if base else None)
