"""The result of a run as a file: strict in both directions, whole or absent.

`result.yaml` holds everything but the curves; `history.npz` holds them. A run's folder is
`<out>/<track>/<task@level>/<mixer>-<identity>/`.
"""

from datetime import datetime
from operator import not_
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from benchbed.config.run_config import RunConfig
from benchbed.errors import ResultError
from benchbed.results.scoring import MemberRow, Summary, restricted
from benchbed.storage.files import YamlError, load_yaml, write_yaml
from benchbed.storage.names import file_name
from benchbed.storage.schema import Strict, describe_error

__all__ = ["RESULT", "Costs", "Environment", "Result", "load_result", "run_folder", "save_result"]

SCHEMA_VERSION = 1
RESULT = "result.yaml"


class Costs(Strict):
    """What one member costs, measured."""

    parameters: NonNegativeInt
    mixer_parameters: NonNegativeInt
    """Over all layers."""
    flops_per_token: NonNegativeFloat
    """Forward, matrix products only, two a multiply-add, as torch counts them: not those of custom kernels."""
    sequence_length: PositiveInt
    """Tokens in a sequence."""
    sequences_per_step: PositiveInt
    """Sequences that a member trains on in one step."""


class Environment(Strict):
    """Where and how it was computed."""

    benchbed: str
    python: str
    torch: str
    platform: str
    device: str
    engine: str
    engine_note: str | None
    """Why the engine is not the one that was asked for."""
    compiled: bool
    precision: str
    workers: PositiveInt
    git_commit: str | None
    """Commit of the checkout that benchbed ran from as the process began; None for an installed one."""
    git_dirty: bool | None

    def differences(self, other: "Environment") -> dict[str, Any]:
        """What is otherwise there, by field."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return {field: value for field, value in theirs.items() if value != mine[field]}


class Result(Strict):
    """Everything about one finished run."""

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)]
    identity: str
    config: RunConfig
    unranked: list[str]
    """Why it cannot stand on a board: what the config says, and what was found out."""
    chance_loss: PositiveFloat
    scored_tokens: PositiveInt | None = Field(default=None, exclude_if=not_)
    """Of a sequence; None in results of before 29 November 2026."""
    costs: Costs
    learning_rate: PositiveFloat
    """Chosen on the tuning seeds."""
    tuning: list[MemberRow]
    members: list[MemberRow]
    """One row a scoring seed."""
    summary: Summary
    environment: Environment
    """Of the process that finished it."""
    earlier_environments: list[Environment] = Field(default=[], exclude_if=not_)
    """Of processes that began it and were interrupted, where they differ from that one and from each other."""
    finished: str
    """ISO 8601, UTC."""
    seconds: NonNegativeFloat
    """Wall time of the whole run, interruptions left out."""

    @property
    def restricted_steps(self) -> list[int]:
        """min(steps to solve, budget), one number a scoring seed."""
        return [restricted(row.steps, self.config.budget.steps) for row in self.members]

    def rows(self) -> list[dict[str, Any]]:
        """One tidy row a scoring seed, for a table or a data frame: which run, what the seed came to, what it cost.

        Losses are in nats; `steps`, `plateau_end` and `budget` in training steps; `seconds` in wall time. `steps` is
        None where the seed did not solve within the budget: it counts with the whole budget, so do not drop it.
        `run` is the name of the run's folder, by which two runs of one mixer are told apart.
        """
        about = {"mixer": self.config.mixer.name, "level": self.config.level, "track": self.config.track.name}
        fixed = {
            "chance_loss": self.chance_loss,
            "scored_tokens": self.scored_tokens,
            "budget": self.config.budget.steps,
            "parameters": self.costs.parameters,
            "mixer_parameters": self.costs.mixer_parameters,
            "run": _run_name(self.config),
        }
        return [about | dict(row) | fixed for row in self.members]

    @property
    def environments(self) -> list[Environment]:
        """All that trained it, the last one last."""
        return [*self.earlier_environments, self.environment]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seeds = [row.seed for row in self.members]
        if seeds != self.config.scoring_seeds:
            raise ValueError(f"expected one row for each of the seeds {self.config.scoring_seeds}, found {seeds}")
        if self.identity != self.config.identity:
            raise ValueError(f"expected identity {self.config.identity}, found {self.identity}")
        datetime.fromisoformat(self.finished)
        return self


def _run_name(config: RunConfig) -> str:
    """What a run's folder is called: the mixer, and enough of the identity to tell its runs apart."""
    return f"{file_name(config.mixer.name)}-{config.identity[:10]}"


def run_folder(out: Path, config: RunConfig) -> Path:
    """Where the files of a run belong."""
    return out / config.track.name / file_name(config.level) / _run_name(config)


def save_result(result: Result, folder: Path) -> None:
    """Write `result.yaml`.

    Raises:
        StorageError: it cannot be written.
    """
    write_yaml(folder / RESULT, result.model_dump(mode="json"))


def load_result(path: Path) -> Result:
    """Read a `result.yaml`, or the one in a folder.

    Raises:
        ResultError: it is missing, unreadable, of another version, or contradicts itself.
    """
    file = path / RESULT if path.is_dir() else path
    try:
        data = load_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(
            f"no result at {file}: expected a result.yaml that `benchbed run` wrote, or its folder"
        ) from None
    except (OSError, UnicodeDecodeError, YamlError) as error:
        raise ResultError(f"{file} is not a readable result: {error}; run it again with --retrain") from None
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), int):
        raise ResultError(f"{file} is not a result: expected a schema_version; run it again with --retrain")
    if data["schema_version"] > SCHEMA_VERSION:
        raise ResultError(
            f"{file} has schema version {data['schema_version']}, this benchbed reads up to {SCHEMA_VERSION}; "
            "upgrade benchbed"
        )
    try:
        return Result.model_validate(data)
    except ValidationError as error:
        raise ResultError(f"{file}: {describe_error(error, Result)}; run it again with --retrain") from None
