"""Boards, pairs of entries and problems as a person sees them in a terminal."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchbed.boards.folders import boards_folder, find_boards
from benchbed.boards.reading import read_standings, read_with
from benchbed.boards.views.rows import board_rows, overall_rows
from benchbed.boards.views.sentences import (
    CHECKED_BY,
    GUESTS,
    OVERALL,
    overall_cells,
    overall_heads,
    separation,
    sort_rows,
    standing,
)
from benchbed.reporting.wording import called, clock, number, options_line, place, with_interval
from benchbed.storage.files import csv_text

if TYPE_CHECKING:
    from benchbed.boards.board import BoardRow, Standings
    from benchbed.boards.overall import Overall
    from benchbed.boards.score import Score
    from benchbed.boards.suite import Forecast
    from benchbed.results.result import Result

__all__ = [
    "board_table",
    "forecast_table",
    "overall_table",
    "print_boards",
    "print_overall",
    "score_table",
]

_COSTS = {"samples": "samples", "flops": "training FLOPs", "seconds": "seconds"}


def print_boards(
    level: str | None = None,
    track: str | None = None,
    by: str = "rank",
    boards: Path | None = None,
    *,
    guests: "Sequence[Result]" = (),
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """What `benchbed leaderboard` prints.

    Args:
        level: task or `task@level`; None for all.
        track: None for all.
        by: one of `benchbed.boards.folders.Sort`.
        boards: the folder that holds the tracks; by default see `boards_folder`.
        guests: runs that are shown among the entries of their boards; only those boards are.
        as_json: print data instead of tables.
        as_csv: print one row an entry instead of tables.

    Raises:
        EntryError: there is no such board, or a file on it is no entry.
    """
    home = boards_folder(boards)
    folders = find_boards(home, track, level)
    found = read_with(home, folders, guests) if guests else [read_standings(folder) for folder in folders]
    if as_json:
        print(json.dumps([{**board, "rows": sort_rows(board["rows"], by)} for board in found], indent=2))
        return
    if as_csv:
        print(csv_text([row for board in found for row in board_rows(board)]), end="")
        return
    console = _console()
    for board in found:
        console.print(board_table(board, by, console.width), separation(board), "", highlight=False)
        for row in board["rows"]:
            if row["standing"] in GUESTS:
                console.print(standing(board, row), "", highlight=False)


def _console() -> Console:
    console = Console(markup=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no edge
    return console


def board_table(board: "Standings", by: str = "rank", width: int = 200) -> Table:
    """A board's standings.

    Args:
        board: as `benchbed.boards.reading.read_standings` gives it.
        by: one of `benchbed.boards.folders.Sort`; a cost adds its column.
        width: columns of the terminal; where they are few, the least important columns of the table give way.
    """
    rows = sort_rows(board["rows"], by)
    columns = {
        "rank": [Text(place(row["rank"], row["last_rank"])) for row in rows],
        "mixer": [_mixer(row) for row in rows],
        "solved": [_bar(row["solved"], row["seeds"]) for row in rows],
        "mean steps [95%]": [Text(with_interval(row["mean_steps"], row["mean_steps_interval"])) for row in rows],
        "ratio": [Text(_ratio(row)) for row in rows],
        "median": [Text(number(row["median_steps"])) for row in rows],
        "rate": [Text(f"{row['learning_rate']:g}") for row in rows],
        "rates": [Text(f"{row['rates_that_solve']}/{row['rates']}") for row in rows],
        "parameters": [Text(number(row["parameters"])) for row in rows],
        "FLOPs": [Text(number(row["flops_per_token"])) for row in rows],
        "device": [Text(row["device"].partition(" (")[0]) for row in rows],
        "date": [Text(row["date"]) for row in rows],
        "checked by": [Text((CHECKED_BY | GUESTS)[row["standing"]]) for row in rows],
    }
    if by in _COSTS:
        columns[_COSTS[by]] = [Text(f"{row[by]:,.3g}") for row in rows]
    if by == "seconds":
        del columns["device"]
        columns["device"] = [Text(row["device"]) for row in rows]  # beside the seconds, and whole: two CPUs are two
    least = ("FLOPs", "date", "device", "rates", "parameters", "checked by", "rate", "median")
    for name in [name for name in least if (name, by) != ("device", "seconds")]:
        if sum(max(len(name), *map(len, cells)) + 2 for name, cells in columns.items()) <= width:
            break
        del columns[name]
    else:
        columns["mixer"] = [Text(row["name"]) for row in rows]
    ratio = f"; ratio to {board['baseline']}" if board["baseline"] else ""
    title = f"{board['level']}, track {board['track']}, budget {board['budget']:,} steps{ratio}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.caption, table.caption_justify = _CAPTION + (_SECONDS if by == "seconds" else ""), "left"
    for name in columns:
        left = name in ("mixer", "solved", "checked by", "device")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "mixer", overflow="fold")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def print_overall(
    found: "Mapping[str, Sequence[Overall]]",
    *,
    chosen: bool = False,
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """What `benchbed leaderboard overall` prints.

    Args:
        found: by track, of `read_overall`.
        chosen: they are of levels that a user chose, and not of all.
        as_json: print data instead of tables.
        as_csv: print one row a mixer and level instead of tables.
    """
    from benchbed.boards.overall import common_levels

    if as_json:
        print(json.dumps({name: [one.plain() for one in each] for name, each in found.items()}, indent=2))
        return
    if as_csv:
        rows = [{"track": name, **row} for name, each in found.items() for row in overall_rows(each)]
        print(csv_text(rows), end="")
        return
    console = _console()
    for name, each in found.items():
        over = f"over {', '.join(each[0].levels)}" if chosen and each else "over all levels"
        console.print(overall_table(f"track {name}, {over}", each), OVERALL, highlight=False)
        if common := common_levels(each):
            shared, mixers = common
            command = f"benchbed leaderboard overall --track {name} --levels {','.join(shared)}"
            console.print(f"{mixers} mixers have a ratio over: {command}", soft_wrap=True, highlight=False)
        console.print("")


def overall_table(title: str, found: "Sequence[Overall]") -> Table:
    """Every mixer over several levels of a track."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for head in overall_heads(found):
        table.add_column(head, justify="left" if head in ("mixer", "lacks") else "right", overflow="fold")
    for one in found:
        table.add_row(*overall_cells(one))
    return table


def score_table(found: "Score") -> Table:
    """One mixer on the levels of a track, a line a level, and over all of them."""
    title = f"{called(found.mixer, found.results[0].config.mixer.options)}, track {found.track}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for head in ("level", "solved", "mean steps [95%]", "budget", "rank", "ratio [95%]", "rate"):
        named = head == "level"
        table.add_column(head, justify="left" if named else "right", no_wrap=named, overflow="fold")
    for result in found.results:
        summary, row = result.summary, found.standings.get(result.config.level)
        ratio = ""
        if row is not None and row["ratio"] is not None:
            ratio = row["ratio_bound"] + with_interval(row["ratio"], row["ratio_interval"], ".2f")
        table.add_row(
            result.config.level,
            f"{summary.solved}/{summary.seeds}",
            with_interval(summary.mean_steps, summary.mean_steps_interval),
            f"{result.config.budget.steps:,}",
            "no entries" if row is None else place(row["rank"], row["last_rank"]),
            ratio,
            f"{result.learning_rate:g}",
        )
    if found.overall is not None and found.overall.ratio is not None:
        _, ratio, without, *families, solved, _ = overall_cells(found.overall)
        table.add_section()
        table.add_row("over these levels", solved, "", "", "", ratio, "")
        for family, cell in zip(found.overall.families, families, strict=True):
            table.add_row(f"  {family}", "", "", "", "", cell, "")
        table.add_row("  without any one level", "", "", "", "", without, "")
    return table


def forecast_table(cells: "Sequence[Forecast]") -> Table:
    """How long each cell of a suite takes at most, the longest first, and all of them."""
    table = Table(box=SIMPLE_HEAD, show_footer=True)
    total = clock(sum(cell.seconds or 0 for cell in cells))
    table.add_column("mixer", f"all {len(cells)}")
    table.add_column("level")
    table.add_column("at most", total, justify="right")
    table.add_column("")
    for cell in sorted(cells, key=lambda cell: -(cell.seconds or 0)):
        state = {"to do": "", "fails": f"fails: {cell.problem}"}.get(cell.state, cell.state)
        table.add_row(cell.mixer, cell.level, "" if cell.seconds is None else clock(cell.seconds), Text(state))
    return table


_CAPTION = (
    "rank: 1 + entries that are significantly faster, to all but those that are significantly slower (exact "
    "permutation tests, false discovery rate 5%). "
    "mean: of min(steps, budget) with its t-interval; > and < are bounds where seeds did not solve. rates: learning "
    "rates at which most tuning seeds solved. FLOPs: a token, forward."
)


_SECONDS = " seconds: a seed's on average, to be compared on one device alone, whose entries stand together."


def _mixer(row: "BoardRow") -> Text:
    name = Text(row["name"])
    shown = options_line(row["options"], " ")
    return name.append(f" {shown}", style="dim") if shown else name


def _bar(solved: int, seeds: int) -> Text:
    width = 5
    full = round(width * solved / seeds)
    return Text(f"{solved}/{seeds} ").append("█" * full, style="green").append("░" * (width - full), style="dim")


def _ratio(row: "BoardRow") -> str:
    if row["ratio"] is None:
        return "-"
    return f"{row['ratio_bound']}{row['ratio']:.2f}"
