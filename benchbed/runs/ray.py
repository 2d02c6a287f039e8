"""Runs on a Ray cluster (`pip install "benchbed[ray]"`), one worker each, with a GPU of its own where they need one.

A worker trains into the run's own folder, so that on a shared file system a run whose worker died goes on from its
checkpoint; it hands the files back as well, for clusters whose machines share none. Ray starts a run again when its
worker dies. RAY_ADDRESS names a running cluster; without it, Ray starts one on this machine.

Whoever asked finds the run finished in its folder, and goes on as if it had been trained here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from benchbed.config.run_config import RunConfig
from benchbed.errors import BenchbedError, OptionError
from benchbed.results.result import RESULT
from benchbed.runs.checkpoint import CHECKPOINT
from benchbed.runs.execute import PlannedRun, execute, prepare
from benchbed.storage.files import LOCK, write_atomically
from benchbed.training.engine import EngineSettings

__all__ = ["Work", "carry_out", "train_on_ray"]

Work = Callable[[PlannedRun, EngineSettings, bool], object]
"""What a worker does with a run, how, and whether it begins from nothing; an importable function."""

_RESTARTS = 4
"""How often a run is started again after its worker died."""


def carry_out(run: PlannedRun, engine: EngineSettings, retrain: bool) -> None:
    """What `benchbed run` does."""
    execute(run, engine, lambda _: None, retrain=retrain)


def train_on_ray(
    planned: Sequence[PlannedRun], engine: EngineSettings, *, retrain: bool = False, work: Work = carry_out
) -> Iterator[tuple[PlannedRun, str | None]]:
    """Train each run in a Ray worker; give each as soon as it is done with, and what went wrong, if anything did.

    Args:
        planned: the runs.
        engine: how to compute; each run has one core, or one GPU.
        retrain: begin from nothing, whatever lies in the folders.
        work: what a worker does with a run.

    Raises:
        OptionError: Ray is not installed.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise OptionError('--backend ray: expected Ray, found none; pip install "benchbed[ray]"') from None

    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    need = {"num_gpus": 1} if engine.device.type == "cuda" else {"num_cpus": 1}
    remote: Any = ray.remote(max_retries=_RESTARTS, **need)(_train)
    # Ray shows a worker its GPU as the first one.
    alone = replace(engine, device=torch.device(engine.device.type), cores=1)
    pending = {}
    for run in planned:
        pending[remote.remote(work, run.config.model_dump_json(), str(run.folder.resolve()), alone, retrain)] = run
    while pending:
        (done,), _ = ray.wait(list(pending), num_returns=1)
        run = pending.pop(done)
        try:
            answer = ray.get(done)
        except ray.exceptions.RayError as error:
            yield run, f"its worker died {_RESTARTS + 1} times: {' '.join(str(error).split())[:200]}"
            continue
        if isinstance(answer, str):
            yield run, answer
            continue
        for name, content in sorted(answer.items(), key=lambda item: item[0] == RESULT):  # it says that all is there
            if retrain or not (run.folder / name).exists():
                write_atomically(run.folder / name, lambda file, content=content: file.write(content))
        (run.folder / CHECKPOINT).unlink(missing_ok=True)
        yield run, None


def _train(work: Work, plain: str, folder: str, engine: EngineSettings, retrain: bool) -> dict[str, bytes] | str:
    """In a worker: the files of the finished run, or what went wrong."""
    try:
        run = replace(prepare(RunConfig.model_validate_json(plain), Path()), folder=Path(folder))
        work(run, engine, retrain)
    except Exception as error:  # the answer must travel; the errors of a plug-in may not
        return str(error) if isinstance(error, BenchbedError) else f"{type(error).__name__}: {error}"
    files = [path for path in run.folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {str(path.relative_to(run.folder)): path.read_bytes() for path in files}
