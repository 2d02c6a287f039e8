"""How long a run may take, before it is begun."""

import time

from benchbed.results.tuning import most_to_come
from benchbed.runs.checkpoint import CHECKPOINT, Checkpoint
from benchbed.runs.execute import PlannedRun
from benchbed.training.devices import float32_products, single_threaded
from benchbed.training.engine import EngineSettings, why_not_vmap
from benchbed.training.fork_server import keep_memory
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Member, Trajectory

__all__ = ["most_seconds", "most_steps"]

_TOGETHER = 16
"""Members that are measured on a GPU, which is mostly idle with one."""


def most_steps(run: PlannedRun) -> int:
    """Member-steps that are still to come if no seed in training solves, no rate is given up and all are tried.

    What a checkpoint holds is taken off; zero for a finished run.
    """
    if run.finished:
        return 0
    config, budget = run.config, run.config.budget.steps
    checkpoint = Checkpoint(run.folder / CHECKPOINT, config.identity)
    stages = checkpoint.stages
    optimiser = config.optimiser
    rates = len(optimiser.learning_rates) + most_to_come(optimiser.learning_rates, optimiser)
    members = len(config.scoring_seeds)
    if "scoring" in stages:
        stages = {"scoring": stages["scoring"]}
    else:
        members += rates * len(config.tuning_seeds)
    over = sum(len(checkpoint.rows(stage) or ()) for stage in stages)
    begun = [Trajectory.from_plain(plain) for state in stages.values() for plain in state.get("trajectories", [])]
    return (members - over) * budget - sum(t.step if t.status == "training" else budget for t in begun)


def most_seconds(run: PlannedRun, engine: EngineSettings) -> float:
    """Wall time of `most_steps`, by the steps up to an evaluation, which are trained here; mostly it is far less.

    They are trained as the code is written: where it is compiled or captured it is faster.

    Raises:
        BenchbedError: the mixer or task is at fault.
    """
    if not (steps := most_steps(run)):
        return 0.0
    together = engine.device.type != "cpu" and why_not_vmap(run.recipe, engine.device) is None
    seconds = _seconds_a_step(run.recipe, engine, _TOGETHER if together else 1)
    return steps * seconds / EngineSettings("loop", engine.device, cores=engine.cores).workers


def _seconds_a_step(recipe: Recipe, engine: EngineSettings, members: int) -> float:
    """Of one member, on one core or with its share of a GPU; drawing data and evaluating included."""
    keep_memory()
    with single_threaded(), float32_products(tf32=recipe.tf32):
        group = Group(recipe, [Member(0, 1e-3)] * members, engine.device, vectorise=members > 1)
        started = time.perf_counter()
        group.advance()  # waits for a GPU, since evaluations are read
        return (time.perf_counter() - started) / recipe.budget.evaluate_every / members
