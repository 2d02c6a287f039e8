"""How long a run may take, before it is begun."""

from benchbed.results.tuning import most_to_come
from benchbed.runs.checkpoint import CHECKPOINT, Checkpoint
from benchbed.runs.costs import seconds_a_step
from benchbed.runs.execute import PlannedRun
from benchbed.training.engine import EngineSettings, why_not_vmap
from benchbed.training.trajectory import Trajectory

__all__ = ["most_seconds", "most_steps"]

_TOGETHER = 16
"""Members whose step is measured on a GPU, which is mostly idle with one."""


def most_steps(run: PlannedRun) -> int:
    """Member-steps that are still to come if no seed in training solves, no rate is given up and all are tried.

    What a checkpoint holds is taken off; zero for a finished run.
    """
    if run.finished:
        return 0
    config, budget = run.config, run.config.budget.steps
    stages = Checkpoint(run.folder / CHECKPOINT, config.identity).stages
    optimiser = config.optimiser
    rates = len(optimiser.learning_rates) + most_to_come(optimiser.learning_rates, optimiser)
    members = len(config.scoring_seeds)
    if "scoring" in stages:
        stages = {"scoring": stages["scoring"]}
    else:
        members += rates * len(config.tuning_seeds)
    begun = [Trajectory.from_plain(plain) for state in stages.values() for plain in state["trajectories"]]
    return members * budget - sum(t.step if t.status == "training" else budget for t in begun)


def most_seconds(run: PlannedRun, engine: EngineSettings) -> float:
    """Wall time of `most_steps`, by a step that is measured now; mostly it is far less.

    Measured is the code as it is written: where it is compiled or captured it is faster.

    Raises:
        BenchbedError: the mixer or task is at fault.
    """
    if not (steps := most_steps(run)):
        return 0.0
    together = engine.device.type != "cpu" and why_not_vmap(run.recipe, engine.device) is None
    (seconds,) = seconds_a_step([run.recipe], engine.device, members=_TOGETHER if together else 1)
    return steps * seconds / EngineSettings("loop", engine.device, cores=engine.cores).workers
