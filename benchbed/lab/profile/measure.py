"""What a mixer costs, measured: parameters, FLOPs, time of a training step and state, at the shapes of a track."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import torch

from benchbed.config.request import RunRequest
from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import Track, load_track
from benchbed.errors import BenchbedError
from benchbed.lab.profile.start import StartMixing, measure_start
from benchbed.lab.profile.state import StateSize, measure_state
from benchbed.plugins.registry import find
from benchbed.results.result import Costs
from benchbed.runs.costs import measure_costs, seconds_a_step
from benchbed.training.recipe import make_recipe
from benchbed.training.seeding import seeded_globally

__all__ = ["LevelCosts", "MixerProfile", "profile_mixer"]

T = TypeVar("T")


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
    start: StartMixing | str
    """At the first of the levels; or why it could not be measured."""
    state: StateSize | str
    """Likewise."""


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

    def measured(measure: Callable[[], T]) -> T | str:
        if plugin.needs_cuda:
            return "not measured: its kernels compute on a GPU alone, and not in double precision"
        try:
            return measure()
        except (BenchbedError, RuntimeError) as error:
            return f"not measured: {' '.join(str(error).split())[:120]}"

    width, length = chosen.backbone.dim, levels[0].costs.sequence_length
    return MixerProfile(
        name=plugin.label,
        description=plugin.description,
        distribution=plugin.distribution,
        version=plugin.version,
        options=resolved,
        track=chosen.name,
        baseline=chosen.baseline,
        levels=levels,
        start=measured(lambda: measure_start(build, width, length)),
        state=measured(lambda: measure_state(build)),
    )


def _level_costs(mixer: str, task: str, track: Track, options: Mapping[str, str], device: torch.device) -> LevelCosts:
    def config(who: str, given: Mapping[str, str]) -> RunConfig:
        return RunRequest(who, task, track, mixer_options=given).resolve(device.type)

    mine = config(mixer, options)
    recipe, instance = make_recipe(mine)
    others = [make_recipe(config(track.baseline, {}))[0]] if track.baseline else []
    seconds, *base = seconds_a_step([recipe, *others], device)
    return LevelCosts(mine.level, measure_costs(recipe, instance), 1e3 * seconds, seconds / base[0] if base else None)
