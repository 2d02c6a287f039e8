"""The curves of a run's scored members as a file."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchbed.errors import ResultError
from benchbed.storage.files import write_atomically
from benchbed.training.trajectory import Trajectory

__all__ = ["HISTORY", "History", "load_history", "save_history"]

HISTORY = "history.npz"


class History:
    """The curves of a run's scored members.

    Args:
        steps: `(K,)` evaluation steps.
        loss: `(M, K, N)` held-out loss of every scored token in nats; NaN after a member has finished.
        accuracy: `(M, K, N)`, likewise.
    """

    def __init__(self, steps: np.ndarray, loss: np.ndarray, accuracy: np.ndarray) -> None:
        self.steps, self.loss, self.accuracy = steps, loss, accuracy

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> "History":
        """Collect what members recorded."""
        longest = max(trajectories, key=lambda t: len(t.evaluations)).evaluations
        shape = (len(trajectories), len(longest), len(longest[0].loss))
        loss, accuracy = np.full(shape, math.nan, np.float32), np.full(shape, math.nan, np.float32)
        for row, trajectory in enumerate(trajectories):
            for column, evaluation in enumerate(trajectory.evaluations):
                loss[row, column], accuracy[row, column] = evaluation.loss, evaluation.accuracy
        return cls(np.array([e.step for e in longest]), loss, accuracy)

    def arrays(self) -> dict[str, Any]:
        """By name, as they are stored."""
        return {"steps": self.steps, "loss": self.loss, "accuracy": self.accuracy}


def save_history(history: History, folder: Path) -> None:
    """Write `history.npz`.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomically(folder / HISTORY, lambda file: np.savez_compressed(file, **history.arrays()))


def load_history(result: Path) -> History:
    """Read the curves that lie beside a result, a file or its folder.

    Raises:
        ResultError: they are missing or broken.
    """
    path = (result if result.is_dir() else result.parent) / HISTORY
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return History(stored["steps"], stored["loss"], stored["accuracy"])
    except Exception as error:  # numpy raises whatever zipfile, zlib and its own parser raise.
        raise ResultError(f"cannot read the curves {path}: {error}; run the mixer again with --retrain") from None
