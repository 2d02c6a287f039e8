"""One frozen object that says what a run is: what the user asked for, resolved and hashed.

A run with another mixer source, option, track, device or benchbed version has another identity, and so another
folder. How it is computed (engine, threads, compilation) is not part of it.
"""

from operator import not_
from typing import Any

from pydantic import Field, NonNegativeInt

from benchbed.config.tracks import BackboneSizes, Budget, OptimiserSettings
from benchbed.storage.schema import Strict, fingerprint

__all__ = ["MixerReference", "RunConfig", "TaskReference", "TrackReference"]


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
    backbone: BackboneSizes
    optimiser: OptimiserSettings
    budget: Budget
    scoring_seeds: list[NonNegativeInt]
    tuning_seeds: list[NonNegativeInt]
    device: str
    """Type of the device, `cpu` or `cuda`: rounding differs between them."""
    checked: bool
    """The leak checks run before training."""
    unranked: list[str]
    """Why this run cannot stand on a board; empty if it can."""
    # Runs of before there were interventions and precisions keep their identity.
    score_bias: float = Field(default=0.0, exclude_if=not_)
    """Added to the attention scores of a token's true parents; 0 but for an intervention."""
    tf32: bool = Field(default=False, exclude_if=not_)
    """Matrix products of float32 are made in TF32, which a GPU does faster and to ten bits."""

    @property
    def identity(self) -> str:
        """SHA-256 of all of it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def level(self) -> str:
        """`task@level`, as boards name it."""
        return f"{self.task.name}@{self.task.level}"
