"""Prompts of a capability as tokens of one tokenizer, with every answer checked to be one token."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from benchbed.contracts import OptionError, Prompt
from benchbed.errors import PluginError, blame
from benchbed.plugins.registry import Plugin

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Asked", "Questions", "ask"]


@dataclass(frozen=True)
class Asked:
    """One prompt as tokens."""

    tokens: tuple[int, ...]
    target: int
    others: tuple[int, ...]


@dataclass(frozen=True)
class Questions:
    """All prompts of one capability, for one tokenizer."""

    capability: str
    options: dict[str, Any]
    asked: tuple[Asked, ...]

    @property
    def chance(self) -> float:
        """Accuracy of somebody who draws among the answers."""
        return sum(1 / (1 + len(one.others)) for one in self.asked) / len(self.asked)

    @property
    def hash(self) -> str:
        """Of every token: two models are compared only where they were asked the same."""
        told = repr([(one.tokens, one.target, one.others) for one in self.asked])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def ask(
    plugin: Plugin, options: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", count: int, seed: int
) -> Questions:
    """Let a capability write its prompts, and read them as the tokenizer does.

    Args:
        plugin: the capability.
        options: of it, complete.
        tokenizer: of the models that are asked.
        count: of prompts.
        seed: of what is random about them.

    Raises:
        OptionError: the capability has no prompts for this tokenizer, or a word of one is unknown to it.
        PluginError: an answer is no single token, stands twice, or there are too few prompts.
    """
    reader = _Reader(tokenizer)
    with blame(plugin.owner, plugin.files):
        made = plugin.load()(**options).prompts(count, Random(seed), reader.known)
    if len(made) != count:
        raise PluginError(f"{plugin.owner}: expected {count} prompts, found {len(made)}")
    return Questions(plugin.label, options, tuple(reader.read(prompt, plugin.owner) for prompt in made))


class _Reader:
    """A tokenizer, asked for what prompts need."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.unk_token_id

    def known(self, words: Sequence[str]) -> list[str]:
        return [word for word in words if self._one(f" {word}") is not None]

    def read(self, prompt: Prompt, owner: str) -> Asked:
        tokens = self._tokens(prompt.text)
        if self._unknown in tokens:
            raise OptionError(f"{owner}: expected words that the tokenizer knows, found '{prompt.text}'")
        answers = [self._one(word) for word in (prompt.target, *prompt.others)]
        for word, token in zip((prompt.target, *prompt.others), answers, strict=True):
            # Alone and in its place: a tokenizer may join an answer to what stands before it.
            if token is None or self._tokens(prompt.text + word) != [*tokens, token]:
                raise PluginError(
                    f"{owner}: expected answers of one token each, found '{word}' after '{prompt.text}'"
                )
        target, *others = [token for token in answers if token is not None]
        if len({target, *others}) <= len(others) or not others:
            raise PluginError(f"{owner}: expected answers that differ, found '{prompt.target}' and {prompt.others}")
        return Asked(tuple(tokens), target, tuple(others))

    def _one(self, text: str) -> int | None:
        tokens = self._tokens(text)
        return tokens[0] if len(tokens) == 1 and tokens[0] != self._unknown else None

    def _tokens(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False).input_ids
