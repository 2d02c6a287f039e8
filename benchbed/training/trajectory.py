"""What one member did: its evaluations, and what they say about when it solved the task."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from benchbed.config.protocol import KNOWN, PLATEAU_END

__all__ = ["Evaluation", "Member", "Status", "Trajectory", "give_up_in_order"]

Status = Literal["training", "solved", "unsolved", "diverged", "leaked", "stopped"]


@dataclass(frozen=True)
class Member:
    """One model in training."""

    seed: int
    learning_rate: float
    run: int = 0
    """Which of the runs that train as one it belongs to."""


@dataclass(frozen=True)
class Evaluation:
    """Held-out scores of one member at one step; `loss` and `accuracy` have one number a scored token."""

    step: int
    loss: list[float]
    accuracy: list[float]
    solved: bool
    """The task's criterion holds, with the future hidden as well."""
    finite: bool
    """The held-out loss and every training loss since the last evaluation are finite."""
    leaked: bool = False
    """The criterion holds with later tokens in view and not without; see `benchbed.training.confirmation`."""

    @property
    def mean_loss(self) -> float:
        """Mean over the scored tokens, in nats."""
        return math.fsum(self.loss) / len(self.loss) if self.finite else math.nan

    @property
    def known(self) -> int:
        """Scored tokens that are predicted right in more than 95% of held-out sequences."""
        return sum(accuracy > KNOWN for accuracy in self.accuracy)


@dataclass
class Trajectory:
    """The evaluations of one member, in order."""

    member: Member
    budget: int
    """Steps after which an unsolved member stops."""
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    """Wall time spent on this member; members that train in one batch share the batch's time."""
    stopped: bool = False
    """Its learning rate was given up before it came to an end."""

    @property
    def step(self) -> int:
        """Steps trained so far."""
        return self.evaluations[-1].step if self.evaluations else 0

    @property
    def status(self) -> Status:
        """A solve needs two evaluations in a row: one that meets the criterion and one that confirms it."""
        if self.stopped:
            return "stopped"
        if not self.evaluations:
            return "training"
        if not self.evaluations[-1].finite:
            return "diverged"
        if self.evaluations[-1].leaked:
            return "leaked"
        if len(self.evaluations) > 1 and all(e.solved for e in self.evaluations[-2:]):
            return "solved"
        return "unsolved" if self.step >= self.budget else "training"

    @property
    def steps_to_solve(self) -> int | None:
        """Step of the first confirmed evaluation; None when the budget ended first (censored)."""
        return self.evaluations[-2].step if self.status == "solved" else None

    def stop(self, step: int) -> None:
        """Let it end at a step, whatever came of it later."""
        self.stopped = True  # first: where Ctrl-C comes between the two, it is cut when the run goes on
        self.evaluations = [evaluation for evaluation in self.evaluations if evaluation.step <= step]

    def plateau_end(self, chance_loss: float) -> int | None:
        """First evaluation whose loss is at most `PLATEAU_END` of chance; None if there was none."""
        ends = (e.step for e in self.evaluations if e.finite and e.mean_loss <= PLATEAU_END * chance_loss)
        return next(ends, None)

    def to_plain(self) -> dict[str, Any]:
        """As data for a checkpoint."""
        return {
            "seed": self.member.seed,
            "learning_rate": self.member.learning_rate,
            "budget": self.budget,
            "seconds": self.seconds,
            "stopped": self.stopped,
            "evaluations": [(e.step, e.loss, e.accuracy, e.solved, e.finite, e.leaked) for e in self.evaluations],
        }

    @classmethod
    def from_plain(cls, data: dict[str, Any], run: int = 0) -> "Trajectory":
        """Read what `to_plain` wrote."""
        evaluations = [Evaluation(*fields) for fields in data["evaluations"]]
        member = Member(data["seed"], data["learning_rate"], run)
        return cls(member, data["budget"], evaluations, data["seconds"], data.get("stopped", False))


def give_up_in_order(
    trajectories: list[Trajectory],
    decide: Callable[[list[Trajectory], int], Collection[float]],
    every: int,
    decided: int,
) -> int:
    """Decide at every evaluation that all members have come to, or ended before, which of them go no further.

    Some are further than that. What they did beyond the step at which they are given up is forgotten, so that the
    outcome does not depend on which of them came first.

    Args:
        trajectories: those of one run.
        decide: of the trajectories and a step, the learning rates to give up.
        every: steps between evaluations.
        decided: the step up to which this was done before.

    Returns:
        The step up to which it is done now.
    """
    while decided + every <= _known_to(trajectories):
        decided += every
        rates = decide(trajectories, decided)
        for t in trajectories:
            if t.member.learning_rate in rates and (t.status == "training" or t.step > decided):
                t.stop(decided)
    return decided


def _known_to(trajectories: list[Trajectory]) -> int:
    training = [t.step for t in trajectories if t.status == "training"]
    return min(training) if training else max((t.step for t in trajectories), default=0)
