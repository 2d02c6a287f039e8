"""Boards as Markdown, kept between markers in a document: `<!-- board: <track> <level> -->` ... `<!-- /board -->`."""

import re
from pathlib import Path
from typing import Any

from benchbed.board_tables import separation
from benchbed.errors import EntryError
from benchbed.reading import read_standings
from benchbed.storage import write_atomically
from benchbed.wording import number, options_line, with_interval

__all__ = ["board_markdown", "fill_document"]

_BLOCK = re.compile(r"(<!-- board: (\S+) (\S+) -->\n).*?(<!-- /board -->)", re.DOTALL)


def board_markdown(board: dict[str, Any]) -> str:
    """A board as a table, and one sentence that says what its ranks say."""
    ratio = f"x {board['baseline']}" if board["baseline"] else "ratio"
    lines = [
        f"| rank | mixer | solved | mean steps [95%] | {ratio} [95%] | median | rate | parameters |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in board["rows"]:
        shown = options_line(row["options"], " ")
        cells = [
            str(row["rank"] or "unranked"),
            f"`{row['name']}`" + (f" ({shown})" if shown else ""),
            f"{row['solved']}/{row['seeds']}",
            with_interval(row["mean_steps"], row["mean_steps_interval"]),
            ""
            if row["ratio"] is None
            else row["ratio_bound"] + with_interval(row["ratio"], row["ratio_interval"], ".2f"),
            number(row["median_steps"]),
            f"{row['learning_rate']:g}",
            f"{row['parameters']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", separation(board)])


def fill_document(path: Path, boards: Path, *, write: bool) -> bool:
    """Put the current boards between a document's markers.

    Args:
        path: a Markdown file.
        boards: the folder that holds the tracks.
        write: change the file; else only look.

    Returns:
        Whether the document is, or was, out of date.

    Raises:
        EntryError: a marker names a board without entries.
    """
    text = path.read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        folder = boards / match[2] / match[3]
        if not any(folder.glob("*.yaml")):
            raise EntryError(f"{path}: expected entries in {folder}, because a marker names it, found none")
        return f"{match[1]}{board_markdown(read_standings(folder))}\n{match[4]}"

    filled = _BLOCK.sub(fill, text)
    if filled != text and write:
        write_atomically(path, lambda file: file.write(filled.encode()))
    return filled != text
