"""Where a run was computed, for its result."""

import platform
from pathlib import Path

import torch

from benchbed import __version__
from benchbed.results.result import Environment
from benchbed.storage.git import git
from benchbed.training.devices import device_name
from benchbed.training.engine import EngineSettings

__all__ = ["describe_environment", "uncommitted"]


def describe_environment(settings: EngineSettings, engine_note: str | None, *, tf32: bool) -> Environment:
    """Versions, device, engine and precision."""
    commit = _git("rev-parse", "HEAD")
    return Environment(
        benchbed=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        platform=platform.platform(),
        device=device_name(settings.device),
        engine=settings.engine,
        engine_note=engine_note,
        compiled=bool(settings.compiled),
        precision=f"float32, matrix products {'tf32' if tf32 else 'highest'}",
        workers=settings.workers,
        git_commit=commit,
        git_dirty=None if commit is None else bool(uncommitted()),
    )


def uncommitted() -> list[str]:
    """Files that are not as they were committed, in the checkout that this package lies in; none where it is none."""
    return [line.split(maxsplit=1)[1] for line in (_git("status", "--porcelain") or "").splitlines()]


def _git(*arguments: str) -> str | None:
    """Git's answer about the checkout that this package lies in; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    answer = git(root, *arguments) if (root / ".git").exists() else None
    return None if answer is None else answer.strip()
