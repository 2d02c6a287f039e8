"""How members are computed, one by one or together, and why."""

import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchbed.training.devices import cpu_count, float32_products, free_memory, single_threaded
from benchbed.training.group import Group
from benchbed.training.recipe import Data, Recipe
from benchbed.training.step.forward import Forward
from benchbed.training.trajectory import Member

__all__ = [
    "Engine",
    "EngineSettings",
    "choose_engine",
    "compiled_losses",
    "members_at_once",
    "operations_a_layer",
    "why_not_graph",
    "why_not_vmap",
    "worth_compiling",
]

Engine = Literal["auto", "loop", "vmap", "graph"]

_MANY_SMALL = 400
"""Operations of a layer and step, forward and backward, from which on they gain most; see docs/speed.md."""
_TOO_MANY = 1500
"""Above, they are a loop over tokens, which takes minutes to compile."""
_MANY = 1024
"""Members that no run has: no limit."""
_SHARE_OF_MEMORY = 0.8
_SAME_WAY = 0.02
"""Of the way that a member's weights went in a few steps: so far may they be from where another engine took them."""
_TRIED = 4
"""Steps for which a graph is compared."""
_LONG, _VERY_LONG = 1000, 4000
"""Steps of a budget from which on a minute of compiling comes back: to those who gain most, and to everybody."""


@dataclass(frozen=True)
class EngineSettings:
    """How to compute; none of it is part of what is computed."""

    engine: Engine
    """`auto` is what a user asks for; `choose_engine` makes one of the others of it."""
    device: torch.device
    compiled: bool | None = None
    """None is what a user asks for who says nothing; `choose_engine` decides it."""
    cores: int | None = None
    """Cores to use for the loop engine on a CPU; by default all."""

    @property
    def together(self) -> bool:
        """Members are one group, and every kernel computes all of them."""
        return self.engine in ("vmap", "graph")

    @property
    def workers(self) -> int:
        """Groups that train at the same time."""
        return (self.cores or cpu_count()) if self.engine == "loop" and self.device.type == "cpu" else 1


def why_not_vmap(recipe: Recipe, device: torch.device) -> str | None:
    """What `vmap` says of this mixer, or None if two members of it train together as they do one by one."""
    members = [Member(0, 1e-3), Member(1, 1e-3)]
    try:
        gradients = _gradients(recipe, Group(recipe, members, device, vectorise=True))
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return _named(error)
    alone = [_gradients(recipe, Group(recipe, [member], device, vectorise=False)) for member in members]
    return None if _agree(gradients, torch.cat(alone)) else "it gives other gradients than one member at a time"


def why_not_graph(recipe: Recipe, device: torch.device, losses: Callable[..., Tensor] | None = None) -> str | None:
    """What capturing says of this mixer's step, or None if steps that are replayed are those that there are without.

    Args:
        recipe: of the members.
        device: where they train.
        losses: compiled ones to train with.
    """
    members, ends = [Member(0, 1e-3), Member(1, 3e-3)], list[Tensor]()
    try:
        for captured in (False, True):
            group = Group(recipe, members, device, vectorise=True, losses=losses, captured=captured)
            group.shake()
            start = group.weights.clone()
            for batch in zip(*_batches(recipe, group), strict=True):
                group.take(*batch)
            ends.append(group.weights - start)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # CUDA, cuBLAS and a mixer's own kernels each have their own
        return _named(error)
    # On average over the weights: where a gradient is rounding alone, AdamW makes steps of that.
    plain, apart = ends[0].abs().mean(dim=1), (ends[1] - ends[0]).abs().mean(dim=1)
    return None if bool((apart < _SAME_WAY * plain).all()) else "it takes other steps when it is replayed"


def why_not_compiled(recipe: Recipe, device: torch.device, *, vectorise: bool) -> str | None:
    """What `torch.compile` says of this mixer, or None if it gives the gradients that there are without it."""
    members = [Member(0, 1e-3)]
    try:
        # Single-threaded as workers are, who find the code on disk: the number of threads is part of it.
        with single_threaded():
            losses = compiled_losses(recipe, device, vectorise=vectorise)
            gradients = _gradients(recipe, Group(recipe, members, device, vectorise=vectorise, losses=losses))
    except Exception as error:  # a compiler has errors of many kinds, and all of them mean that it cannot
        return _named(error)
    expected = _gradients(recipe, Group(recipe, members, device, vectorise=vectorise))
    return None if _agree(gradients, expected) else "it gives other gradients than the code as it is written"


def compiled_losses(recipe: Recipe, device: torch.device, *, vectorise: bool) -> Callable[..., Tensor]:
    """`Forward.token_losses`, compiled when it is first called.

    From nothing: torch compiles one function for a few kinds of input and leaves it as it is for more, with a line in
    its log. All mixers of a process share that function.
    """
    with warnings.catch_warnings(action="ignore"):  # of what torch imports for it on CUDA: no reason against a mixer
        torch.compiler.reset()
    logging.getLogger("torch.utils.cpp_extension").setLevel(
        logging.ERROR
    )  # that there is no CUDA is no news on a CPU
    template = recipe.make_model(0, recipe.make_task(0)).to(device)
    return torch.compile(Forward(template, vectorise=vectorise).token_losses)


def worth_compiling(recipe: Recipe, device: torch.device) -> bool:
    """Whether to compile where nobody has said: a rule about what is computed, and no measurement.

    Layers of many small operations gain most of it, others enough for a long budget, and those of very many, which
    are loops over tokens, take minutes to compile. torch's own recurrences are one operation to a compiler, and stay
    as they are. Only CPUs have been measured.
    """
    steps = recipe.budget.steps
    if device.type != "cpu" or steps < _LONG or not (shutil.which("c++") or shutil.which("g++")):
        return False
    if any(isinstance(layer, nn.RNNBase) for layer in recipe.make_model(0, recipe.make_task(0)).modules()):
        return False
    operations = operations_a_layer(recipe, device)
    return operations <= _TOO_MANY and (operations >= _MANY_SMALL or steps >= _VERY_LONG)


def operations_a_layer(recipe: Recipe, device: torch.device) -> int:
    """Operations of one member's forward and backward pass, divided by its layers."""
    group = Group(recipe, [Member(0, 1e-3)], device, vectorise=False)
    batch = _first_batch(recipe, group)
    with _Counter() as counter:
        group.gradients(*batch)
    return counter.operations // recipe.backbone.layers


def members_at_once(recipe: Recipe, device: torch.device) -> int:
    """How many members may be one group, by what the device's free memory holds; at least one.

    One member is measured: what its forward pass keeps for the backward. A step needs about that again for gradients
    and intermediate results, and six numbers a weight: itself, its gradient, two moments, and a snapshot while it is
    copied. It is an estimate, and `Groups` halves a group that finds no memory.
    """
    free = free_memory(device)
    if free is None:
        return _MANY
    group = Group(recipe, [Member(0, 1e-3)], device, vectorise=True)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        group.gradients(*_first_batch(recipe, group))
    one = 2 * sum(kept.values()) + 6 * group.weights.nbytes
    return max(1, min(_MANY, int(_SHARE_OF_MEMORY * free / one)))


class _Counter(TorchDispatchMode):
    """Counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        return func(*args, **(kwargs or {}))


def _gradients(recipe: Recipe, group: Group) -> Tensor:
    """The gradients `(E, P)` of a group off its start, for the first batch of each member."""
    group.shake()
    return group.gradients(*_first_batch(recipe, group))[1]


def _first_batch(recipe: Recipe, group: Group) -> Data:
    """What each member of a group trains on first, `(E, B, ...)`."""
    return Data(*(rows[0] for rows in _batches(recipe, group)))


def _batches(recipe: Recipe, group: Group) -> Data:
    """What each member of a group trains on in its first steps, `(steps, E, B, ...)`."""
    drawn = [recipe.training_data(member.seed, recipe.make_task(member.seed), 0) for member in group.members]
    rows = (torch.stack([batches[:_TRIED] for batches in both], dim=1) for both in zip(*drawn, strict=True))
    return Data(*(each.to(group.weights.device) for each in rows))


def _agree(gradients: Tensor, expected: Tensor) -> bool:
    return all(
        torch.allclose(mine, plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))
        for mine, plain in zip(gradients, expected, strict=True)
    )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def choose_engine(recipe: Recipe, asked: EngineSettings) -> tuple[EngineSettings, str | None]:
    """The engine, and why it is not the one that was asked for.

    `auto` is a rule and no race: a choice by stopwatch would let the noise of a timing decide how a published
    number was rounded. On CPUs `loop` was faster in every measurement (docs/speed.md), on GPUs launches cost most.
    """
    wanted, device, notes = asked.engine, asked.device, list[str]()
    with float32_products(tf32=recipe.tf32):
        if wanted == "auto":
            wanted = "graph" if device.type == "cuda" else "loop"
        if wanted != "loop" and (note := why_not_vmap(recipe, device)):
            wanted = "loop"
            notes.append(f"vmap cannot train this mixer: {note}")
        compiled = worth_compiling(recipe, device) if asked.compiled is None else asked.compiled
        if compiled and (note := why_not_compiled(recipe, device, vectorise=wanted != "loop")):
            compiled = False
            notes.append(f"torch.compile cannot train this mixer: {note}")
        if wanted == "graph":
            losses = compiled_losses(recipe, device, vectorise=True) if compiled else None
            if note := why_not_graph(recipe, device, losses):
                wanted = "vmap"
                notes.append(f"its step cannot be captured as a graph: {note}")
    return replace(asked, engine=wanted, compiled=compiled), "; ".join(notes) or None
