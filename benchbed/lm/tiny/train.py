"""Tiny language models that are trained here, on every seed: what `benchbed lm` can be tried on without a download.

Every model reads the stream's text (`benchbed.lm.tiny.stream`), with its own initial weights and its own draw of it.
Checkpoints have the form of the Hugging Face library, under the names of Pythia's, `<name>-seed<N>/step<M>`.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from benchbed.errors import LanguageModelError
from benchbed.lm.tiny.stream import STREAM_VERSION, VOCABULARY, Stream, make_tokenizer
from benchbed.storage.files import dump_yaml, exclusive, load_yaml, write_atomically, write_text

__all__ = ["TinySettings", "checkpoint_steps", "model_folder", "train_model"]

_STATE = "training.pt"
_SETTINGS = "settings.yaml"


@dataclass(frozen=True)
class TinySettings:
    """What a tiny model is and how it is trained."""

    steps: int = 3000
    every: int = 50
    """Steps between checkpoints."""
    dim: int = 64
    layers: int = 2
    heads: int = 4
    length: int = 64
    """Tokens of a text."""
    texts: int = 32
    """A step."""
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.01


def model_folder(out: Path, name: str, seed: int) -> Path:
    """Where the checkpoints of one seed go."""
    return out / f"{name}-seed{seed}"


def checkpoint_steps(settings: TinySettings) -> list[int]:
    """The steps at which there is a checkpoint: before the first and after every interval."""
    return [*range(0, settings.steps, settings.every), settings.steps]


def train_model(settings: TinySettings, seed: int, folder: Path) -> None:
    """Train one model, from its last checkpoint on if there is one; kernels have one thread.

    Args:
        settings: of the model and its training.
        seed: of its weights and its text.
        folder: where its checkpoints go.

    Raises:
        LanguageModelError: the folder holds a model of other settings.
        BusyError: another process trains it.
        StorageError: it cannot be written.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        _settle(settings, seed, folder)
        if (folder / f"step{settings.steps}").is_dir() and not (folder / _STATE).exists():
            return
        model, optimiser = _make(settings, seed)
        begun = _resume(folder, model, optimiser)
        tokenizer, stream = make_tokenizer(), Stream()
        if begun is None:
            begun = 0
            _keep(model, tokenizer, folder / "step0")
        for end in [step for step in checkpoint_steps(settings) if step > begun]:
            texts = stream.sample((end - begun) * settings.texts, settings.length, _generator(seed, begun))
            for index, batch in enumerate(texts.view(end - begun, settings.texts, settings.length)):
                _step(model, optimiser, batch, settings, begun + index)
            begun = end
            _keep(model, tokenizer, folder / f"step{end}")
            state = {"step": end, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
            write_atomically(folder / _STATE, lambda file, state=state: torch.save(state, file))
        (folder / _STATE).unlink()


def _make(settings: TinySettings, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=settings.dim,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.dim,
        max_position_embeddings=4 * settings.length,
        # Heads of 16 channels: a quarter of them, as in Pythia, leaves two frequencies to tell places by.
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPTNeoXForCausalLM(config)
    return model, torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)


def _step(
    model: nn.Module, optimiser: torch.optim.Optimizer, texts: Tensor, settings: TinySettings, done: int
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * min(1.0, (done + 1) / settings.warmup)
    loss = model(input_ids=texts, labels=texts, use_cache=False).loss
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def _generator(seed: int, step: int) -> Generator:
    """Of the text from one checkpoint to the next: a function of both, so that who goes on reads the same."""
    return torch.Generator().manual_seed((seed + 1) * 1_000_003 + step)


def _keep(model: nn.Module, tokenizer: object, folder: Path) -> None:
    """A checkpoint that is whole or absent."""
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in (model, tokenizer):
        part.save_pretrained(unfinished)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _resume(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> int | None:
    """The step that was reached; None where nothing was."""
    if not (folder / _STATE).is_file():
        return None
    state = torch.load(folder / _STATE, weights_only=True)
    model.load_state_dict(state["model"])  # a checkpoint's file has other names for some
    optimiser.load_state_dict(state["optimiser"])
    return state["step"]


def _settle(settings: TinySettings, seed: int, folder: Path) -> None:
    wanted = {"stream": STREAM_VERSION, "seed": seed, **asdict(settings)}
    path = folder / _SETTINGS
    if not path.is_file():
        write_text(path, dump_yaml(wanted))
        return
    known = load_yaml(path.read_text(encoding="utf-8"))
    differing = [f"{key} {known.get(key)}, not {value}" for key, value in wanted.items() if known.get(key) != value]
    if differing:
        raise LanguageModelError(
            f"{folder}: expected the model that was begun there, found {', '.join(differing)}; "
            "give the same settings, or another --out or --name"
        )
