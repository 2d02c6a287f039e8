"""Asking git; the one place that runs it."""

import subprocess
from pathlib import Path

__all__ = ["git"]


def git(folder: Path, *arguments: str) -> str | None:
    """What git answers in a folder, or None where there is no git, no repository or no answer."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout if answer.returncode == 0 else None
