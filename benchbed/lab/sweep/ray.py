"""Cells of a sweep on a Ray cluster (`pip install "benchbed[ray]"`), one worker each.

A worker trains into the cell's own folder, so that on a shared file system a cell whose worker died goes on from its
checkpoint; it hands the files back as well, for clusters whose machines share none. Ray starts a cell again when its
worker dies. RAY_ADDRESS names a running cluster; without it, Ray starts one on this machine.
"""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from benchbed.config.run_config import RunConfig
from benchbed.errors import BenchbedError, OptionError
from benchbed.lab.sweep.cells import Batch
from benchbed.results.history import HISTORY
from benchbed.results.result import RESULT, load_result
from benchbed.runs.execute import execute, prepare
from benchbed.storage.files import write_atomically
from benchbed.training.engine import EngineSettings

__all__ = ["on_ray"]

_RESTARTS = 4
"""How often a cell is started again after its worker died."""


def on_ray(waiting: list[Batch], engine: EngineSettings) -> Iterator[Batch]:
    """The backend that trains each cell in a Ray worker; gives each cell as soon as it is done with.

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
    pending = {}
    for cell in (cell for batch in waiting for cell in batch):
        plain, folder = cell.run.config.model_dump_json(), str(cell.run.folder.resolve())
        pending[remote.remote(plain, folder, engine.engine, str(engine.device))] = cell
    while pending:
        (done,), _ = ray.wait(list(pending), num_returns=1)
        cell = pending.pop(done)
        folder = cell.run.folder
        try:
            answer = ray.get(done)
        except ray.exceptions.RayError as error:
            cell.problem = f"its worker died {_RESTARTS + 1} times: {' '.join(str(error).split())[:200]}"
        else:
            if isinstance(answer, str):
                cell.problem = answer
            else:
                for name, content in answer.items():
                    if not (folder / name).exists():
                        write_atomically(folder / name, lambda file, content=content: file.write(content))
                cell.result = load_result(folder)
        yield [cell]


def _train(plain: str, folder: str, engine: Any, device: str) -> dict[str, bytes] | str:
    """In a worker: the files of the finished run, or what went wrong."""
    try:
        run = replace(prepare(RunConfig.model_validate_json(plain), Path()), folder=Path(folder))
        execute(run, EngineSettings(engine, torch.device(device), cores=1), lambda _: None)
    except Exception as error:  # the answer must travel; the errors of a plug-in may not
        return str(error) if isinstance(error, BenchbedError) else f"{type(error).__name__}: {error}"
    return {name: (run.folder / name).read_bytes() for name in (HISTORY, RESULT)}
