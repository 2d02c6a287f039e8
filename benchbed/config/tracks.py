"""Tracks: everything that is fixed when mixers are compared, one versioned YAML file each."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from operator import not_
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from benchbed.errors import TrackError, UnknownNameError
from benchbed.storage.files import YamlError, load_yaml
from benchbed.storage.names import is_archive_name
from benchbed.storage.schema import Strict, describe_error, fingerprint

__all__ = [
    "BackboneSizes",
    "Budget",
    "Family",
    "Level",
    "OptimiserSettings",
    "Seeds",
    "TaskLevels",
    "Track",
    "list_tracks",
    "load_track",
    "track_names",
]

SCHEMA_VERSION = 1


class BackboneSizes(Strict):
    """The tiny model around the mixer."""

    dim: PositiveInt
    mlp_dim: PositiveInt
    layers: PositiveInt


class OptimiserSettings(Strict):
    """AdamW with linear warm-up, then a constant rate."""

    learning_rates: Annotated[list[PositiveFloat], Field(min_length=1)]
    """The grid, chosen from on the tuning seeds."""
    further_rates: list[PositiveFloat] = Field(default=[], exclude_if=not_)  # older tracks keep their hash
    """Rates below and above the grid: while the best rate is an end of those tried, the next one outward is tried."""
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_steps: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _further_rates_lie_outside(self) -> Self:
        low, high = min(self.learning_rates), max(self.learning_rates)
        inside = [rate for rate in self.further_rates if low <= rate <= high]
        if inside:
            raise ValueError(f"expected further_rates below {low:g} or above {high:g}, found {inside}")
        return self


class Budget(Strict):
    """How long a member may train and how it is looked at."""

    steps: PositiveInt
    tokens_per_step: PositiveInt
    evaluate_every: PositiveInt
    """Steps between evaluations; fixed, because a stop chosen by looking more often is not comparable."""
    held_out: PositiveInt
    """Sequences in a member's held-out set."""

    @model_validator(mode="after")
    def _on_the_grid(self) -> Self:
        if self.steps % self.evaluate_every or self.steps < 2 * self.evaluate_every:
            raise ValueError(
                f"expected steps to be a multiple of evaluate_every={self.evaluate_every}, at least twice it "
                f"(a solve is confirmed by the next evaluation), found {self.steps}"
            )
        return self


class Seeds(Strict):
    """Tuning seeds choose the learning rate and are never scored."""

    scoring: PositiveInt
    """Members are scored on seeds 0..scoring-1."""
    tuning: Annotated[list[PositiveInt], Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if min(self.tuning) < self.scoring:
            raise ValueError(f"expected tuning seeds >= scoring={self.scoring}, found {self.tuning}")
        return self


class Level(Strict):
    """A named setting of a task's options."""

    options: dict[str, Any]
    layers: PositiveInt | None = None
    """Layers of the backbone at this level, where they differ from the track's."""
    steps: PositiveInt | None = None
    """Budget at this level, where it differs from the track's."""


Family = Literal["fixed pattern", "content", "state"]
"""What has to be found: places that are always the same, places by what stands there, or a state to keep."""


class TaskLevels(Strict):
    """The levels of one task."""

    family: Family | None = None
    """Tracks of before 2026-11-26 name none."""
    default: str
    levels: Annotated[dict[str, Level], Field(min_length=1)]

    @model_validator(mode="after")
    def _default_exists(self) -> Self:
        if self.default not in self.levels:
            raise ValueError(f"expected default to be one of {sorted(self.levels)}, found '{self.default}'")
        return self


class Track(Strict):
    """One track file."""

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: PositiveInt
    description: str
    baseline: str | None = None
    """The mixer to which the others of a board are compared."""
    backbone: BackboneSizes
    optimiser: OptimiserSettings
    budget: Budget
    seeds: Seeds
    tasks: Annotated[dict[str, TaskLevels], Field(min_length=1)]

    @property
    def hash(self) -> str:
        """SHA-256 of what is the same for all its levels; a level more or a better description is no other track."""
        return fingerprint(self.model_dump(mode="json", exclude={"description", "baseline", "tasks"}))

    @property
    def level_names(self) -> list[str]:
        """Every `task@level`."""
        return [f"{task}@{level}" for task, known in self.tasks.items() for level in known.levels]

    def level(self, task: str, level: str | None) -> tuple[str, Level]:
        """The level's name and setting; the task's default level if `level` is None.

        Raises:
            UnknownNameError: the track has no such level of the task.
        """
        if task not in self.tasks:
            raise UnknownNameError("task", task, self.tasks, "benchbed list tracks", f" of track '{self.name}'")
        levels = self.tasks[task]
        name = levels.default if level is None else level
        if name not in levels.levels:
            where = f" of '{task}' in track '{self.name}'"
            raise UnknownNameError("level", name, levels.levels, "benchbed list tracks", where)
        return name, levels.levels[name]

    def sizes_at(self, level: Level) -> BackboneSizes:
        """The backbone at a level."""
        return self.backbone if level.layers is None else self.backbone.model_copy(update={"layers": level.layers})

    def budget_at(self, level: Level) -> Budget:
        """The budget at a level."""
        return self.budget if level.steps is None else self.budget.model_copy(update={"steps": level.steps})

    @model_validator(mode="after")
    def _budgets_fit(self) -> Self:
        for task in self.tasks.values():
            for level in task.levels.values():
                Budget.model_validate(self.budget_at(level).model_dump())
        return self


def track_names() -> list[str]:
    """The published tracks as they are today; a folder such as `lite-1` holds the boards of an earlier version."""
    folder = files("benchbed.leaderboards")
    found = sorted(child.name for child in folder.iterdir() if child.joinpath("track.yaml").is_file())
    return [name for name in found if not is_archive_name(name)]


def load_track(name: str) -> Track:
    """Read a published track by name, or a track file by its path (`.yaml`).

    Raises:
        UnknownNameError: there is no such track.
        TrackError: the file is malformed.
    """
    file: Traversable = files("benchbed.leaderboards").joinpath(name, "track.yaml")
    if name.endswith((".yaml", ".yml")):
        file = Path(name)
    elif name not in track_names():
        raise UnknownNameError("track", name, track_names(), "benchbed list tracks")
    try:
        return Track.model_validate(load_yaml(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YamlError) as error:
        raise TrackError(f"cannot read the track {file}: {error}") from None
    except ValidationError as error:
        raise TrackError(f"track {file}: {describe_error(error, Track)}") from None


def list_tracks() -> list[dict[str, Any]]:
    """One row a track."""
    rows = []
    for track in map(load_track, track_names()):
        levels = [level for task in track.tasks.values() for level in task.levels.values()]
        rows.append(
            {
                "name": track.name,
                "version": track.version,
                "levels": track.level_names,
                "steps": [f"{track.budget_at(level).steps:,}" for level in levels],
                "seeds": track.seeds.scoring,
                "description": track.description,
            }
        )
    return rows
