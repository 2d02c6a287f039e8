"""Weights of a traced run: one file an evaluation and seed, beside the run's result."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from benchbed.config.run_config import RunConfig
from benchbed.contracts import Task
from benchbed.errors import ResultError
from benchbed.results.result import load_result
from benchbed.storage.files import write_atomically
from benchbed.training.backbone import Backbone
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Evaluation, Member

__all__ = ["Snapshot", "load_snapshot", "rebuild", "recorder", "snapshot_file", "snapshot_files"]

FOLDER = "weights"


@dataclass(frozen=True)
class Snapshot:
    """What one member had learned at one step."""

    config: RunConfig
    seed: int
    step: int
    weights: Tensor
    """`(P,)`"""


def recorder(folder: Path) -> Callable[[Member, Evaluation, Tensor], None]:
    """What writes the weights of every evaluation into a run's folder, for `benchbed.runs.execute.execute`."""

    def record(member: Member, evaluation: Evaluation, weights: Tensor) -> None:
        kept, path = weights.cpu().clone(), snapshot_file(folder, member.seed, evaluation.step)
        write_atomically(path, lambda file: torch.save(kept, file))

    return record


def snapshot_file(folder: Path, seed: int, step: int) -> Path:
    """Where the weights of a seed at a step belong."""
    return folder / FOLDER / f"seed-{seed}" / f"step-{step:06}.pt"


def snapshot_files(folder: Path, seed: int, last: int) -> dict[int, Path]:
    """Files of a seed by step, up to the last step that it trained.

    Raises:
        ResultError: there are none.
    """
    files = {
        int(path.stem.removeprefix("step-")): path for path in (folder / FOLDER / f"seed-{seed}").glob("step-*.pt")
    }
    if last not in files:
        raise ResultError(f"{folder} holds no weights of seed {seed} at step {last}; trace it again with --retrain")
    return {step: files[step] for step in sorted(files) if step <= last}


def load_snapshot(path: Path) -> Snapshot:
    """Read one file and the run that it lies beside.

    Raises:
        ResultError: it is no snapshot of a traced run.
    """
    place = re.fullmatch(r"seed-(\d+)/step-(\d+)\.pt", "/".join(path.absolute().parts[-2:]))
    if place is None or not path.is_file():
        raise ResultError(
            f"no snapshot at {path}: expected a file that `benchbed trace` wrote, "
            f"as .../{FOLDER}/seed-0/step-000100.pt"
        )
    result = load_result(path.absolute().parents[2])
    try:
        weights = torch.load(path, weights_only=True)
    except Exception as error:  # the unpickler raises whatever broken bytes happen to mean
        raise ResultError(f"{path} cannot be read: {error}; trace the run again with --retrain") from None
    return Snapshot(result.config, int(place[1]), int(place[2]), weights)


def rebuild(recipe: Recipe, task: Task, seed: int, weights: Tensor) -> Backbone:
    """The model that has these weights, in eval() mode."""
    model = recipe.make_model(seed, task)
    vector_to_parameters(weights, [p for p in model.parameters() if p.requires_grad])
    return model.eval()
