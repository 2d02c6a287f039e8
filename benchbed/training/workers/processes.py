"""A crew of processes, one a core, so that no member waits for the lock of another's interpreter.

The state of every member is here, as of its last evaluation, and comes back with each report: a process that dies
costs the steps since then, and another goes on. Each process keeps the groups of its members; a member goes to
another process, with its state, where that has nothing else to do.
"""

import contextlib
import os
import pickle
import traceback
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import Any, Self

import torch

from benchbed.errors import DeviceError, remember_files
from benchbed.plugins.imports import undisturbed
from benchbed.training.devices import float32_products
from benchbed.training.engine import EngineSettings
from benchbed.training.fork_server import Process
from benchbed.training.recipe import Recipe, refuse_edited
from benchbed.training.trajectory import Member
from benchbed.training.workers.crew import Report, Snapshot, Unit
from benchbed.training.workers.groups import Groups

__all__ = ["ProcessCrew"]

_DEATHS = 3
"""As many in a row, without a report between them, and the crew gives up."""
_READY, _REPORT, _ERROR = "ready", "report", "error"


class ProcessCrew:
    """Processes of this machine, for units of one member each; see `Crew`.

    Args:
        recipe: what the members have in common.
        settings: how to compute.

    Raises:
        ChildProcessError: another process cannot import the mixer or the task.
    """

    def __init__(self, recipe: Recipe, settings: EngineSettings) -> None:
        self._name, self._settings = recipe.mixer.__name__, settings
        try:
            self._recipe = pickle.dumps(recipe)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ChildProcessError(str(error)) from None
        self._waiting: list[Unit] = []
        self._deaths = 0
        self._workers = [_Worker(self._recipe, settings)]
        try:
            kind, *answer = self._workers[0].receive()
        except (OSError, EOFError) as error:
            raise ChildProcessError(str(error)) from None
        if kind != _READY:
            raise ChildProcessError(str(answer[0]))

    def assign(self, unit: Unit) -> None:
        """See `Crew`."""
        self._waiting.append(unit)
        self._hand_out()

    def release(self, members: list[Member]) -> None:
        """See `Crew`."""
        for worker in self._workers:
            worker.forget(members)

    @property
    def busy(self) -> bool:
        """See `Crew`."""
        return bool(self._waiting) or any(worker.doing for worker in self._workers)

    def reports(self) -> list[Report]:
        """See `Crew`."""
        found = []
        while not found:
            by_connection = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection)):
                report = self._receive(by_connection[connection])  # pyright: ignore[reportArgumentType]
                found += [report] if report is not None else []
            self._hand_out()  # those who are free now, and new ones in place of the dead
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.end()
        self._workers.clear()

    def _receive(self, worker: "_Worker") -> Report | None:
        """A worker's report, unless it came to its end, or has only begun."""
        try:
            kind, *answer = worker.receive()
        except (OSError, EOFError):
            self._bury(worker)
            return None
        if kind == _ERROR:
            error, files, shown = answer
            error.add_note(shown)
            raise remember_files(error, files)
        if kind == _READY:
            return None
        self._deaths = 0
        return worker.report(*answer)

    def _bury(self, worker: "_Worker") -> None:
        self._deaths += 1
        self._workers.remove(worker)
        worker.process.end()
        if self._deaths >= _DEATHS:
            raise DeviceError(
                f"{self._deaths} processes in a row ended while they trained {self._name}: expected that they go on; "
                "the machine may be short of memory, or the mixer end its process"
            )
        self._waiting = [*worker.doing, *self._waiting]

    def _hand_out(self) -> None:
        """Give each process a unit, and another to go on with at once, if there are enough for all."""
        for depth in (0, 1):
            if depth and len(self._waiting) < self._settings.workers:
                return
            while len(self._workers) < min(self._settings.workers, self._load):
                try:
                    self._workers.append(_Worker(self._recipe, self._settings))
                except ChildProcessError as error:
                    raise DeviceError(f"no process to train {self._name}: {error}; run it again") from None
            for worker in self._workers:
                if len(worker.doing) <= depth and self._waiting:
                    unit = self._choose(worker, ahead=depth > 0)
                    if unit is not None:
                        self._waiting.remove(unit)
                        for other in self._workers:
                            if other is not worker:
                                other.forget(unit.members)
                        worker.give(unit)

    @property
    def _load(self) -> int:
        return len(self._waiting) + sum(len(worker.doing) for worker in self._workers)

    def _choose(self, worker: "_Worker", *, ahead: bool) -> Unit | None:
        """Of the units that no other process holds the one that is least far; of the others, if need be.

        Ahead of time none that takes a state there: a state can be more than a connection holds, and a process
        reads when it has reported, so that each would wait for the other to read. Nor one that is further: of a run
        that goes on, those that a process holds would train to their end before it came to the others.
        """
        others = {m for other in self._workers if other is not worker for m in other.held}
        free = [unit for unit in self._waiting if unit.members[0] not in others]
        units = free if ahead else free or self._waiting
        unit = min(units, key=lambda unit: (unit.step, worker.lacks(unit)), default=None)
        return None if unit is None or (ahead and worker.lacks(unit)) else unit


class _Worker:
    """One process, as the crew knows it."""

    def __init__(self, recipe: bytes, settings: EngineSettings) -> None:
        self.process = Process(_work, recipe, settings)
        self.connection: Connection = self.process.connection
        self.held: dict[Member, int] = {}
        """Members whose groups it has, and how far they are."""
        self.doing: deque[Unit] = deque()
        self._forgotten: list[Member] = []

    def receive(self) -> Any:
        return pickle.loads(self.connection.recv_bytes())

    def lacks(self, unit: Unit) -> bool:
        """Whether it must be sent the state that a unit goes on from."""
        return bool(unit.snapshots) and self.held.get(unit.members[0]) != unit.step

    def give(self, unit: Unit) -> None:
        (member,) = unit.members
        snapshots = [_arrays(snapshot) for snapshot in unit.snapshots] if self.lacks(unit) else []
        message = pickle.dumps((member, unit.step, snapshots, self._forgotten))
        self.held[member] = unit.step
        self.doing.append(unit)
        self._forgotten = []
        with contextlib.suppress(OSError):  # it died: the next look at its connection finds out
            self.connection.send_bytes(message)

    def report(self, evaluations: list[Any], snapshots: list[dict[str, Any]], seconds: float) -> Report:
        unit = self.doing.popleft()
        self.held[unit.members[0]] = evaluations[0].step
        return Report(unit, evaluations, [_tensors(snapshot) for snapshot in snapshots], seconds)

    def forget(self, members: list[Member]) -> None:
        mine = [member for member in members if self.held.pop(member, None) is not None]
        self._forgotten += mine


def _work(connection: Connection, recipe: bytes, settings: EngineSettings) -> None:
    """Train what the crew sends until it closes the connection: what a process does."""
    torch.set_num_threads(1)
    try:
        with undisturbed():
            shared: Recipe = pickle.loads(recipe)
        refuse_edited(shared.sources)
        groups = Groups(shared, settings)
        connection.send_bytes(pickle.dumps((_READY,)))
        with float32_products(tf32=shared.tf32):
            while True:
                member, step, snapshots, forgotten = pickle.loads(connection.recv_bytes())
                groups.forget(forgotten)
                unit = Unit([member], step, [_tensors(snapshot) for snapshot in snapshots])
                report = groups.train(unit)
                arrays = [_arrays(snapshot) for snapshot in report.snapshots]
                connection.send_bytes(pickle.dumps((_REPORT, report.evaluations, arrays, report.seconds)))
    except EOFError:
        return
    except Exception as error:
        files = {os.path.realpath(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__)}
        shown = "".join(traceback.format_exception(error))
        try:
            pickle.loads(message := pickle.dumps((_ERROR, error, files, shown)))
        except Exception:  # whatever its constructor wants
            told = RuntimeError(f"{type(error).__name__}: {error}")
            message = pickle.dumps((_ERROR, told, files, shown))
        connection.send_bytes(message)


def _arrays(snapshot: Snapshot) -> dict[str, Any]:
    """As NumPy has it: torch would send each tensor as an open file."""
    return {name: tensor.numpy() for name, tensor in snapshot.items()}


def _tensors(arrays: dict[str, Any]) -> Snapshot:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
