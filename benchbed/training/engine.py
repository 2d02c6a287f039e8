"""How members are computed, loop or vmap, and why."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from benchbed.training.devices import cpu_count
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.trajectory import Member

__all__ = ["Engine", "EngineSettings", "choose_engine", "why_not_vmap"]

Engine = Literal["auto", "loop", "vmap"]


@dataclass(frozen=True)
class EngineSettings:
    """How to compute; none of it is part of what is computed."""

    engine: Engine
    """`auto` is what a user asks for; `choose_engine` makes one of the others of it."""
    device: torch.device
    compiled: bool = False
    cores: int | None = None
    """Cores to use for the loop engine on a CPU; by default all."""

    @property
    def workers(self) -> int:
        """Groups that train at the same time."""
        return (self.cores or cpu_count()) if self.engine == "loop" and self.device.type == "cpu" else 1


def why_not_vmap(recipe: Recipe, device: torch.device) -> str | None:
    """What `vmap` says of this mixer, or None if two members of it train together as they do one by one."""
    members, task = [Member(0, 1e-3), Member(1, 1e-3)], recipe.make_task(0)
    tokens = torch.stack([task.sample(2, torch.Generator().manual_seed(seed)) for seed in range(2)]).to(device)
    try:
        together = Group(recipe, members, device, vectorise=True)
        together.shake()
        _, gradients = together.gradients(tokens)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    for row, member in enumerate(members):
        alone = Group(recipe, [member], device, vectorise=False)
        alone.shake()
        _, (expected,) = alone.gradients(tokens[row : row + 1])
        if not torch.allclose(gradients[row], expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
            return "it gives other gradients than one member at a time"
    return None


def choose_engine(recipe: Recipe, asked: EngineSettings) -> tuple[EngineSettings, str | None]:
    """The engine, and why it is not the one that was asked for.

    `auto` is a rule and no race: a choice by stopwatch would let the noise of a timing decide how a published
    number was rounded. On CPUs `loop` was faster in every measurement (docs/speed.md), on GPUs launches cost most.
    """
    wanted = asked.engine
    if wanted == "auto":
        wanted = "vmap" if asked.device.type == "cuda" else "loop"
    note = why_not_vmap(recipe, asked.device) if wanted == "vmap" else None
    settings = replace(asked, engine="loop" if note else wanted)
    return settings, f"vmap cannot train this mixer: {note}" if note else None
