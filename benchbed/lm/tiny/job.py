"""`benchbed lm train`: tiny models, one a core at a time."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

from rich.console import Console

from benchbed.lm.tiny.train import TinySettings, checkpoint_steps, model_folder, train_model
from benchbed.reporting.lines import Lines
from benchbed.training.devices import cpu_count

__all__ = ["train_models"]


def train_models(settings: TinySettings, seeds: Sequence[int], name: str, out: Path, console: Console) -> None:
    """Train tiny models, one a core at a time; those that are finished are left as they are.

    Args:
        settings: of all of them.
        seeds: one a model.
        name: the models are called `<name>-seed<N>`.
        out: where their folders go.
        console: where progress goes.

    Raises:
        BenchbedError: a folder holds another model, or cannot be written.
    """
    folders = [model_folder(out, name, seed) for seed in seeds]
    workers = min(cpu_count(), len(seeds))
    leave = partial(_leave_with, os.getpid())
    with ProcessPoolExecutor(workers, get_context("spawn"), leave) as pool:
        waiting = [
            pool.submit(train_model, settings, seed, folder) for seed, folder in zip(seeds, folders, strict=True)
        ]
        try:
            _watch(waiting, folders, len(checkpoint_steps(settings)), Lines(console))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _leave_with(parent: int) -> None:
    """Let a worker end with the process that started it: one that was killed can tell nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _watch(waiting: Sequence[Future[None]], folders: Sequence[Path], each: int, lines: Lines) -> None:
    """Tell how many checkpoints there are, until every model is trained; the first error ends it."""
    while True:
        finished = [future for future in waiting if future.done()]
        for future in finished:
            future.result()
        kept = sum(len(list(folder.glob("step*"))) for folder in folders)
        done = f"{len(finished)} of {len(folders)} models trained, {kept:,} of {each * len(folders):,} checkpoints"
        lines.tell(done, kept, each * len(folders))
        if len(finished) == len(waiting):
            return
        time.sleep(0.5)
