"""An entry of a board: one finished run, with its loss curves and where it came from, as one file.

Files lie at `leaderboards/<track>/<task@level>/<entry>.yaml`, or under `<track>-<version>` once the track has a newer
version. `digest` covers everything else in the file. Once published, only `verifications` may grow and `withdrawn`
may be set.
"""

import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from benchbed.boards.folders import track_folder
from benchbed.config.run_config import RunConfig
from benchbed.errors import EntryError
from benchbed.reporting.wording import options_line
from benchbed.results.history import History
from benchbed.results.result import Result
from benchbed.storage.files import YamlError, load_yaml, write_yaml
from benchbed.storage.names import file_name
from benchbed.storage.schema import Strict, describe_error, fingerprint

__all__ = [
    "MIGRATIONS",
    "SCHEMA_VERSION",
    "Entry",
    "Provenance",
    "Verification",
    "current_entries",
    "digest",
    "entry_folder",
    "entry_name",
    "load_entry",
    "loss_curves",
    "read_entry",
    "save_entry",
    "without_number",
]

_log = logging.getLogger("benchbed")

SCHEMA_VERSION = 1

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From each older schema version, how its data become those of the next one."""

Text = Annotated[str, Field(min_length=1)]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Provenance(Strict):
    """Who published an entry, and how to get it again."""

    submitter: Text
    date: Date
    command: Text
    """What trains it again from nothing."""
    source_url: str | None
    """Where the mixer's source lies, if it is not benchbed's own."""
    licence: str | None
    supersedes: str | None
    """The entry that this one replaces on the board."""


class Verification(Strict):
    """What came of training seeds again."""

    date: Date
    by: Text
    verdict: Literal["identical", "consistent", "inconsistent"]
    seeds: Annotated[list[int], Field(min_length=1)]
    p: float | None
    """Of the exact test between the two trainings; None where all steps are identical."""
    device: Text
    torch: Text
    benchbed: Text


class Entry(Strict):
    """One entry file."""

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)]
    entry: Text
    """The file's name without `.yaml`."""
    result: Result
    loss_curves: list[str]
    """One line a scoring seed: the mean held-out loss at every evaluation, in nats, six digits."""
    provenance: Provenance
    verifications: list[Verification]
    withdrawn: str | None
    """Why it no longer counts."""
    digest: str
    """SHA-256 of all of the above."""

    @property
    def standing(self) -> Literal["self", "rerun", "disputed", "withdrawn"]:
        """Who stands behind the numbers: the submitter alone, or somebody who trained it again."""
        if self.withdrawn is not None:
            return "withdrawn"
        verdicts = [verification.verdict for verification in self.verifications]
        return "self" if not verdicts else "disputed" if "inconsistent" in verdicts else "rerun"

    @property
    def steps(self) -> list[int]:
        """min(steps to solve, budget), one number a seed."""
        return self.result.restricted_steps

    def sealed(self) -> "Entry":
        """The same with the digest that belongs to it."""
        return self.model_copy(update={"digest": digest(self.model_dump(mode="json"))})


def digest(data: dict[str, Any]) -> str:
    """SHA-256 over the plain data of an entry, without its own `digest`."""
    return fingerprint({key: value for key, value in data.items() if key != "digest"})


def loss_curves(history: History) -> list[str]:
    """`Entry.loss_curves` of a run; evaluations that a member did not live to see are left out."""
    lines = []
    for losses, accuracies in zip(history.loss, history.accuracy, strict=True):
        trained = ~np.isnan(accuracies).all(axis=1)
        lines.append(" ".join(f"{value:.6g}" for value in losses[trained].mean(axis=1, dtype=np.float64)))
    return lines


def entry_folder(boards: Path, result: Result) -> Path:
    """Where an entry of this run belongs."""
    track = result.config.track
    return track_folder(boards, track.name, track.version) / file_name(result.config.level)


def read_entry(text: str, name: str) -> dict[str, Any]:
    """The plain data of an entry file, migrated to the current schema with a message in the log.

    Args:
        text: what the file holds.
        name: how the message names it.

    Raises:
        YamlError: it is no YAML, or reads differently from what it looks like.
        EntryError: it is no entry, or one of a newer schema.
    """
    data = load_yaml(text)
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), int):
        raise EntryError("schema_version: expected a number, found none")
    if data["schema_version"] > SCHEMA_VERSION:
        raise EntryError(
            f"schema_version: expected at most {SCHEMA_VERSION}, found {data['schema_version']}; upgrade benchbed"
        )
    found = data["schema_version"]
    while (version := data["schema_version"]) in MIGRATIONS:
        data = MIGRATIONS[version](data) | {"schema_version": version + 1}
    if version != found:
        _log.warning("%s: schema version %d, read as version %d", name, found, version)
    return data


@cache
def _entry_of(text: str, name: str) -> Entry:
    """What a file holds; by its text, so that one that was changed is read anew. Boards and pairs share entries."""
    return Entry.model_validate(read_entry(text, name))


def load_entry(path: Path) -> Entry:
    """Read an entry file.

    Raises:
        EntryError: it is missing, unreadable, of a newer schema, or not what an entry holds.
    """
    try:
        return _entry_of(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, YamlError, EntryError) as error:
        raise EntryError(f"{path}: {error}") from None
    except ValidationError as error:
        raise EntryError(f"{path}: {describe_error(error, Entry)}") from None


def save_entry(entry: Entry, path: Path) -> None:
    """Write an entry file.

    Raises:
        StorageError: it cannot be written.
    """
    write_yaml(path, entry.model_dump(mode="json"))


def current_entries(entries: list[Entry]) -> list[Entry]:
    """Those of a board's entries that count: neither withdrawn nor superseded."""
    replaced = {entry.provenance.supersedes for entry in entries if entry.standing != "withdrawn"}
    return [entry for entry in entries if entry.standing != "withdrawn" and entry.entry not in replaced]


def entry_name(config: RunConfig, defaults: Mapping[str, Any]) -> str:
    """What the first entry of a run is called: its mixer, the options that differ from the defaults, and TF32.

    Args:
        config: of the run.
        defaults: every option of the mixer.
    """
    options = {name: value for name, value in config.mixer.options.items() if value != defaults[name]}
    precision = "tf32" if config.tf32 else ""
    return "-".join(filter(None, [file_name(config.mixer.name), options_line(options, "-"), precision]))


def without_number(name: str) -> str:
    """The name of an entry without the number that tells a later one from the first."""
    return re.sub(r"(?<!=)-\d+$", "", name)
