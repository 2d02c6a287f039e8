"""What the page of one mixer holds: its entries on every level of a track, beside each other and the baseline's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbed.boards.comparison import Comparison, LevelComparison, compare_levels, find_shared
from benchbed.boards.views.sentences import pair_cells, verdict_over_levels
from benchbed.config.protocol import SIGNIFICANT
from benchbed.errors import EntryError
from benchbed.storage.names import file_name

__all__ = ["mixer_page", "mixer_pages"]


def mixer_pages(boards: Path, shown: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What `mixer.html` is filled with, by the name of the page.

    Args:
        boards: the folder that holds the tracks.
        shown: the boards of all tracks, each with the `pages` and `figures` of its entries.

    Raises:
        EntryError: a file is no entry.
    """
    levels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for board in shown:
        for row in board["rows"]:
            levels.setdefault((board["track"], row["name"]), []).append({"board": board, "row": row})
    return {mixer_page(track, name): _page(boards, track, name, on) for (track, name), on in levels.items()}


def mixer_page(track: str, name: str) -> str:
    """What the page of a mixer is called."""
    return f"{track}.{file_name(name)}.html"


def _page(boards: Path, track: str, name: str, levels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    baseline = next(filter(None, (level["board"]["baseline"] for level in levels)), None)
    found = _against(boards, track, name, baseline) if baseline not in (None, name) else None
    tests = {level: _test(pair, found.adjusted[level]) for level, pair in found.pairs.items()} if found else {}
    return {
        "mixer": name,
        "track": track,
        "levels": [{**level, "test": tests.get(file_name(level["board"]["level"]))} for level in levels],
        "baseline": baseline,
        "said": found and verdict_over_levels(found),
    }


def _test(pair: Comparison, adjusted: float) -> list[str]:
    """Ratio, p, p after Holm's adjustment, and what is to be said."""
    _, _, *cells, _ = pair_cells(pair, adjusted, pair.names)
    return [*cells, ("faster" if pair.ratio < 1 else "slower") if adjusted < SIGNIFICANT else "not told apart"]


def _against(boards: Path, track: str, name: str, baseline: str) -> LevelComparison | None:
    """What `benchbed compare MIXER` compares; None where the baseline has been run on none of its levels."""
    try:
        shared = find_shared(boards, (name, baseline), track)
    except EntryError:
        return None
    (found,) = compare_levels(boards, shared, lambda pair: pair)
    return found
