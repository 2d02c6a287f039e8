"""Where training stands, for those who watch."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from benchbed.config.run_config import RunConfig
from benchbed.training.ensemble import Ensemble
from benchbed.training.trajectory import Trajectory

__all__ = ["Pace", "Progress", "Stage", "progress_of"]

Stage = Literal["tuning", "scoring"]

_SETTLED = 5.0
"""Seconds after which a speed is known; sooner, members that end together make it anything."""
_RECENT = 120.0
"""Seconds back from now that a speed is of."""


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
    """Member-steps of all members together, see `Pace`; zero before the first evaluation."""
    seconds_left: float
    """At most: as if no further member solved, and every rate were tried. Unknown, and zero, while the speed is."""


class Pace:
    """How fast training goes: over the last minutes, from the first evaluation on once that is some seconds ago.

    What comes before it, checks and compilation, tells nothing of what is to come, and neither does what the machine
    had to do beside it an hour ago.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._known = deque[tuple[float, int]]()
        """When so many member-steps had been trained, a few seconds apart; the first of them is minutes ago."""

    def speed(self, trained: int) -> float:
        """Member-steps a second.

        Args:
            trained: member-steps in this process.
        """
        now = time.perf_counter()
        if trained and (not self._known or now - self._known[-1][0] >= _SETTLED):
            self._known.append((now, trained))
        while len(self._known) > 1 and now - self._known[1][0] >= _RECENT:
            self._known.popleft()
        seconds, steps = self._known[0] if self._known else (now, 0)
        if now - seconds < _SETTLED:
            seconds, steps = self._began, 0
        return (trained - steps) / max(1e-9, now - seconds)


def progress_of(
    config: RunConfig,
    stage: Stage,
    ensemble: Ensemble,
    chance_loss: float,
    *,
    speed: float,
    to_come: int = 0,
) -> Progress:
    """Where training stands.

    Args:
        config: the run, or the first of several that train as one.
        stage: the stage.
        ensemble: its members.
        chance_loss: in nats.
        speed: member-steps a second.
        to_come: member-steps of later stages, at most.
    """
    trajectories = list(ensemble.trajectories.values())
    left = to_come + sum(t.budget - t.step for t in trajectories if t.status == "training")
    runs = len({t.member.run for t in trajectories})
    return Progress(config, runs, stage, trajectories, chance_loss, speed, left / speed if speed else 0.0)
