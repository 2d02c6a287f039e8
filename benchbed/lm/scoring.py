"""How well one language model does on prompts: three numbers, from its prediction of the next token."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchbed.errors import LanguageModelError
from benchbed.lm.prompts import Asked, Questions

__all__ = ["Score", "batches", "last_logits", "refuse_later_tokens", "score"]

_BATCH = 64


class Score(NamedTuple):
    """Means over the prompts of one capability."""

    accuracy: float
    """Share in which the right answer is more likely than each of the others."""
    greedy: float
    """Share in which it is the likeliest of the whole vocabulary."""
    probability: float
    """Of the right answer."""
    loss: float
    """Cross-entropy of the right answer, in nats."""


def score(model: nn.Module, questions: Questions) -> Score:
    """Ask a model.

    Args:
        model: a causal one of transformers, in evaluation mode.
        questions: for its tokenizer.

    Raises:
        LanguageModelError: it has no finite answer.
    """
    found = []
    with torch.no_grad():
        for tokens, asked in batches(questions, model):
            logits = last_logits(model, tokens)
            right = torch.tensor([one.target for one in asked], device=logits.device)
            likely = logits.gather(1, right[:, None])[:, 0]
            wrong = [row[list(one.others)].max() for row, one in zip(logits, asked, strict=True)]
            loss = nn.functional.cross_entropy(logits, right, reduction="none")
            greedy = logits.argmax(1) == right
            found.append(torch.stack([likely > torch.stack(wrong), greedy, (-loss).exp(), loss], 1).double())
    means = torch.cat(found).mean(0)
    if not means.isfinite().all():
        raise LanguageModelError(f"expected finite predictions, found {[f'{value:g}' for value in means.tolist()]}")
    return Score(*(float(f"{value:.6g}") for value in means.tolist()))


def batches(questions: Questions, model: nn.Module) -> Iterator[tuple[Tensor, list[Asked]]]:
    """Prompts of equal length together, so that nothing is padded: `(B, T)` tokens, and what they are of."""
    device = next(model.parameters()).device
    by_length: dict[int, list[Asked]] = {}
    for one in questions.asked:
        by_length.setdefault(len(one.tokens), []).append(one)
    for length in sorted(by_length):
        for start in range(0, len(by_length[length]), _BATCH):
            asked = by_length[length][start : start + _BATCH]
            yield torch.tensor([one.tokens for one in asked], device=device), asked


def refuse_later_tokens(model: nn.Module, questions: Questions, what: str) -> None:
    """Find out whether a model predicts from later tokens, as one that was trained to fill gaps does.

    Args:
        model: in evaluation mode.
        questions: the first is tried.
        what: how a message names the model.

    Raises:
        LanguageModelError: another last token changes what it predicts before it.
    """
    tokens = torch.tensor([questions.asked[0].tokens], device=next(model.parameters()).device)
    changed = tokens.clone()
    last = int(tokens[0, -1])
    changed[0, -1] = next(
        answer for answer in (questions.asked[0].target, *questions.asked[0].others) if answer != last
    )
    with torch.no_grad():
        before, after = (model(input_ids=given, use_cache=False).logits[0, :-1] for given in (tokens, changed))
    if not torch.allclose(before, after, atol=1e-4, rtol=1e-4):
        raise LanguageModelError(
            f"{what}: expected a causal language model, found one whose predictions change with later tokens"
        )


def last_logits(model: nn.Module, tokens: Tensor) -> Tensor:
    """What a model says of the next token after the last, `(B, T)` to `(B, V)`."""
    return model(input_ids=tokens, use_cache=False).logits[:, -1].float()
