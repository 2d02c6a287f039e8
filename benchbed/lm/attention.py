"""Attention patterns of a language model, read and replaced head by head, through transformers' attention interface.

The library lets a model's attention be any registered function, and makes its causal mask by the mask function of the
same name: with none registered it passes no mask, and the model reads later tokens without a word. So both are
registered here, and `pattern_model` holds the function against `eager` before it is used.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from benchbed.errors import LanguageModelError
from benchbed.lm.loading import load_model
from benchbed.lm.prompts import Questions
from benchbed.lm.scoring import batches

__all__ = ["Head", "pattern_model", "patterns", "replaced"]

Head = tuple[int, int]
"""Layer and head, from 0."""

_NAME = "benchbed_patterns"


@dataclass
class _Plan:
    """What one layer's attention shall do in the next forward passes."""

    seen: list[Tensor] | None = None
    """Takes the patterns of each pass, `(B, H, T, T)`."""
    given: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """By head: `(B, T, T)` patterns instead of its own."""
    silent: frozenset[int] = frozenset()
    """Heads whose output is nought."""


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **more: Any
) -> tuple[Tensor, Tensor]:
    """`eager` of the model at hand, after which the heads of the plan have the output of other patterns."""
    eager = sys.modules[type(module).__module__].eager_attention_forward
    output, weights = eager(module, query, key, value, attention_mask, **more)  # (B, T, H, C) and (B, H, T, T)
    plan = _plan(module)
    if plan.seen is not None:
        plan.seen.append(weights.detach())
    if plan.given or plan.silent:
        output = output.clone()
    for head, pattern in plan.given.items():
        source = head * value.shape[1] // output.shape[2]  # keys and values may be shared by several heads
        output[:, :, head] = pattern.to(value) @ value[:, source]
    for head in plan.silent:
        output[:, :, head] = 0
    return output, weights


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, eager_mask)


def pattern_model(folder: Path, device: torch.device, questions: Questions) -> nn.Module:
    """A model whose patterns can be read and replaced.

    Args:
        folder: of a checkpoint.
        device: where it goes.
        questions: to try it on.

    Raises:
        LanguageModelError: its attention has no weights, or does not go through the interface.
    """
    model, plain = load_model(folder, device, _NAME), load_model(folder, device, "eager")
    layers = _layers(model)
    if not layers:
        raise LanguageModelError(
            f"{folder}: expected attention of transformers' interface, found none in a {type(model).__name__}"
        )
    tokens, _ = next(batches(questions, model))
    with torch.no_grad():
        expected = plain(input_ids=tokens, use_cache=False).logits
        with patterns(model) as seen:
            found = model(input_ids=tokens, use_cache=False).logits
    if any(len(layer) != 1 for layer in seen) or not torch.equal(found, expected):
        raise LanguageModelError(
            f"{folder}: expected a {type(model).__name__} to compute the same through the attention interface, found "
            f"differences of up to {(found - expected).abs().max():.2g} and patterns of {sum(map(bool, seen))} of "
            f"{len(layers)} layers"
        )
    return model


@contextmanager
def patterns(model: nn.Module) -> Iterator[list[list[Tensor]]]:
    """Read patterns inside: one list a layer, which takes `(B, H, T, T)` of every forward pass."""
    plans = [_plan(layer) for layer in _layers(model)]
    seen: list[list[Tensor]] = [[] for _ in plans]
    for plan, layer in zip(plans, seen, strict=True):
        plan.seen = layer
    try:
        yield seen
    finally:
        for plan in plans:
            plan.seen = None


@contextmanager
def replaced(
    model: nn.Module, given: Mapping[Head, Tensor] | None = None, silent: Sequence[Head] = ()
) -> Iterator[None]:
    """Compute with other patterns inside.

    Args:
        model: of `pattern_model`.
        given: by head, `(B, T, T)`.
        silent: heads whose output is nought.
    """
    plans = [_plan(layer) for layer in _layers(model)]
    for (layer, head), pattern in (given or {}).items():
        plans[layer].given[head] = pattern
    for index, plan in enumerate(plans):
        plan.silent = frozenset(head for layer, head in silent if layer == index)
    try:
        yield
    finally:
        for plan in plans:
            plan.given, plan.silent = {}, frozenset()


def _layers(model: nn.Module) -> list[nn.Module]:
    """The attention modules, by the layer that they say they are."""
    found = [
        module
        for module in model.modules()
        if isinstance(getattr(module, "layer_idx", None), int)
        and hasattr(sys.modules[type(module).__module__], "eager_attention_forward")
        and hasattr(module, "scaling")
    ]
    return sorted(found, key=lambda module: module.layer_idx)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _plan(module: nn.Module) -> _Plan:
    return module.__dict__.setdefault("_benchbed_plan", _Plan())
