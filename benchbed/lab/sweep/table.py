"""One tidy table of all seeds of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchbed.lab.sweep.cells import Cell, Sweep
from benchbed.storage.files import csv_text, write_text, write_yaml

__all__ = ["rows_of", "write_tables"]

_SAME = ("mixer", "level", "track")
"""Columns of a run that the cells of a sweep have in common, or name themselves."""


def rows_of(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One row a seed of every finished cell; one row for any other cell."""
    rows = []
    for cell in cells:
        head = {**cell.values, "cell": cell.status}
        if cell.result is None:
            rows.append(head | {"problem": cell.problem})
            continue
        for row in cell.result.rows():
            rows.append(head | {key: value for key, value in row.items() if key not in _SAME})
    return rows


def write_tables(sweep: Sweep, cells: Sequence[Cell], out: Path) -> None:
    """Write `sweep.csv`, one row a seed, and `sweep.yaml`, one entry a cell with its summary.

    Raises:
        StorageError: they cannot be written.
    """
    write_text(out / "sweep.csv", csv_text(rows_of(cells)))
    data = {
        "schema_version": 1,
        "sweep": {key: value for key, value in sweep.plain.items() if key != "checked"},
        "cells": [_plain(cell, out) for cell in cells],
    }
    write_yaml(out / "sweep.yaml", data)


def _plain(cell: Cell, out: Path) -> dict[str, Any]:
    plain: dict[str, Any] = {**cell.values, "status": cell.status, "problem": cell.problem}
    if cell.result is not None:
        plain |= {
            "run": cell.run.folder.relative_to(out).as_posix(),
            "learning_rate": cell.result.learning_rate,
            "solved": cell.result.summary.solved,
            "seeds": cell.result.summary.seeds,
            "mean_steps": cell.result.summary.mean_steps,
            "mean_steps_interval": cell.result.summary.mean_steps_interval,
            "environment": f"{cell.result.environment.device}, engine {cell.result.environment.engine}, "
            f"torch {cell.result.environment.torch}, commit {cell.result.environment.git_commit}",
        }
    return plain
