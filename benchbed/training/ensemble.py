"""Training many members: how they are grouped, scheduled, retired, saved and resumed.

Engines:
- `loop`: every member is a group of its own. On a CPU one worker thread a core trains a member at a time with
  single-threaded kernels, so that a member's numbers depend on nothing but its seed: not on what trains beside
  it and not on the number of cores.
- `vmap`: all members are one group and every kernel computes all of them; what a GPU wants.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
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
from benchbed.training.trajectory import Evaluation, Member, Trajectory, give_up_in_order

__all__ = ["Ensemble", "GiveUp", "Record"]


Record = Callable[[Member, Evaluation, Tensor], None]
GiveUp = Callable[[int, list[Trajectory], int], Collection[float]]
"""Of a run's number, its trajectories and a step that all have come to, or ended before: the rates to give up."""


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
        self._trained = Counter[int]()
        self._decided = Counter[int]()

    def train(
        self,
        observe: Callable[["Ensemble"], None],
        record: Record | None = None,
        give_up: GiveUp | None = None,
    ) -> list[Trajectory]:
        """Train every member until it solves, diverges, exhausts its budget or is given up.

        Members do not wait for each other. What one did beyond the step at which it turns out to have been given up
        is forgotten, so that the outcome does not depend on who came first.

        Args:
            observe: called before the first step and after every evaluation, in this thread.
            record: handed every evaluation, before `observe`, with the member's weights `(P,)` at it.
            give_up: decides, evaluation by evaluation, which learning rates are not worth going on with.
        """
        if give_up is not None:
            self._give_up(give_up)
        observe(self)
        with _kernel_threads(self._settings), _pool(self._settings.workers) as pool:
            running = {pool.submit(_timed_advance, group): group for group in self._make_groups()}
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    group = running.pop(future)
                    self._record(group, future, record)
                    if give_up is not None:
                        self._give_up(give_up)
                    self._retire(group)
                    if group.members:
                        running[pool.submit(_timed_advance, group)] = group
                observe(self)
        return list(self.trajectories.values())

    def steps_now(self, run: int = 0) -> int:
        """Steps that the members of a run have trained in this process."""
        return self._trained[run]

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
        for member, evaluation in zip(group.members, evaluations, strict=True):
            trajectory = self.trajectories[member]
            trajectory.seconds += seconds / len(evaluations)
            self._trained[member.run] += self._recipe.budget.evaluate_every
            if not trajectory.stopped:
                trajectory.evaluations.append(evaluation)

    def _give_up(self, give_up: GiveUp) -> None:
        for run in {member.run for member in self.trajectories}:
            mine = [t for member, t in self.trajectories.items() if member.run == run]
            every, decided = self._recipe.budget.evaluate_every, self._decided[run]
            self._decided[run] = give_up_in_order(mine, partial(give_up, run), every, decided)

    def _retire(self, group: Group) -> None:
        """Let the group go on with those that still train, and keep what they have come to."""
        staying = [row for row, m in enumerate(group.members) if self.trajectories[m].status == "training"]
        for member in group.members:
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
