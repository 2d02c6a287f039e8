"""Training again at the rate that a finished run chose: its own seeds, or fresh ones."""

from collections.abc import Sequence
from pathlib import Path

import torch

from benchbed import __version__
from benchbed.config.protocol import FRESH_SEEDS
from benchbed.errors import OptionError, ResultError
from benchbed.plugins.registry import find
from benchbed.results.result import Result
from benchbed.runs.execute import PlannedRun, prepare
from benchbed.training.engine import EngineSettings

__all__ = ["fresh_seeds", "plan_again"]


def fresh_seeds(count: int) -> list[int]:
    """Seeds that no track scores or tunes on; the same ones for everybody.

    Raises:
        OptionError: there are not as many.
    """
    if not 1 <= count <= len(FRESH_SEEDS):
        raise OptionError(f"expected 1 to {len(FRESH_SEEDS)} fresh seeds, found {count}")
    return list(FRESH_SEEDS[:count])


def plan_again(
    result: Result, seeds: Sequence[int], device: torch.device, out: Path
) -> tuple[PlannedRun, EngineSettings]:
    """Make a run ready that trains seeds at a finished run's learning rate; compiled if that one was.

    It is a run as any other, unranked, with a folder and checkpoints of its own.

    Args:
        result: the finished run.
        seeds: to train.
        device: where to.
        out: the folder of all runs.

    Raises:
        ResultError: the mixer or task at hand is not the one that was scored.
        BenchbedError: it cannot be loaded.
    """
    config, rate = result.config, result.learning_rate
    for kind, reference in (("mixer", config.mixer), ("task", config.task)):
        plugin = find(kind, reference.name)  # pyright: ignore[reportArgumentType]
        if plugin.source_hash != reference.source_hash:
            raise ResultError(
                f"{plugin.owner} {plugin.version} has another source than the one that was scored: expected version "
                f"{reference.version}, commit {result.environment.git_commit}; install that"
            )
    changes = {
        "benchbed": __version__,
        "optimiser": config.optimiser.model_copy(update={"learning_rates": [rate], "further_rates": []}),
        "scoring_seeds": list(seeds),
        "tuning_seeds": [],
        "device": device.type,
        "unranked": [*config.unranked, f"seeds {seeds[0]} to {seeds[-1]} at the rate of a finished run, {rate:g}"],
    }
    settings = EngineSettings("auto", device, result.environment.compiled)
    return prepare(config.model_copy(update=changes), out), settings
