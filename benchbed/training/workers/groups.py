"""The groups of one process: made of units as they come, kept between turns, and no larger than memory allows."""

import gc
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchbed.training.engine import EngineSettings, compiled_losses, members_at_once
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Evaluation, Member
from benchbed.training.workers.crew import Report, Snapshot, Unit

__all__ = ["Groups"]


class Groups:
    """Trains units; see `Crew`.

    Args:
        recipe: what the members have in common.
        settings: how to compute.
    """

    def __init__(self, recipe: Recipe, settings: EngineSettings) -> None:
        self._recipe, self._settings = recipe, settings
        self._groups: dict[Member, Group] = {}
        self._losses: Callable[..., Tensor] | None = None
        self._most: int | None = None

    def prepare(self, unit: Unit) -> list[Group]:
        """The groups of a unit, as far as it is; those that lost members since shrink, what is not there is made."""
        found: list[Group] = []
        for member in unit.members:
            group = self._groups.get(member)
            if group is not None and group.step == unit.step and group not in found:
                staying = [index for index, one in enumerate(group.members) if one in unit.members]
                if len(staying) < len(group.members):
                    group.keep(staying)
                found.append(group)
        held = {member for group in found for member in group.members}
        new = [index for index, member in enumerate(unit.members) if member not in held]
        while new:
            most = self._at_most()
            found.append(self._make(unit, new[:most]))
            new = new[most:]
        self._groups.update({member: group for group in found for member in group.members})
        return found

    def train(self, unit: Unit) -> Report:
        """Take a unit to its next evaluation; where memory runs out, in groups of half as many members.

        A group that found no memory is dropped and made again of where its members were: no step is lost, and none is
        taken twice.

        Raises:
            torch.OutOfMemoryError: one member alone is too much.
        """
        started, done = time.perf_counter(), dict[Member, tuple[Evaluation, Snapshot]]()
        while left := [index for index, member in enumerate(unit.members) if member not in done]:
            rest = _part(unit, left)
            try:
                for group in self.prepare(rest):
                    done |= dict(zip(group.members, zip(group.advance(), group.snapshot(), strict=True), strict=True))
            except torch.OutOfMemoryError:
                waiting = [member for member in rest.members if member not in done]
                tried = min(len(waiting), self._at_most())
                if tried == 1:
                    raise
                self._most = -(-tried // 2)
                self.forget(waiting)
            else:
                continue
            gc.collect()  # after the handler, whose traceback holds what did not fit
            if self._settings.device.type == "cuda":
                torch.cuda.empty_cache()
        evaluations, snapshots = zip(*(done[member] for member in unit.members), strict=True)
        return Report(unit, list(evaluations), list(snapshots), time.perf_counter() - started)

    def forget(self, members: Sequence[Member]) -> None:
        """Drop the groups of members that are not coming back."""
        for member in members:
            self._groups.pop(member, None)

    def _at_most(self) -> int:
        if self._most is None:
            together = self._settings.together
            self._most = members_at_once(self._recipe, self._settings.device) if together else 1
        return self._most

    def _make(self, unit: Unit, chosen: Sequence[int]) -> Group:
        settings, vectorise = self._settings, self._settings.together
        if settings.compiled and self._losses is None:
            # One function for all groups; compiled by each for itself, it would be compiled over and over.
            self._losses = compiled_losses(self._recipe, settings.device, vectorise=vectorise)
        part = _part(unit, chosen)
        group = Group(
            self._recipe,
            part.members,
            settings.device,
            vectorise=vectorise,
            losses=self._losses,
            captured=settings.engine == "graph",
            step=unit.step,
        )
        if unit.step:
            group.restore(part.snapshots)
        return group


def _part(unit: Unit, chosen: Sequence[int]) -> Unit:
    """Some of a unit's members, with what is kept of them."""
    snapshots = [unit.snapshots[index] for index in chosen] if unit.snapshots else []
    return Unit([unit.members[index] for index in chosen], unit.step, snapshots)
