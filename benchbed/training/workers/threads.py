"""A crew of threads: of one that holds all members where they are vectorised, or of one a core.

Threads of one process hold its interpreter's lock in turns, for a third of a step of these small models; on several
cores `processes` is faster.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Self

from torch import Tensor

from benchbed.training.devices import single_threaded
from benchbed.training.engine import EngineSettings, compiled_losses
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Member
from benchbed.training.workers.crew import Report, Unit

__all__ = ["Groups", "ThreadCrew", "advance"]


class Groups:
    """The groups of one process, made of units as they come, and kept between their turns."""

    def __init__(self, recipe: Recipe, settings: EngineSettings) -> None:
        self._recipe, self._settings = recipe, settings
        self._groups: dict[Member, Group] = {}
        self._losses: Callable[..., Tensor] | None = None

    def prepare(self, unit: Unit) -> Group:
        """The group of a unit, as far as it is; another than the one that came last shrinks or is made anew."""
        group = self._groups.get(unit.members[0])
        if group is None or group.step != unit.step:
            group = self._make(unit)
        elif len(group.members) > len(unit.members):
            group.keep([group.members.index(member) for member in unit.members])
        self._groups.update(dict.fromkeys(unit.members, group))
        return group

    def forget(self, members: list[Member]) -> None:
        """Drop the groups of members that are not coming back."""
        for member in members:
            self._groups.pop(member, None)

    def _make(self, unit: Unit) -> Group:
        settings, vectorise = self._settings, self._settings.engine == "vmap"
        if settings.compiled and self._losses is None:
            # One function for all groups; compiled by each for itself, it would be compiled over and over.
            self._losses = compiled_losses(self._recipe, settings.device, vectorise=vectorise)
        group = Group(
            self._recipe,
            unit.members,
            settings.device,
            vectorise=vectorise,
            losses=self._losses,
            step=unit.step,
        )
        if unit.step:
            group.restore(unit.snapshots)
        return group


class ThreadCrew:
    """Threads of this process; see `Crew`.

    Args:
        recipe: what the members have in common.
        settings: how to compute.
    """

    def __init__(self, recipe: Recipe, settings: EngineSettings) -> None:
        self._groups = Groups(recipe, settings)
        self._running: set[Future[Report]] = set()
        self._stack = ExitStack()
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="benchbed")
        self._spread = settings.engine == "loop" and settings.device.type == "cpu"

    def assign(self, unit: Unit) -> None:
        """See `Crew`."""
        group = self._groups.prepare(unit)  # here, because making one seeds the global generator
        self._running.add(self._pool.submit(advance, group, unit))

    def release(self, members: list[Member]) -> None:
        """See `Crew`."""
        self._groups.forget(members)

    @property
    def busy(self) -> bool:
        """See `Crew`."""
        return bool(self._running)

    def reports(self) -> list[Report]:
        """See `Crew`."""
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        self._running -= finished
        return [future.result() for future in finished]

    def __enter__(self) -> Self:
        if self._spread:
            self._stack.enter_context(single_threaded())
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()


def advance(group: Group, unit: Unit) -> Report:
    """Train a unit's group to the next evaluation."""
    started = time.perf_counter()
    evaluations = group.advance()
    return Report(unit, evaluations, group.snapshot(), time.perf_counter() - started)
