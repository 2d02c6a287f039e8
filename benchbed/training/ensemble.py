"""Training many members: how they are grouped, scheduled, retired, saved and resumed.

Engines:
- `loop`: every member is a group of its own. On a CPU a process a core trains a member at a time with single-threaded
  kernels, so that a member's numbers depend on nothing but its seed: not on what trains beside it and not on the
  number of cores.
- `vmap`: all members are one group and every kernel computes all of them.
- `graph`: the same, and a step is recorded as a CUDA graph, whose one launch takes the place of hundreds; what a GPU
  wants.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import groupby
from types import MappingProxyType
from typing import Any

from torch import Tensor

from benchbed.training.engine import EngineSettings
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Evaluation, Member, Trajectory, give_up_in_order
from benchbed.training.workers import Crew, Report, Unit, hire

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
        crew: who trains them; by default one that is hired for them alone.
    """

    def __init__(
        self,
        recipe: Recipe,
        members: list[Member],
        settings: EngineSettings,
        saved: Mapping[int, dict[str, Any]] = MappingProxyType({}),
        crew: Crew | None = None,
    ) -> None:
        self.trajectories = {m: Trajectory(m, recipe.budget.steps) for m in members}
        self._recipe = recipe
        self._settings = settings
        self._crew = crew
        self._kept: dict[Member, tuple[int, dict[str, Tensor] | None]] = {}
        """How many evaluations of a member are certain, and its weights as of the last, if it still trains: one
        assignment for both, because Ctrl-C may come between any two lines.
        """
        for run, state in saved.items():
            for plain, tensors in zip(state["trajectories"], state["weights"], strict=True):
                trajectory = Trajectory.from_plain(plain, run)
                self.trajectories[trajectory.member] = trajectory
                self._kept[trajectory.member] = len(trajectory.evaluations), tensors
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
        with nullcontext(self._crew) if self._crew else hire(self._recipe, self._settings) as crew:
            for members in self._together():
                crew.assign(self._unit(members))
            while crew.busy:
                for report in crew.reports():
                    self._record(report, record)
                    if give_up is not None:
                        self._give_up(give_up)
                    staying = self._retire(report)
                    if staying:
                        crew.assign(self._unit(staying))
                    else:
                        crew.release(report.unit.members)
                observe(self)
        return list(self.trajectories.values())

    def steps_now(self, run: int = 0) -> int:
        """Steps that the members of a run have trained in this process."""
        return self._trained[run]

    def state(self, run: int = 0) -> dict[str, Any]:
        """Everything that is needed to go on with a run, as of the last evaluation of each of its members."""
        plain, weights = [], []
        for member, trajectory in self.trajectories.items():
            if member.run == run:
                certain, snapshot = self._kept.get(member, (0, None))
                evaluations = trajectory.evaluations[:certain]
                stopped = trajectory.stopped and len(trajectory.evaluations) <= certain  # or it is decided again
                plain.append(replace(trajectory, evaluations=evaluations, stopped=stopped).to_plain())
                weights.append(snapshot and {name: tensor.cpu() for name, tensor in snapshot.items()})
        return {"trajectories": plain, "weights": weights}

    def _together(self) -> Iterator[list[Member]]:
        """Members that train as one: where all are a group, those that have come equally far."""
        unfinished = [m for m, t in self.trajectories.items() if t.status == "training"]
        if not self._settings.together:
            yield from ([member] for member in unfinished)
            return
        unfinished.sort(key=lambda m: self.trajectories[m].step)
        for _, together in groupby(unfinished, key=lambda m: self.trajectories[m].step):
            yield list(together)

    def _unit(self, members: list[Member]) -> Unit:
        step = self.trajectories[members[0]].step
        snapshots = [snapshot for m in members if (snapshot := self._kept.get(m, (0, None))[1]) is not None]
        return Unit(members, step, snapshots)

    def _record(self, report: Report, record: Record | None) -> None:
        members, evaluations = report.unit.members, report.evaluations
        if record is not None:
            for member, evaluation, snapshot in zip(members, evaluations, report.snapshots, strict=True):
                record(member, evaluation, snapshot["weights"])
        for member, evaluation in zip(members, evaluations, strict=True):
            trajectory = self.trajectories[member]
            trajectory.seconds += report.seconds / len(evaluations)
            self._trained[member.run] += self._recipe.budget.evaluate_every
            if not trajectory.stopped:
                trajectory.evaluations.append(evaluation)

    def _give_up(self, give_up: GiveUp) -> None:
        for run in {member.run for member in self.trajectories}:
            mine = [t for member, t in self.trajectories.items() if member.run == run]
            every, decided = self._recipe.budget.evaluate_every, self._decided[run]
            self._decided[run] = give_up_in_order(mine, partial(give_up, run), every, decided)

    def _retire(self, report: Report) -> list[Member]:
        """Keep what those that still train have come to, and say who they are."""
        staying = []
        for member, snapshot in zip(report.unit.members, report.snapshots, strict=True):
            trajectory = self.trajectories[member]
            trains = trajectory.status == "training"
            self._kept[member] = len(trajectory.evaluations), snapshot if trains else None
            staying += [member] if trains else []
        return staying
