"""What an unfinished run has come to: one file, replaced as a whole."""

import time
import warnings
from pathlib import Path
from typing import Any

import torch

from benchbed.results.scoring import MemberRow
from benchbed.storage.files import write_atomically

__all__ = ["CHECKPOINT", "Checkpoint"]

CHECKPOINT = "checkpoint.pt"
_SECONDS = 10.0


class Checkpoint:
    """The stages of a run, as far as they have come.

    A file that cannot be read, or that another run wrote, counts as none: training begins again.

    Args:
        path: the file.
        identity: whose it is.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.saved = time.monotonic()
        self.stages: dict[str, Any] = {}
        self.seconds = 0.0
        """Wall time of earlier processes."""
        self.environments: list[dict[str, Any]] = []
        """Where the processes were that trained it, each once, this one last."""
        try:
            with warnings.catch_warnings(action="ignore"):
                stored = torch.load(path, weights_only=True)
        except Exception:  # rubbish makes the unpickler raise, and warn of, whatever its bytes happen to mean
            return
        if isinstance(stored, dict) and stored.get("identity") == identity:
            self.stages, self.seconds = stored["stages"], stored["seconds"]
            self.environments = stored.get("environments", [])

    def go_on_in(self, environment: dict[str, Any]) -> None:
        """Note where this process is."""
        self.environments = [known for known in self.environments if known != environment] + [environment]

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self.saved >= _SECONDS

    def save(self, stage: str, state: dict[str, Any], seconds: float) -> None:
        """Write the state of a stage, beside those of the stages before it.

        Raises:
            StorageError: it cannot be written.
        """
        self.stages[stage] = state
        stored = {
            "identity": self.identity,
            "stages": self.stages,
            "seconds": seconds,
            "environments": self.environments,
        }
        write_atomically(self.path, lambda file: torch.save(stored, file))
        self.saved = time.monotonic()

    def finish(self, stage: str, rows: list[MemberRow], seconds: float) -> None:
        """Keep of a stage what came of each member, a few kilobytes, in place of its state.

        Raises:
            StorageError: it cannot be written.
        """
        self.save(stage, {"rows": [row.model_dump() for row in rows]}, seconds)

    def rows(self, stage: str) -> list[MemberRow] | None:
        """What came of each member of a stage that is finished."""
        rows = self.stages.get(stage, {}).get("rows")
        return rows and [MemberRow.model_validate(row) for row in rows]

    def remove(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
        self.stages, self.seconds, self.environments = {}, 0.0, []
