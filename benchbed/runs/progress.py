"""Where training stands, for those who watch."""

from dataclasses import dataclass
from typing import Literal

from benchbed.config.run_config import RunConfig
from benchbed.training.trajectory import Trajectory

__all__ = ["Progress", "Stage", "progress_of"]

Stage = Literal["tuning", "scoring"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands, or several that train as one; handed to the observer before the first step of a stage and
    after every evaluation.
    """

    config: RunConfig
    cells: int
    """Runs that train as one; `config` is the first one's."""
    stage: Stage
    trajectories: list[Trajectory]
    chance_loss: float
    steps_per_second: float
    """Member-steps of all members together, since this process began; zero before its first evaluation."""
    seconds_left: float
    """At most: as if no further member solved. Unknown, and zero, while the speed is."""


def progress_of(
    config: RunConfig,
    stage: Stage,
    trajectories: list[Trajectory],
    chance_loss: float,
    *,
    trained: int,
    seconds: float,
    to_come: int = 0,
    cells: int = 1,
) -> Progress:
    """Where training stands.

    Args:
        config: the run, or the first of several that train as one.
        stage: the stage.
        trajectories: of its members.
        chance_loss: in nats.
        trained: member-steps in `seconds`.
        seconds: wall time.
        to_come: member-steps of later stages, at most.
        cells: runs that train as one.
    """
    left = to_come + sum(t.budget - t.step for t in trajectories if t.status == "training")
    speed = trained / max(1e-9, seconds)
    return Progress(config, cells, stage, trajectories, chance_loss, speed, left / speed if speed else 0.0)
