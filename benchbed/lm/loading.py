"""A checkpoint as a model and a tokenizer, refused where a silent repair would make it another model."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from benchbed.errors import LanguageModelError

__all__ = ["UnreadableError", "load_model", "load_tokenizer", "weights_hash"]


class UnreadableError(LanguageModelError):
    """One checkpoint is broken; others may not be."""


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that lies beside a checkpoint.

    Raises:
        UnreadableError: there is none.
    """
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:
        raise UnreadableError(f"{folder}: expected a tokenizer, found {_line(error)}") from error


def load_model(folder: Path, device: torch.device, attention: str | None = None) -> nn.Module:
    """The model of a checkpoint, in float32 and evaluation mode.

    Args:
        folder: that holds it.
        device: where it goes.
        attention: name of the attention function; by default the library's choice.

    Raises:
        UnreadableError: it is no causal language model that this version of transformers can read, or weights are
            missing, which the library would draw at random and mention in a warning.
    """
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    chosen = {} if attention is None else {"attn_implementation": attention}
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **chosen
        )
        model, told = loaded
    except Exception as error:
        raise UnreadableError(f"{folder}: expected a causal language model, found {_line(error)}") from error
    finally:
        logging.set_verbosity(before)
    absent = sorted(told["missing_keys"]) + sorted(str(key) for key in told.get("mismatched_keys", ()))
    if absent:
        raise UnreadableError(
            f"{folder}: expected all weights of a {type(model).__name__}, found {len(absent)} missing: {absent[0]}"
        )
    return model.to(device).eval()


def weights_hash(model: nn.Module) -> str:
    """Of all parameters, under their names: the same for equal weights, in whatever files they came."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
