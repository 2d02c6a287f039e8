"""A crew of threads: of one that holds all members where they are vectorised, or of one a core.

Threads of one process hold its interpreter's lock in turns, for a third of a step of these small models; on several
cores `processes` is faster.
"""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Self

from benchbed.training.devices import float32_products, single_threaded
from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Member
from benchbed.training.workers.crew import Report, Unit
from benchbed.training.workers.groups import Groups

__all__ = ["ThreadCrew"]


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
        self._tf32 = recipe.tf32
        self._spread = settings.engine == "loop" and settings.device.type == "cpu"

    def assign(self, unit: Unit) -> None:
        """See `Crew`."""
        self._groups.prepare(unit)  # here, because making a group seeds the global generator
        self._running.add(self._pool.submit(self._groups.train, unit))

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
        self._stack.enter_context(float32_products(tf32=self._tf32))
        if self._spread:
            self._stack.enter_context(single_threaded())
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()
