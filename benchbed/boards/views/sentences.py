"""What boards say in words: ranks, verdicts and who has checked, the same in every view."""

from typing import TYPE_CHECKING

from benchbed.config.protocol import SIGNIFICANT

if TYPE_CHECKING:
    from benchbed.boards.board import BoardRow, Standings
    from benchbed.boards.comparison import Comparison

__all__ = ["CHECKED_BY", "separation", "sort_rows", "verdict"]

CHECKED_BY = {"self": "submitter", "rerun": "✓ rerun", "disputed": "✗ disputed", "withdrawn": "withdrawn"}
"""Who has checked an entry."""


def separation(board: "Standings") -> str:
    """What the ranks of a board say, and nothing more."""
    ranked = [row for row in board["rows"] if row["rank"]]
    best = [row["name"] for row in ranked if row["rank"] == 1]
    if len(ranked) < 2:
        return "One entry alone has no rank to speak of."
    first = " and ".join(filter(None, [", ".join(best[:-1]), best[-1]]))
    pairs = [pair for pair in board["pairs"] if pair["adjusted"] < SIGNIFICANT]
    told = f"{len(pairs)} of {len(board['pairs'])} pairs are told apart"
    share = (
        "share rank 1: no entry is significantly faster than any of them" if len(best) > 1 else "is alone on rank 1"
    )
    return f"{first} {share}; {told} (exact permutation tests, false discovery rate 5%)."


def verdict(pair: "Comparison") -> str:
    """One sentence about a pair."""
    first, second = pair.names
    inside = f" [{pair.interval[0]:.2f}, {pair.interval[1]:.2f}]" if pair.interval else ""
    tests = f"exact permutation test p = {pair.p:.2g}"
    if pair.adjusted is not None:
        tests += f", adjusted over the board {pair.adjusted:.2g}"
    apart = (pair.p if pair.adjusted is None else pair.adjusted) < SIGNIFICANT
    faster, slower = (first, second) if pair.ratio < 1 else (second, first)
    said = f"{faster} is faster than {slower}" if apart else f"{first} and {second} are not told apart"
    return f"{said}: {first} takes {pair.ratio:.2f}{inside} times the mean steps of {second} ({tests})."


def sort_rows(rows: "list[BoardRow]", by: str) -> "list[BoardRow]":
    """The rows of a board, best first; by rank they lie already."""
    if by == "rank":
        return rows
    if by == "solved":
        return sorted(rows, key=lambda row: -row["solved"] / row["seeds"])
    if by == "date":
        return sorted(rows, key=lambda row: row["date"], reverse=True)
    return sorted(rows, key=lambda row: row["mean_steps" if by == "steps" else by])
