"""Where a run was computed, for its result."""

import platform
from pathlib import Path

import torch

from benchbed import __version__
from benchbed.errors import DeviceError
from benchbed.results.result import Environment
from benchbed.storage.git import git
from benchbed.training.ensemble import EngineSettings, cpu_count

__all__ = ["describe_environment", "device_name", "find_device"]


def find_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA where it is present.

    Raises:
        DeviceError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(
            f"--device {name}: expected a device that this machine has, found none ({str(error).splitlines()[0]}); "
            "leave --device away, or give cpu"
        ) from None
    return device


def describe_environment(settings: EngineSettings, engine_note: str | None) -> Environment:
    """Versions, device and engine."""
    commit = _git("rev-parse", "HEAD")
    return Environment(
        benchbed=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        platform=platform.platform(),
        device=device_name(settings.device),
        engine=settings.engine,
        engine_note=engine_note,
        compiled=settings.compiled,
        precision=f"float32, matrix products {torch.get_float32_matmul_precision()}",
        workers=settings.workers,
        git_commit=commit,
        git_dirty=None if commit is None else bool(_git("status", "--porcelain")),
    )


def device_name(device: torch.device) -> str:
    """The model of a device, as results name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({_cpu_model()}, {cpu_count()} cores)"


def _cpu_model() -> str:
    """Linux says it in a file; elsewhere the platform module knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _git(*arguments: str) -> str | None:
    """Git's answer about the checkout that this package lies in; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    answer = git(root, *arguments) if (root / ".git").exists() else None
    return None if answer is None else answer.strip()
