"""Which heads carry a capability: their later patterns, put into an earlier checkpoint of the same model.

If a capability waits for a pattern to be found, then the pattern alone, without any later weight, gives the earlier
model a part of it. Four controls say what such a rise is worth: as many heads drawn at random, the same heads with
the patterns of another seed, all heads, and what the later model loses without each.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from benchbed.errors import LanguageModelError
from benchbed.lm.attention import Head, patterns, replaced
from benchbed.lm.prompts import Questions
from benchbed.lm.scoring import batches, last_logits
from benchbed.results.stats import t_interval

__all__ = ["HeadEffects", "Rise", "head_effects"]

_DRAWS = 16
"""Sets of random heads."""


@dataclass(frozen=True)
class Rise:
    """The target's probability over all prompts, and how far it is from that of the model as it is."""

    heads: list[Head]
    probability: float
    rise: float
    interval: list[float]
    """Of the rise: Student's t over prompts, 95%."""


@dataclass(frozen=True)
class HeadEffects:
    """What patterns carry, between two checkpoints of one model, for one capability."""

    capability: str
    early: str
    late: str
    other: str | None
    prompts: int
    early_probability: float
    late_probability: float
    alone: list[Rise]
    """One a head: its later pattern in the earlier model."""
    together: list[Rise]
    """The best k, by what they do alone, with k from 1 on."""
    everything: Rise
    """All heads."""
    random: list[Rise]
    """As many random heads, for each k the mean over sets; `heads` is empty."""
    other_seed: list[Rise]
    """The best k with the later patterns of another seed; empty without one."""
    without: list[Rise]
    """One a head: the later model when it says nothing; what it loses is a rise below zero."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def head_effects(
    early: tuple[str, nn.Module],
    late: tuple[str, nn.Module],
    other: tuple[str, nn.Module] | None,
    questions: Questions,
    together: int,
    observe: Callable[[int, int], None],
) -> HeadEffects:
    """Exchange patterns.

    Args:
        early: a checkpoint before the capability, with its name, of `pattern_model`.
        late: one after it.
        other: a late checkpoint of another seed.
        questions: for their tokenizer.
        together: the most heads at once.
        observe: told how many forward passes are done, of how many.

    Raises:
        LanguageModelError: the models have not the same layers and heads.
    """
    asker = _Asker(questions, observe)
    given = asker.patterns(late[1])
    heads = sorted(given)
    if (others := None if other is None else asker.patterns(other[1])) is not None and sorted(others) != heads:
        raise LanguageModelError(f"{other and other[0]}: expected the {len(heads)} heads of {late[0]}, found others")
    if sorted(asker.patterns(early[1])) != heads:
        raise LanguageModelError(f"{early[0]}: expected the {len(heads)} heads of {late[0]}, found others")
    most = min(together, len(heads))
    asker.of = 3 + 2 * len(heads) + most * (1 + _DRAWS + (others is not None))
    plain, reached = asker.ask(early[1]), asker.ask(late[1])
    alone = [asker.rise(early[1], plain, given, [head]) for head in heads]
    best = [one.heads[0] for one in sorted(alone, key=lambda one: -one.rise)]
    rng = Random(0)
    return HeadEffects(
        capability=questions.capability,
        early=early[0],
        late=late[0],
        other=other and other[0],
        prompts=len(questions.asked),
        early_probability=float(plain.mean()),
        late_probability=float(reached.mean()),
        alone=alone,
        together=[asker.rise(early[1], plain, given, best[:k]) for k in range(1, most + 1)],
        everything=asker.rise(early[1], plain, given, heads),
        random=[
            _mean([asker.ask(early[1], given, rng.sample(heads, k)) for _ in range(_DRAWS)], plain)
            for k in range(1, most + 1)
        ],
        other_seed=[asker.rise(early[1], plain, others, best[:k]) for k in range(1, most + 1)] if others else [],
        without=[_rise(asker.ask(late[1], silent=[head]), reached, [head]) for head in heads],
    )


class _Asker:
    """Prompts, asked again and again of models whose patterns are exchanged."""

    def __init__(self, questions: Questions, observe: Callable[[int, int], None]) -> None:
        self._questions, self._observe = questions, observe
        self.done, self.of = 0, 0

    def patterns(self, model: nn.Module) -> dict[Head, list[Tensor]]:
        """By head, `(B, T, T)` for each batch of prompts."""
        with torch.no_grad(), patterns(model) as seen:
            for tokens, _ in batches(self._questions, model):
                model(input_ids=tokens, use_cache=False)
        return {
            (layer, head): [batch[:, head] for batch in passes]
            for layer, passes in enumerate(seen)
            for head in range(passes[0].shape[1])
        }

    def ask(
        self,
        model: nn.Module,
        given: dict[Head, list[Tensor]] | None = None,
        heads: Sequence[Head] = (),
        silent: Sequence[Head] = (),
    ) -> Tensor:
        """The target's probability, one number a prompt, when some heads have given patterns or are silent."""
        found = []
        for index, (tokens, asked) in enumerate(batches(self._questions, model)):
            put = {head: given[head][index] for head in heads} if given else {}
            with torch.no_grad(), replaced(model, put, silent):
                likely = last_logits(model, tokens).softmax(1)
            found.append(likely[range(len(asked)), [one.target for one in asked]])
        self.done += 1
        self._observe(self.done, self.of)
        return torch.cat(found).double().cpu()

    def rise(self, model: nn.Module, plain: Tensor, given: dict[Head, list[Tensor]], heads: Sequence[Head]) -> Rise:
        """`ask` beside the model as it is."""
        return _rise(self.ask(model, given, heads), plain, heads)


def _mean(found: Sequence[Tensor], plain: Tensor) -> Rise:
    return _rise(torch.stack(list(found)).mean(0), plain, [])


def _rise(found: Tensor, plain: Tensor, heads: Sequence[Head]) -> Rise:
    rises = (found - plain).tolist()
    return Rise(list(heads), float(found.mean()), fmean(rises), t_interval(rises))
