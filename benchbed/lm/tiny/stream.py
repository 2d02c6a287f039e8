"""A synthetic stream in which repetition and induction can be learned, and the vocabulary that it has.

Half of the words are any word; half are one of four that like to follow the word before. Now and then a stretch of
what stood earlier comes again, word for word. A model finds the likings first, and, at a step that depends on its
seed, that the text repeats itself. Bietti et al. 2023 (arXiv 2306.00802) and Reddy 2024 (arXiv 2312.03002) study such
streams.
"""

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["STREAM_VERSION", "VOCABULARY", "Stream", "make_tokenizer"]

STREAM_VERSION = 1
"""Raised whenever the same seeds would give another text."""
UNKNOWN = "<unk>"
_WORDS = (
    "0 1 2 3 4 5 6 7 8 9 apple bird boat book bread bridge chair city cloud coat corn door dress farm field "
    "fire fish flower garden glass gold grass hand hat hill horse house island key lake leaf letter light map "
    "milk moon mouse paper park pen plant rain ring river road rock roof rose salt sand ship shoe snow star "
    "stone street sun table tree wall water wheel wind wood John Mary James Robert Michael David William "
    "Richard Thomas Mark Paul George Kevin Sarah Lisa Anna Laura Alice Peter Simon store school office station "
    "drink ball kiss present When and went to the , gave a "
)
VOCABULARY = (UNKNOWN, "\n", *_WORDS.split())
"""Words that the built-in capabilities make prompts of, and no others."""

_LIKED = 4
_SHARE_OF_LIKED = 0.5
_REPEATED = (8, 24)
_FIRST_REPEAT = 8
_CHANCE_OF_REPEAT = 0.2


class Stream:
    """Texts of one language: the likings are the same for every model, what is drawn is a seed's own."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(STREAM_VERSION)
        self._words = len(VOCABULARY) - 1  # all but the first, which stands for unknown ones
        self._liked = 1 + torch.rand(self._words, self._words, generator=generator).argsort(1)[:, :_LIKED]

    def sample(self, count: int, length: int, generator: Generator) -> Tensor:
        """Texts as tokens, `(count, length)` int64.

        Args:
            count: of texts.
            length: of each, in tokens.
            generator: on the CPU.
        """
        starts, lengths, firsts, liking, nexts = torch.rand(5, length, count, generator=generator)
        starting = starts < _CHANCE_OF_REPEAT
        starting[:_FIRST_REPEAT] = False
        lengths = _REPEATED[0] + (lengths * (_REPEATED[1] - _REPEATED[0] + 1)).long()
        texts = torch.empty(count, length, dtype=torch.int64)
        texts[:, 0] = 1 + (nexts[0] * self._words).long()
        source = torch.zeros(count, dtype=torch.int64)  # of the next token, where a stretch is being repeated
        left = torch.zeros(count, dtype=torch.int64)  # tokens of it that are still to come
        rows = torch.arange(count)
        for place in range(1, length):
            begins = starting[place] & (left == 0)
            earlier = (firsts[place] * max(1, place - _REPEATED[0])).long()
            source, left = torch.where(begins, earlier, source), torch.where(begins, lengths[place], left)
            liked = self._liked[texts[:, place - 1] - 1, (nexts[place] * _LIKED).long()]
            any_word = 1 + (nexts[place] * self._words).long()
            following = torch.where(liking[place] < _SHARE_OF_LIKED, liked, any_word)
            texts[:, place] = torch.where(left > 0, texts[rows, source], following)
            source, left = source + 1, (left - 1).clamp_min(0)
        return texts


def make_tokenizer() -> "PreTrainedTokenizerFast":
    """A tokenizer of whole words, so that prompts written for any model can be given to those trained here."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(VOCABULARY)}, unk_token=UNKNOWN))
    apart = [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Punctuation()]
    words.pre_tokenizer = pre_tokenizers.Sequence(apart)  # pyright: ignore[reportAttributeAccessIssue]
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token=UNKNOWN)
