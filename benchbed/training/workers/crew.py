"""What an ensemble asks of those who train its members."""

from dataclasses import dataclass, field
from typing import Protocol, Self

from torch import Tensor

from benchbed.training.trajectory import Evaluation, Member

__all__ = ["Crew", "Report", "Snapshot", "Unit"]

Snapshot = dict[str, Tensor]


@dataclass(frozen=True)
class Unit:
    """Members that take their next steps together, to their next evaluation."""

    members: list[Member]
    step: int
    """How far they are."""
    snapshots: list[Snapshot] = field(default_factory=list)
    """What `Group.snapshot` gave of each at that step; empty at step 0."""


@dataclass(frozen=True)
class Report:
    """What came of a unit."""

    unit: Unit
    evaluations: list[Evaluation]
    snapshots: list[Snapshot]
    seconds: float


class Crew(Protocol):
    """Trains units side by side. What it does depends on the units alone, and not on who takes which."""

    def assign(self, unit: Unit) -> None:
        """Put a unit into the queue."""
        ...

    def reports(self) -> list[Report]:
        """Wait until at least one unit is done with.

        Raises:
            BenchbedError: whatever the mixer or task raised, or nobody is left to do it.
        """
        ...

    def release(self, members: list[Member]) -> None:
        """Forget members that are not assigned again."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a report is still to come."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
