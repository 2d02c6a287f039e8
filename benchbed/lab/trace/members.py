"""A traced run: its members' weights at every evaluation, the jumps of every scored token, and the maps over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbed.contracts import Task
from benchbed.lab.trace.jumps import Jump, events, find_jumps
from benchbed.lab.trace.maps import Agreement, agreement, influence, mixing, other_parents, output_parents, outputs_of
from benchbed.lab.trace.snapshots import rebuild, recorder, snapshot_files
from benchbed.results.history import load_history
from benchbed.results.result import Result
from benchbed.results.scoring import MemberRow
from benchbed.runs.execute import Observer, PlannedRun, execute
from benchbed.storage.files import write_atomically, write_yaml
from benchbed.training.devices import float32_products
from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import Recipe

__all__ = ["Maps", "MemberTrace", "trace", "train_recorded", "write_trace"]

_TOKENS = 2048
"""Tokens of the held-out sequences that maps are measured on; 8 to 64 sequences."""
_LOOKS = 40
"""Steps of a member at which maps are measured, at most."""
_FRAMES = 5
"""Steps whose maps are drawn, at most."""


@dataclass(frozen=True)
class Maps:
    """The maps of one member at one step, as means over sequences."""

    influence: np.ndarray
    """`(N, T)`, rows of sum 1."""
    mixing: np.ndarray | None
    """`(H, N, T)` absolute mixing weights; None where the mixer has none."""


@dataclass(frozen=True)
class MemberTrace:
    """What one member did, and when."""

    row: MemberRow
    steps: list[int]
    losses: np.ndarray
    """`(K, N)` held-out loss of every scored token at `steps`, in nats."""
    jumps: list[Jump]
    influence: dict[int, Agreement]
    """By step; empty where the task names no parents."""
    mixing: dict[int, Agreement]
    frames: dict[int, Maps]
    """First and last look, and before and after jumps."""
    parents: np.ndarray | None
    """`(N, T)`: those of the outputs; of the first sequence where each has its own."""


def trace(
    run: PlannedRun, engine: EngineSettings, observe: Observer, *, retrain: bool = False
) -> tuple[Result, list[MemberTrace]]:
    """Carry out a run with its weights recorded, or take up one that was, and look into every scored member.

    Args:
        run: what to run.
        engine: how to compute; maps are computed on the CPU.
        observe: told where the run stands.
        retrain: train again.

    Raises:
        BenchbedError: as `benchbed.runs.execute.execute`; or weights of a finished run are gone.
    """
    folder = run.folder
    result = execute(run, engine, observe, retrain=retrain, record=recorder(folder)).result
    history = load_history(folder)
    traced = []
    for row, losses in zip(result.members, history.loss, strict=True):
        steps = [int(step) for step in history.steps if step <= row.trained_steps]
        traced.append(_look_into(run.recipe, row, steps, losses[: len(steps)], folder, result.chance_loss))
    return result, traced


def train_recorded(run: PlannedRun, engine: EngineSettings, retrain: bool) -> None:
    """The part of `trace` that trains, for a worker elsewhere."""
    execute(run, engine, lambda _: None, retrain=retrain, record=recorder(run.folder))


@float32_products(tf32=False)
def _look_into(
    recipe: Recipe, row: MemberRow, steps: list[int], losses: np.ndarray, folder: Path, chance_loss: float
) -> MemberTrace:
    task = recipe.make_task(row.seed)
    count = min(64, max(8, _TOKENS // task.length))
    tokens, targets = (rows[:count] for rows in recipe.held_out_data(row.seed, task))
    outputs = outputs_of(task)
    parents = output_parents(task, tokens)
    others = [] if parents is None else other_parents(recipe, task, row.seed, tokens)
    jumps = find_jumps(steps, losses, chance_loss) if np.isfinite(losses).all() else []
    frames = _frames(steps, jumps)
    files = snapshot_files(folder, row.seed, row.trained_steps)
    measured: dict[int, tuple[Tensor, Tensor | None]] = {}
    for step in sorted({*_evenly(steps, _LOOKS), *frames}):
        model = rebuild(recipe, task, row.seed, torch.load(files[step], weights_only=True))
        measured[step] = influence(model, tokens, targets[:, -len(outputs) :]), mixing(model, tokens, outputs)
    return MemberTrace(
        row=row,
        steps=steps,
        losses=losses,
        jumps=jumps,
        influence=_agreements({s: i[:, None] for s, (i, _) in measured.items()}, parents, others, task),
        mixing=_agreements({s: m for s, (_, m) in measured.items() if m is not None}, parents, others, task),
        frames={step: _maps(*measured[step]) for step in frames},
        parents=None if parents is None else parents[0].numpy(),
    )


def _agreements(
    shown: dict[int, Tensor], parents: Tensor | None, others: list[Tensor], task: Task
) -> dict[int, Agreement]:
    if parents is None:
        return {}
    finite = {step: each for step, each in shown.items() if each.isfinite().all()}
    return {step: agreement(each, parents, others, task) for step, each in finite.items()}


def _maps(moved: Tensor, weights: Tensor | None) -> Maps:
    mean = moved.mean(dim=0)
    share = mean / mean.sum(-1, keepdim=True).clamp_min(1e-30)
    return Maps(share.numpy(), None if weights is None else weights.mean(dim=0).numpy())


def _frames(steps: list[int], jumps: Sequence[Jump]) -> list[int]:
    """The first look, before and after each time of jumps, the last look; evenly thinned if there are many."""
    edges = {step for event in events(jumps) for step in event}
    return _evenly(sorted({steps[0], *edges, steps[-1]}), _FRAMES)


def _evenly(items: list[int], number: int) -> list[int]:
    """At most so many of the items, the first and the last among them."""
    if len(items) <= number:
        return items
    places = np.linspace(0, len(items) - 1, number).round().astype(int)
    return [items[place] for place in places]


def write_trace(result: Result, traced: Sequence[MemberTrace], folder: Path) -> Path:
    """Write `trace.yaml`, jumps and the agreement with the parents at every look, and the drawn maps of each seed.

    Maps are arrays of `maps-seed0.npz`, by name: `influence-000100` `(N, T)`, `mixing-000100` `(H, N, T)`, `parents`.

    Raises:
        StorageError: they cannot be written.
    """
    for member in traced:
        arrays: dict[str, Any] = _arrays(member)
        file = folder / f"maps-seed{member.row.seed}.npz"
        write_atomically(file, lambda file, arrays=arrays: np.savez_compressed(file, **arrays))
    data: dict[str, Any] = {"schema_version": 1, "identity": result.identity, "members": []}
    for member in traced:
        data["members"].append(
            {
                "seed": member.row.seed,
                "status": member.row.status,
                "steps": member.row.steps,
                "plateau_end": member.row.plateau_end,
                "jumps": [_plain(jump) for jump in member.jumps],
                "influence": [{"step": step, **seen.plain()} for step, seen in member.influence.items()],
                "mixing": [{"step": step, **seen.plain()} for step, seen in member.mixing.items()],
            }
        )
    path = folder / "trace.yaml"
    write_yaml(path, data)
    return path


def _arrays(member: MemberTrace) -> dict[str, np.ndarray]:
    arrays = {f"influence-{step:06}": maps.influence for step, maps in member.frames.items()}
    arrays |= {f"mixing-{step:06}": maps.mixing for step, maps in member.frames.items() if maps.mixing is not None}
    return arrays if member.parents is None else {**arrays, "parents": member.parents}


def _plain(jump: Jump) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in jump._asdict().items()}
