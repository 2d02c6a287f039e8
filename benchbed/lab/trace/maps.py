"""Which earlier tokens an output depends on: measured by gradients in any model, or read off explicit weights.

Shapes: `B` sequences, `N` outputs, `T` tokens, `D` width, `V` vocabulary, `H` heads of all layers together.
Outputs are the scored tokens, of many the last 32: in its last states an automaton's rule can be known.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbed.contracts import MixerWithWeights, Task
from benchbed.training.backbone import Backbone
from benchbed.training.recipe import Recipe
from benchbed.training.seeding import generator
from benchbed.training.validation import parents_in

__all__ = [
    "Agreement",
    "agreement",
    "influence",
    "mixing",
    "other_parents",
    "output_parents",
    "outputs_of",
    "patterns",
]

_OUTPUTS = 32
_OTHERS = 32
"""Draws of parents that chance is told from."""


@dataclass(frozen=True)
class Agreement:
    """How well a map agrees with the true parents, averaged over outputs; all are shares of 1."""

    overlap: float
    """Share of an output's s parents among the s earlier tokens that the map gives most to, in its best head."""
    chance: float
    """The same with parents of other draws, which the model cannot know."""
    chance_range: tuple[float, float]
    """95% of those draws lie within."""
    mass: float
    """Share of the map that lies on the parents, in the best head of each output."""
    entropy: float
    """Of the map over earlier tokens, 1 where it is uniform; mean over heads."""
    later: float
    """Share of the map on the output itself and tokens after it: above 0 where the model reads the answer."""

    def plain(self) -> dict[str, Any]:
        """As data, to six digits."""
        return {
            key: [float(f"{v:.6g}") for v in value] if isinstance(value, tuple) else float(f"{value:.6g}")
            for key, value in asdict(self).items()
        }


def outputs_of(task: Task) -> Tensor:
    """Which tokens the maps are about, `(N,)`."""
    return task.scored.nonzero().flatten()[-_OUTPUTS:]


def influence(model: Backbone, tokens: Tensor, targets: Tensor) -> Tensor:
    """How much the logit of each output moves, to first order, when another token is replaced: `(B, N, T)`.

    Args:
        model: as it was trained.
        tokens: `(B, T)`.
        targets: what is predicted of the outputs, `(B, N)`.

    The gradient of the right token's logit, less the mean logit, is multiplied with the differences between the
    embeddings of all other tokens and the one that stands there; the answer is the mean of the absolute values.
    """
    caught: list[Tensor] = []

    def catch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        caught.append(output)

    handle = model.tokens.register_forward_hook(catch)
    try:
        with torch.enable_grad():
            logits = model(tokens)[:, -targets.shape[1] :]
    finally:
        handle.remove()
    right = logits.gather(2, targets[:, :, None])[:, :, 0] - logits.mean(dim=2)  # (B, N)
    table = model.tokens.weight.detach()
    rows = []
    for column in right.unbind(dim=1):
        (gradient,) = torch.autograd.grad(column.sum(), caught[0], retain_graph=True)
        effects = gradient @ table.T  # (B, T, V)
        moved = effects - effects.gather(2, tokens[:, :, None])
        rows.append(moved.abs().sum(dim=2) / (len(table) - 1))
    return torch.stack(rows, dim=1)


@torch.no_grad()
def patterns(model: Backbone, tokens: Tensor) -> list[Tensor] | None:
    """Mixing weights of every layer, `(B, H, T, T)` each; None where a mixer has no explicit weights."""
    found: list[Tensor] = []

    def look(mixer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(mixer, MixerWithWeights):
            found.append(mixer.mixing_weights(inputs[0]))

    handles = [block.get_submodule("mixer").register_forward_pre_hook(look) for block in model.blocks]
    try:
        model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found if len(found) == len(model.blocks) else None


def mixing(model: Backbone, tokens: Tensor, outputs: Tensor) -> Tensor | None:
    """Absolute mixing weights at the positions that outputs are predicted from: `(B, H, N, T)`.

    None where a mixer has no explicit weights.
    """
    layers = patterns(model, tokens)
    return None if layers is None else torch.cat(layers, dim=1)[:, :, outputs - 1].abs()


def output_parents(task: Task, tokens: Tensor) -> Tensor | None:
    """Parents of the outputs, `(B or 1, N, T)` bool; None where the task names none."""
    parents = parents_in(task, tokens)
    return None if parents is None else parents[:, outputs_of(task)]


def other_parents(recipe: Recipe, task: Task, seed: int, tokens: Tensor) -> list[Tensor]:
    """Parents that this model cannot have learned, like `output_parents`.

    Those of other instances where they differ; those of other sequences where each has its own; and where every
    instance has the same, as many earlier tokens drawn at random.
    """
    true = output_parents(task, tokens)
    assert true is not None
    if task.parents is None:
        return [true.roll(shift, dims=0) for shift in range(1, min(_OTHERS + 1, len(tokens)))]
    instances = (recipe.make_task(10_000 + _OTHERS * seed + number) for number in range(_OTHERS))
    others = [parents for parents in (output_parents(t, tokens) for t in instances) if parents is not None]
    if not all(torch.equal(parents, true) for parents in others):
        return others
    random, number = generator(seed, "held-out", 1), true.sum(-1, keepdim=True)
    scores = [torch.rand(true.shape, generator=random).masked_fill(~_earlier(task), -1.0) for _ in range(_OTHERS)]
    return [_ranks(score) < number for score in scores]


def agreement(shown: Tensor, parents: Tensor, others: list[Tensor], task: Task) -> Agreement:
    """Compare a map with the parents.

    Args:
        shown: `(B, H, N, T)`, none negative; where parents are the same in all sequences, their mean is compared.
        parents: of `output_parents`.
        others: of `other_parents`.
        task: the instance.
    """
    if len(parents) == 1:
        shown = shown.mean(dim=0, keepdim=True)
    earlier = _earlier(task)  # (N, T)
    total = shown.sum(-1).clamp_min(1e-30)
    inside = shown * earlier
    share = inside / inside.sum(-1, keepdim=True).clamp_min(1e-30)
    entropy = -(share * share.clamp_min(1e-30).log()).sum(-1) / earlier.sum(-1).clamp_min(2).log()
    ranks = _ranks(inside.masked_fill(~earlier, -1.0))
    chances = [_overlap(ranks, other) for other in others]
    low, high = np.quantile(chances, [0.025, 0.975])
    return Agreement(
        overlap=_overlap(ranks, parents),
        chance=float(np.mean(chances)),
        chance_range=(float(low), float(high)),
        mass=_best_head((shown * parents[:, None]).sum(-1) / total),
        entropy=float(entropy.mean()),
        later=float((1 - inside.sum(-1) / total).mean()),
    )


def _overlap(ranks: Tensor, parents: Tensor) -> float:
    number = parents.sum(-1)[:, None]  # (B, 1, N)
    hit = ((ranks < number[..., None]) & parents[:, None]).sum(-1)
    return _best_head(hit / number)


def _best_head(values: Tensor) -> float:
    """Mean over tokens of the best head's mean over sequences, of `(B, H, N)`."""
    return float(values.mean(dim=0).amax(dim=0).mean())


def _ranks(values: Tensor) -> Tensor:
    """0 for the largest of a row."""
    return values.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)


def _earlier(task: Task) -> Tensor:
    """The tokens before each output, `(N, T)` bool."""
    return torch.arange(task.length) < outputs_of(task)[:, None]
