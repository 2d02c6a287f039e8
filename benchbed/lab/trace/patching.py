"""Attention patterns of one checkpoint put into another: how much of the loss gap do they carry?

Activation patching as in Vig et al., 2020 (arXiv 2004.12265), on patterns, between two times of one training run:
values and everything else stay those of the model that is patched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchbed.contracts import PatchableMixer
from benchbed.errors import OptionError, ResultError
from benchbed.lab.trace.maps import patterns
from benchbed.lab.trace.snapshots import Snapshot, load_snapshot, rebuild
from benchbed.training.backbone import Backbone
from benchbed.training.devices import float32_products
from benchbed.training.recipe import Data, make_recipe

__all__ = ["HeadPatch", "Patch", "patch"]


@dataclass(frozen=True)
class HeadPatch:
    """One head's pattern, or all of them, put in."""

    layer: int | None
    """None: all heads of all layers."""
    head: int | None
    loss: float
    """In nats."""
    recovered: float
    """(loss of the patched model's own - loss) / (that - loss of the donor): 1 closes the gap, below 0 widens it."""


@dataclass(frozen=True)
class Patch:
    """What patterns carry between two checkpoints; losses are means over the held-out set, in nats."""

    seed: int
    early_step: int
    late_step: int
    early_loss: float
    late_loss: float
    into_early: list[HeadPatch]
    """The late model's patterns in the early model: all, then head by head."""
    into_late: list[HeadPatch]
    """The early model's patterns in the late model: `recovered` is the share of the gap that is lost."""

    def plain(self) -> dict[str, Any]:
        """As data."""
        return asdict(self)


def patch(early: Path, late: Path) -> Patch:
    """Exchange patterns between two checkpoints of one member of a traced run.

    Raises:
        ResultError: they are none, or of different members.
        OptionError: the mixer cannot mix by given weights, or both checkpoints have one loss.
    """
    first, second = load_snapshot(early), load_snapshot(late)
    if (first.config.identity, first.seed) != (second.config.identity, second.seed) or first.step >= second.step:
        raise ResultError(
            f"patch: expected an early and a late checkpoint of one member, found seed {first.seed} at step "
            f"{first.step} of run {first.config.identity[:10]} and seed {second.seed} at step {second.step} of run "
            f"{second.config.identity[:10]}"
        )
    recipe, _ = make_recipe(first.config)
    task = recipe.make_task(first.seed)
    data = recipe.held_out_data(first.seed, task)
    before, after = (rebuild(recipe, task, first.seed, snapshot.weights) for snapshot in (first, second))
    with float32_products(tf32=False):
        return _exchange((first, second), (before, after), data)


def _exchange(snapshots: tuple[Snapshot, Snapshot], models: tuple[Backbone, Backbone], data: Data) -> Patch:
    (first, second), (before, after) = snapshots, models
    donors = patterns(before, data.tokens), patterns(after, data.tokens)
    if donors[0] is None or donors[1] is None or not isinstance(before.blocks[0].mixer, PatchableMixer):
        raise OptionError(
            "patch: expected a mixer with mixing_weights(x) and mix(x, weights), see benchbed.contracts, "
            f"found {first.config.mixer.name}"
        )
    losses = (_loss(before, data), _loss(after, data))
    if losses[0] == losses[1]:
        raise OptionError(f"patch: expected two checkpoints of different loss, found {losses[0]:.4f} at both")
    return Patch(
        seed=first.seed,
        early_step=first.step,
        late_step=second.step,
        early_loss=losses[0],
        late_loss=losses[1],
        into_early=_heads(before, data, donors[1], losses),
        into_late=_heads(after, data, donors[0], (losses[1], losses[0])),
    )


def _heads(model: Backbone, data: Data, donor: list[Tensor], losses: tuple[float, float]) -> list[HeadPatch]:
    """All patterns at once, then one by one."""
    own, other = losses
    everything = {layer: list(range(weights.shape[1])) for layer, weights in enumerate(donor)}
    tried: list[tuple[int | None, int | None, Mapping[int, list[int]]]] = [(None, None, everything)]
    tried += [(layer, head, {layer: [head]}) for layer, heads in everything.items() for head in heads]
    found = []
    for layer, head, chosen in tried:
        with _patched(model, donor, chosen):
            loss = _loss(model, data)
        found.append(HeadPatch(layer, head, loss, (own - loss) / (own - other)))
    return found


@contextmanager
def _patched(model: Backbone, donor: list[Tensor], chosen: Mapping[int, list[int]]) -> Iterator[None]:
    """The model with the chosen heads' patterns, by layer, taken from the donor."""
    mixers: dict[int, Any] = {layer: model.blocks[layer].mixer for layer in chosen}

    def forward_of(mixer: Any, weights: Tensor, heads: list[int]) -> Any:
        def forward(x: Tensor) -> Tensor:
            own = mixer.mixing_weights(x).clone()
            own[:, heads] = weights[:, heads]
            return mixer.mix(x, own)

        return forward

    try:
        for layer, mixer in mixers.items():
            mixer.forward = forward_of(mixer, donor[layer], chosen[layer])
        yield
    finally:
        for mixer in mixers.values():
            del mixer.forward


@torch.no_grad()
def _loss(model: Backbone, data: Data) -> float:
    logits = model(data.tokens)  # (B, N, V)
    return float(F.cross_entropy(logits.flatten(0, 1), data.targets.flatten()))
