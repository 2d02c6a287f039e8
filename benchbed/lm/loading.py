"""A checkpoint as a model and a tokenizer, refused where a silent repair would make it another model."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from benchbed.errors import LanguageModelError
from benchbed.training.devices import single_threaded

__all__ = ["UnreadableError", "load_model", "load_tokenizer", "threads_for", "tokenizer_hash"]
__all__ += ["weights_hash"]

_SMALL = 10_000_000
"""Parameters below which threads wait for each other longer than they compute."""


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


def tokenizer_hash(folder: Path) -> str:
    """Of all files that a tokenizer may be kept in: equal for checkpoints that read alike."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix not in (".safetensors", ".bin") and not path.name.endswith("config.json"):
            digest.update(path.name.encode() + path.read_bytes())
    settings = folder / "tokenizer_config.json"
    digest.update(settings.read_bytes() if settings.is_file() else b"")
    return digest.hexdigest()[:16]


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


def threads_for(model: nn.Module) -> AbstractContextManager[None]:
    """One thread inside for a small model, as many as there are for another."""
    small = sum(parameter.numel() for parameter in model.parameters()) < _SMALL
    return single_threaded() if small else nullcontext()


def weights_hash(model: nn.Module) -> str:
    """Of all parameters, under their names: the same for equal weights, in whatever files they came."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
