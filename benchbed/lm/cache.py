"""Scores of checkpoints, kept by what a checkpoint holds and what it was asked: a repeated command goes on."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbed.lm.family import Checkpoint
from benchbed.lm.scoring import Score
from benchbed.plugins.registry import Plugin
from benchbed.storage.files import write_text

__all__ = ["Asking", "Kept", "Scored", "load_kept", "save_kept"]

_VERSION = 1


@dataclass(frozen=True)
class Asking:
    """A capability with its options, and how many prompts of which seed."""

    plugin: Plugin
    options: dict[str, Any]
    prompts: int
    seed: int

    @property
    def identity(self) -> str:
        """Equal for equal prompts, given the same tokenizer; other code of the capability makes another."""
        told = [self.plugin.label, self.plugin.source_hash, self.options, self.prompts, self.seed, _VERSION]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Scored:
    """One checkpoint and one capability."""

    questions: str
    """Hash of the prompts as tokens."""
    chance: float
    score: Score


@dataclass
class Kept:
    """Everything that is known of one checkpoint."""

    weights: str
    """Hash of its parameters."""
    scores: dict[str, Scored | str]
    """By `Asking.identity`; a text where the capability is not applicable to its tokenizer, and says why."""


def load_kept(folder: Path, checkpoint: Checkpoint) -> Kept | None:
    """What is known of a checkpoint; None where nothing is, or the file is broken."""
    try:
        data = json.loads(_file(folder, checkpoint).read_text(encoding="utf-8"))
        scores = {
            identity: one if isinstance(one, str) else Scored(one["questions"], one["chance"], Score(**one["score"]))
            for identity, one in data["scores"].items()
        }
        return Kept(data["weights"], scores)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_kept(folder: Path, checkpoint: Checkpoint, kept: Kept) -> None:
    """Write it beside the others.

    Raises:
        StorageError: it cannot be written.
    """
    scores = {
        identity: one
        if isinstance(one, str)
        else {"questions": one.questions, "chance": one.chance, "score": one.score._asdict()}
        for identity, one in kept.scores.items()
    }
    about = {"model": checkpoint.model, "revision": checkpoint.revision, "weights": kept.weights}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(_file(folder, checkpoint), json.dumps({**about, "scores": scores}, indent=1) + "\n")


def _file(folder: Path, checkpoint: Checkpoint) -> Path:
    return folder / f"{checkpoint.source}.json"
