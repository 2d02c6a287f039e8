"""Runs in folders that a test chooses."""

from dataclasses import replace
from pathlib import Path

from benchbed.config.run_config import RunConfig
from benchbed.runs.execute import PlannedRun, prepare


def planned(config: RunConfig, folder: Path) -> PlannedRun:
    """A run made ready, whose files go straight into `folder`."""
    return replace(prepare(config, folder), folder=folder)
