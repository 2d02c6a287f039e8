"""How long a script takes."""

import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["run_script"]


def run_script(
    script: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[float, str]:
    """Seconds of processor time that a script took in a new Python, which other load changes less than the clock's,
    and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, process.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, process.stdout
