"""Asking a member again, with the future hidden.

Shapes: `H` held-out sequences, `K` of them asked about a token, `C` tokens that the criterion reads, `T` tokens,
`N` scored tokens, `P` weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from benchbed.config.tracks import BackboneSizes
from benchbed.contracts import Task
from benchbed.errors import PluginError
from benchbed.training.backbone import Backbone
from benchbed.training.confirmation.examiner import ask
from benchbed.training.devices import float32_products
from benchbed.training.recipe import Data, Recipe, refuse_edited
from benchbed.training.seeding import generator

__all__ = ["Confirmation", "confirm"]

_ROWS = 512
"""Predictions that are asked for, at most. Of eight tokens that is 64 each: whoever reads one answer in ten of one
token passes once in 800 members.
"""
_SLACK = 0.01
"""A criterion that fails while fewer predictions than this share changed fails by rounding, and is no leak."""


class Confirmation(NamedTuple):
    """What came of asking again."""

    solved: bool
    """The criterion holds with the future hidden."""
    leaks: bool
    """It does not, and not for rounding: the mixer reads what it must predict."""


@dataclass(frozen=True)
class _Question:
    """What the other process is told: nothing from which an answer could be read."""

    mixer: type[nn.Module]
    options: dict[str, Any]
    sizes: BackboneSizes
    vocabulary: int
    scored: Tensor
    weights: Tensor
    """`(P,)`"""
    fixed: dict[str, Tensor]
    """Buffers and frozen parameters, by name."""
    batch: int
    """Sequences at a time."""
    device: str
    tf32: bool
    sources: tuple[tuple[str, str], ...]


def confirm(
    recipe: Recipe, seed: int, task: Task, held_out: Data, right: Tensor, weights: Tensor, fixed: dict[str, Tensor]
) -> Confirmation:
    """Ask a member that meets the criterion again, with the future hidden.

    Args:
        recipe: the member's.
        seed: the member's.
        task: the seed's instance.
        held_out: `(H, ...)`.
        right: `(H, N)` bool, which tokens it predicted with everything in view.
        weights: `(P,)`.
        fixed: its buffers and frozen parameters, by name.

    Raises:
        PluginError: the mixer cannot be built and run in a process of its own.
    """
    tokens, targets, right = held_out.tokens.cpu(), held_out.targets.cpu(), right.cpu()
    random, scored = generator(seed, "hidden"), task.scored.nonzero().flatten()
    columns = _read_by_criterion(task, len(scored))
    others = task.sample(len(tokens), random)
    share = min(len(tokens), max(1, _ROWS // len(columns)))
    chosen = [torch.randperm(len(tokens), generator=random)[:share] for _ in columns]
    # Earlier tokens first, each sent when those before it are answered: what a later part shows was asked before.
    asked = list(zip(columns, chosen, strict=True))
    parts = [(column, _hide(tokens[rows], others[rows], int(scored[column]))) for column, rows in asked]
    question = _Question(
        mixer=recipe.mixer,
        options=recipe.mixer_options,
        sizes=recipe.backbone,
        vocabulary=task.vocabulary,
        scored=task.scored,
        weights=weights.detach().cpu().clone(),
        fixed={name: tensor.detach().cpu().clone() for name, tensor in fixed.items()},
        batch=max(1, 3 * recipe.batch_size(task) // 4),
        device="cuda" if "cuda" in getattr(recipe.mixer, "needs", ()) else "cpu",
        tf32=recipe.tf32,
        sources=recipe.sources,
    )
    try:
        answers: list[Tensor] = ask(_answerer, question, parts)
    except ChildProcessError as error:
        raise PluginError(
            f"mixer {recipe.mixer.__name__} meets the criterion, and cannot be asked again in another process: "
            f"{error}; what it needs must be importable, and made in __init__"
        ) from None
    accuracy, fallen = right.float().mean(0), torch.zeros(len(columns))
    for i, (column, rows) in enumerate(asked):
        fallen[i] = right[rows, column].float().mean() - (answers[i] == targets[rows, column]).float().mean()
        accuracy[column] -= fallen[i]
    solved = bool(task.solved(accuracy.clamp(0, 1)))
    return Confirmation(solved, not solved and float(fallen.mean()) > _SLACK)


def _hide(sequences: Tensor, others: Tensor, token: int) -> Tensor:
    """`sequences` up to a token, and what `others` have from it on."""
    return torch.cat((sequences[:, :token], others.roll(1, 0)[:, token:]), dim=1)


def _read_by_criterion(task: Task, count: int) -> list[int]:
    """The scored tokens whose accuracy can matter: all but those without which a perfect model is one still."""
    without = torch.ones(count, count).fill_diagonal_(0)
    idle = [column for column in range(count) if bool(task.solved(without[column]))]
    rest = torch.ones(count)
    rest[idle] = 0
    read = [column for column in range(count) if column not in idle]
    return read if read and bool(task.solved(rest)) else list(range(count))


def _answerer(question: _Question) -> Callable[[tuple[int, Tensor]], Tensor]:
    """What gives, for one of the N scored tokens and sequences `(K, T)`, the likeliest token in each, `(K,)`."""
    refuse_edited(question.sources)
    model = Backbone(
        lambda: question.mixer(question.sizes.dim, len(question.scored), **question.options),
        vocabulary=question.vocabulary,
        scored=question.scored,
        **question.sizes.model_dump(),
    )
    vector_to_parameters(question.weights, [p for p in model.parameters() if p.requires_grad])
    held = dict(model.named_buffers()) | {n: p.data for n, p in model.named_parameters() if not p.requires_grad}
    for name, tensor in question.fixed.items():
        held[name].copy_(tensor)
    model.to(question.device).eval()

    @torch.no_grad()
    def answer(part: tuple[int, Tensor]) -> Tensor:
        column, tokens = part
        pieces = tokens.to(question.device).split(question.batch)
        with float32_products(tf32=question.tf32):
            return torch.cat([model(piece)[:, column].argmax(-1).cpu() for piece in pieces])

    return answer
