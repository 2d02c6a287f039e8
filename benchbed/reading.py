"""Reading boards: fast, because a board's standings lie computed beside its entries.

`benchbed leaderboard render` writes them; a board whose entries have changed since is computed again on the spot,
and only that imports anything heavy.
"""

import json
from pathlib import Path
from typing import Any

from benchbed.boards import STANDINGS, stamp

__all__ = ["read_standings"]


def read_standings(folder: Path) -> dict[str, Any]:
    """The standings of a board, stored or computed (see `benchbed.standings`).

    Raises:
        EntryError: they must be computed, and a file is no entry.
    """
    try:
        stored = json.loads((folder / STANDINGS).read_text(encoding="utf-8"))
        if stored["stamp"] == stamp(folder):
            return stored
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from benchbed.standings import compute_standings

    return compute_standings(folder)
