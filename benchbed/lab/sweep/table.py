"""One tidy table of all seeds of a sweep."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchbed.lab.sweep.cells import Cell, Sweep
from benchbed.storage.files import dump_yaml, write_atomically

__all__ = ["rows_of", "write_tables"]


def rows_of(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One row a seed of every finished cell; one row for any other cell."""
    rows = []
    for cell in cells:
        head = {**cell.values, "cell": cell.status}
        if cell.result is None:
            rows.append(head | {"problem": cell.problem})
            continue
        result = cell.result
        fixed = {
            "chance_loss": result.chance_loss,
            "budget": result.config.budget.steps,
            "parameters": result.costs.parameters,
            "mixer_parameters": result.costs.mixer_parameters,
            "run": cell.planned[1].name,
        }
        rows += [head | row.model_dump(mode="json") | fixed for row in result.members]
    return rows


def write_tables(sweep: Sweep, cells: Sequence[Cell], out: Path) -> None:
    """Write `sweep.csv`, one row a seed, and `sweep.yaml`, one entry a cell with its summary.

    Raises:
        StorageError: they cannot be written.
    """
    rows = rows_of(cells)
    columns = list(dict.fromkeys(key for row in sorted(rows, key=len, reverse=True) for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(out / "sweep.csv", lambda file: file.write(text.getvalue().encode()))
    data = {
        "schema_version": 1,
        "sweep": {
            "mixers": list(sweep.mixers),
            "task": sweep.task,
            "track": sweep.track,
            "grid": list(sweep.grid),
            "seeds": sweep.seeds,
            "max_steps": sweep.max_steps,
            "learning_rate": sweep.learning_rate,
            "mixer_options": sweep.mixer_options,
            "task_options": sweep.task_options,
        },
        "cells": [_plain(cell, out) for cell in cells],
    }
    write_atomically(out / "sweep.yaml", lambda file: file.write(dump_yaml(data).encode()))


def _plain(cell: Cell, out: Path) -> dict[str, Any]:
    plain: dict[str, Any] = {**cell.values, "status": cell.status, "problem": cell.problem}
    if cell.result is not None:
        plain |= {
            "run": cell.planned[1].relative_to(out).as_posix(),
            "learning_rate": cell.result.learning_rate,
            "solved": cell.result.summary.solved,
            "seeds": cell.result.summary.seeds,
            "mean_steps": cell.result.summary.mean_steps,
            "mean_steps_interval": cell.result.summary.mean_steps_interval,
            "environment": f"{cell.result.environment.device}, engine {cell.result.environment.engine}, "
            f"torch {cell.result.environment.torch}, commit {cell.result.environment.git_commit}",
        }
    return plain
