"""Where training stands, for those who watch."""

from dataclasses import dataclass
from typing import Literal

from benchbed.config.run_config import RunConfig
from benchbed.training.ensemble import Ensemble
from benchbed.training.trajectory import Trajectory

__all__ = ["Progress", "Stage", "progress_of"]

Stage = Literal["tuning", "scoring"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands, or several that train as one; handed to the observer before the first step of a stage and
    after every evaluation.
    """

    config: RunConfig
    runs: int
    """Runs that train as one; `config` is the first one's."""
    stage: Stage
    trajectories: list[Trajectory]
    chance_loss: float
    """In nats."""
    steps_per_second: float
    """Member-steps of all members together, since this process began; zero before its first evaluation."""
    seconds_left: float
    """At most: as if no further member solved. Unknown, and zero, while the speed is."""


def progress_of(
    config: RunConfig,
    stage: Stage,
    ensemble: Ensemble,
    chance_loss: float,
    *,
    seconds: float,
    trained: int,
    to_come: int = 0,
) -> Progress:
    """Where training stands.

    Args:
        config: the run, or the first of several that train as one.
        stage: the stage.
        ensemble: its members.
        chance_loss: in nats.
        seconds: wall time of this process.
        trained: member-steps in it.
        to_come: member-steps of later stages, at most.
    """
    trajectories = list(ensemble.trajectories.values())
    left = to_come + sum(t.budget - t.step for t in trajectories if t.status == "training")
    speed = trained / max(1e-9, seconds)
    runs = len({t.member.run for t in trajectories})
    return Progress(config, runs, stage, trajectories, chance_loss, speed, left / speed if speed else 0.0)
