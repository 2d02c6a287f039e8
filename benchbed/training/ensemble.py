"""Training many members: how they are grouped, scheduled, retired, saved and resumed.

Engines:
- `loop`: every member is a group of its own. On a CPU one worker thread a core trains a member at a time with
  single-threaded kernels, so that a member's numbers depend on nothing but its seed: not on what trains beside
  it and not on the number of cores.
- `vmap`: all members are one group and every kernel computes all of them; what a GPU wants.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from benchbed.training.devices import single_threaded
from benchbed.training.engine import EngineSettings
from benchbed.training.forward import Forward
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Evaluation, Member, Trajectory

__all__ = ["Ensemble", "Record"]


Record = Callable[[Member, Evaluation, Tensor], None]


class Ensemble:
    """Members in training.

    Args:
        recipe: what they have in common.
        members: who they are.
        settings: how to compute.
        saved: what `state` gave of each run in an earlier process; training goes on from there.
    """

    def __init__(
        self,
        recipe: Recipe,
        members: list[Member],
        settings: EngineSettings,
        saved: Mapping[int, dict[str, Any]] = MappingProxyType({}),
    ) -> None:
        self.trajectories = {m: Trajectory(m, recipe.budget.steps) for m in members}
        self._recipe = recipe
        self._settings = settings
        self._snapshots: dict[Member, dict[str, Tensor]] = {}
        for run, state in saved.items():
            for plain, tensors in zip(state["trajectories"], state["weights"], strict=True):
                trajectory = Trajectory.from_plain(plain, run)
                self.trajectories[trajectory.member] = trajectory
                if tensors is not None:
                    self._snapshots[trajectory.member] = tensors
        self._before = self._steps()

    def train(self, observe: Callable[["Ensemble"], None], record: Record | None = None) -> list[Trajectory]:
        """Train every member until it solves, diverges or exhausts its budget.

        Args:
            observe: called before the first step and after every evaluation, in this thread.
            record: handed every evaluation, before `observe`, with the member's weights `(P,)` at it.
        """
        observe(self)
        with _kernel_threads(self._settings), _pool(self._settings.workers) as pool:
            running = {pool.submit(_timed_advance, group): group for group in self._make_groups()}
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    group = running.pop(future)
                    self._record(group, future, record)
                    if group.members:
                        running[pool.submit(_timed_advance, group)] = group
                observe(self)
        return list(self.trajectories.values())

    def steps_now(self, run: int = 0) -> int:
        """Steps that the members of a run have trained in this process."""
        return self._steps()[run] - self._before[run]

    def _steps(self) -> Counter[int]:
        steps = Counter[int]()
        for member, trajectory in self.trajectories.items():
            steps[member.run] += trajectory.step
        return steps

    def state(self, run: int = 0) -> dict[str, Any]:
        """Everything that is needed to go on with a run, as of the last evaluation of each of its members."""
        trajectories = [t for member, t in self.trajectories.items() if member.run == run]
        return {
            "trajectories": [t.to_plain() for t in trajectories],
            "weights": [
                {name: tensor.cpu() for name, tensor in self._snapshots[t.member].items()}
                if t.member in self._snapshots
                else None
                for t in trajectories
            ],
        }

    def _make_groups(self) -> Iterator[Group]:
        unfinished = [m for m, t in self.trajectories.items() if t.status == "training"]
        vectorise = self._settings.engine == "vmap"
        losses = self._compiled_losses(vectorise) if self._settings.compiled else None
        for members in self._together(unfinished) if vectorise else ([m] for m in unfinished):
            step = self.trajectories[members[0]].step
            group = Group(
                self._recipe,
                members,
                self._settings.device,
                vectorise=vectorise,
                losses=losses,
                step=step,
            )
            if step:
                group.restore([self._snapshots[m] for m in members])
            yield group

    def _compiled_losses(self, vectorise: bool) -> Callable[..., Tensor]:
        """One compiled function for all groups; compiled by each for itself, it would be compiled over and over."""
        task = self._recipe.make_task(0)
        template = self._recipe.make_model(0, task).to(self._settings.device)
        return torch.compile(Forward(template, vectorise=vectorise).token_losses)

    def _together(self, members: list[Member]) -> Iterator[list[Member]]:
        """Members that have come equally far."""
        by_step = sorted(members, key=lambda m: self.trajectories[m].step)
        for _, together in groupby(by_step, key=lambda m: self.trajectories[m].step):
            yield list(together)

    def _record(self, group: Group, future: "Future[tuple[list[Evaluation], float]]", record: Record | None) -> None:
        evaluations, seconds = future.result()
        if record is not None:
            for member, evaluation, weights in zip(group.members, evaluations, group.weights, strict=True):
                record(member, evaluation, weights)
        staying = []
        for row, (member, evaluation) in enumerate(zip(group.members, evaluations, strict=True)):
            trajectory = self.trajectories[member]
            trajectory.evaluations.append(evaluation)
            trajectory.seconds += seconds / len(evaluations)
            if trajectory.status == "training":
                staying.append(row)
            else:
                self._snapshots.pop(member, None)
        if len(staying) < len(group.members):
            group.keep(staying)
        self._snapshots.update(zip(group.members, group.snapshot(), strict=True))


def _timed_advance(group: Group) -> tuple[list[Evaluation], float]:
    started = time.perf_counter()
    evaluations = group.advance()
    return evaluations, time.perf_counter() - started


def _kernel_threads(settings: EngineSettings) -> AbstractContextManager[None]:
    """Single-threaded kernels where members are spread over the cores, torch's default elsewhere."""
    spread = settings.engine == "loop" and settings.device.type == "cpu"
    return single_threaded() if spread else nullcontext()


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A thread pool that forgets what it has not begun when an error or Ctrl-C comes through."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="benchbed")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
