"""Runs in folders that a test chooses, entries under other names, and repositories."""

import subprocess
from dataclasses import replace
from pathlib import Path

from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.config.run_config import RunConfig
from benchbed.results.result import load_result, save_result
from benchbed.runs.execute import PlannedRun, prepare


def planned(config: RunConfig, folder: Path) -> PlannedRun:
    """A run made ready, whose files go straight into `folder`."""
    return replace(prepare(config, folder), folder=folder)


def changed(run, **environment):
    result = load_result(run)
    save_result(result.model_copy(update={"environment": result.environment.model_copy(update=environment)}), run)


def renamed(path: Path, *names: str) -> None:
    """An entry under another name, or several, in place of its own."""
    entry = load_entry(path)
    path.unlink()
    for name in names:
        save_entry(entry.model_copy(update={"entry": name}).sealed(), path.with_name(f"{name}.yaml"))


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
