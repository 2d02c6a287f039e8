"""Every checkpoint of every model, asked; one checkpoint on disk and in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchbed.contracts import OptionError
from benchbed.errors import LanguageModelError
from benchbed.lm.cache import Asking, Kept, Scored, load_kept, save_kept
from benchbed.lm.family import Checkpoint, LanguageModel, on_disk
from benchbed.lm.loading import UnreadableError, load_model, load_tokenizer, threads_for, tokenizer_hash, weights_hash
from benchbed.lm.prompts import Questions, ask
from benchbed.lm.scoring import refuse_later_tokens, score

__all__ = ["Measured", "measure"]


@dataclass
class Measured:
    """What came of asking models."""

    scored: dict[str, dict[str, dict[int, Scored]]] = field(default_factory=dict[str, dict[str, dict[int, Scored]]])
    """By capability, model and step."""
    notes: list[str] = field(default_factory=list[str])
    """What was left out, and why."""


def measure(
    models: Sequence[LanguageModel],
    askings: Sequence[Asking],
    folder: Path,
    device: torch.device,
    observe: Callable[[Checkpoint, int, int], None],
) -> Measured:
    """Score every checkpoint that is not scored yet.

    Args:
        models: of any number of groups.
        askings: the capabilities.
        folder: where scores are kept.
        device: where to compute.
        observe: told the checkpoint, its number and how many there are, before each that has to be loaded.

    Raises:
        LanguageModelError: a checkpoint cannot be fetched, a model reads later tokens, two models were asked
            different prompts, or are one model under two names.
    """
    asker, found, known = _Asker(device), Measured(), dict[str, tuple[LanguageModel, Checkpoint]]()
    waiting = [(model, checkpoint) for model in models for checkpoint in model.checkpoints]
    for number, (model, checkpoint) in enumerate(waiting, start=1):
        kept = load_kept(folder, checkpoint)
        lacking = [one for one in askings if kept is None or one.identity not in kept.scores]
        if lacking:
            observe(checkpoint, number, len(waiting))
            try:
                kept = asker.ask(checkpoint, lacking, kept)
            except UnreadableError as error:
                found.notes.append(f"{checkpoint.label} is left out: {error}")
                continue
            save_kept(folder, checkpoint, kept)
        assert kept is not None
        if _new(kept.weights, model, checkpoint, known, found.notes):
            _add(found, kept, askings, checkpoint)
    found.notes += [*_not_applicable(found, models, askings), *_gaps(models)]
    return found


class _Asker:
    """Asks one checkpoint after another; prompts are written once a tokenizer."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._written: dict[tuple[str, str], Questions | str] = {}

    def ask(self, checkpoint: Checkpoint, askings: Sequence[Asking], kept: Kept | None) -> Kept:
        """What is known of a checkpoint, with what these capabilities add."""
        with on_disk(checkpoint) as path:
            asked = self._questions(path, askings)
            model = load_model(path, self._device)
        questions = [one for one in asked.values() if isinstance(one, Questions)]
        with threads_for(model):
            if questions:
                refuse_later_tokens(model, questions[0], checkpoint.label)
            scores: dict[str, Scored | str] = {
                identity: one if isinstance(one, str) else Scored(one.hash, one.chance, score(model, one))
                for identity, one in asked.items()
            }
        return Kept(weights_hash(model), {**(kept.scores if kept else {}), **scores})

    def _questions(self, folder: Path, askings: Sequence[Asking]) -> dict[str, Questions | str]:
        """By `Asking.identity`: its prompts, or why there are none."""
        digest = tokenizer_hash(folder)
        if any((digest, one.identity) not in self._written for one in askings):
            tokenizer = load_tokenizer(folder)
            for one in askings:
                try:
                    written = ask(one.plugin, one.options, tokenizer, one.prompts, one.seed)
                except OptionError as error:
                    written = str(error)
                self._written[digest, one.identity] = written
        return {one.identity: self._written[digest, one.identity] for one in askings}


def _new(
    weights: str,
    model: LanguageModel,
    checkpoint: Checkpoint,
    known: dict[str, tuple[LanguageModel, Checkpoint]],
    notes: list[str],
) -> bool:
    """Whether a checkpoint has weights that no other has: seeds that differ in their data alone share the first."""
    other, earlier = known.setdefault(weights, (model, checkpoint))
    if other is model:
        if earlier is checkpoint:
            return True
        notes.append(f"{checkpoint.label} is left out: its weights are those of {earlier.revision}")
        return False
    if earlier != other.checkpoints[0]:
        raise LanguageModelError(
            f"{checkpoint.label}: expected a model of its own, found the weights of {earlier.label}; "
            "one model under two names would count twice"
        )
    return True


def _add(found: Measured, kept: Kept, askings: Sequence[Asking], checkpoint: Checkpoint) -> None:
    for one in askings:
        scored = kept.scores[one.identity]
        if isinstance(scored, str):
            continue
        by_model = found.scored.setdefault(one.plugin.label, {})
        known = next((other for steps in by_model.values() for other in steps.values()), scored)
        if scored.questions != known.questions:
            raise LanguageModelError(
                f"{checkpoint.label}: expected the prompts of the models before it for {one.plugin.label}, found "
                "others, because its tokenizer differs; measure it in a command of its own"
            )
        by_model.setdefault(checkpoint.model, {})[checkpoint.step] = scored


def _not_applicable(found: Measured, models: Sequence[LanguageModel], askings: Sequence[Asking]) -> list[str]:
    if not found.scored and found.notes:
        raise LanguageModelError(f"expected checkpoints that can be read, found none; {found.notes[0]}")
    if not found.scored:
        names = ", ".join(one.plugin.label for one in askings)
        raise LanguageModelError(f"expected a capability that the tokenizer has words for, found none of {names}")
    return [
        f"{one.plugin.label} is not applicable to {model.name}: too few of its words are one token there"
        for one in askings
        for model in models
        if model.name not in found.scored.get(one.plugin.label, {})
    ]


def _gaps(models: Sequence[LanguageModel]) -> list[str]:
    """Checkpoints that others of a group have: between those beside a gap a step is known less well."""
    groups: dict[str, set[int]] = {}
    for model in models:
        groups.setdefault(model.group, set()).update(one.step for one in model.checkpoints)
    notes = []
    for model in models:
        absent = sorted(groups[model.group] - {one.step for one in model.checkpoints})
        if absent:
            shown = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
            notes.append(f"{model.name} lacks {len(absent)} checkpoints that others have: {shown}")
    return notes
