"""Boards as Markdown, kept between markers in documents.

`<!-- board: <track> <level> -->` ... `<!-- /board -->` holds the standings, `rates` in place of `board` what every
mixer did at each learning rate, `<!-- pairs: <track> <level> a/b c/d <level> a/b -->` the tests of named pairs, and
`<!-- agreement: <track> <level> <level> ... -->` whether mixers stand in the same order on several boards, and in its
place `overall` every mixer over these levels, `matrix` the mean steps of every mixer on each of them, `levels` how
well each level tells mixers apart.

`<!-- picture: <track> <level> ... -->` before an image draws every mixer on these levels, by default on all, into its
file.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

from benchbed.boards.board import BoardRow, Standings, TunedRate
from benchbed.boards.comparison import Comparison, compare
from benchbed.boards.overall import Overall, overall, read_overall
from benchbed.boards.reading import read_standings
from benchbed.boards.views.sentences import OVERALL, PAIR_HEADS, overall_cells, overall_heads, pair_cells, separation
from benchbed.config.protocol import SIGNIFICANT
from benchbed.config.tracks import Track, load_track
from benchbed.errors import EntryError
from benchbed.reporting.wording import number, options_line, place, with_interval
from benchbed.results.stats import correlation_interval, detectable_ratio, holm, rank_correlation, seed_agreement
from benchbed.storage.files import write_text

__all__ = [
    "agreement_markdown",
    "board_markdown",
    "draw_pictures",
    "fill_document",
    "levels_markdown",
    "matrix_markdown",
    "overall_markdown",
    "pairs_markdown",
    "rates_markdown",
]

_BLOCK = re.compile(
    r"(<!-- (board|rates|pairs|agreement|overall|matrix|levels): (\S+) (\S[^\n]*?) -->\n).*?(<!-- /\2 -->)",
    re.DOTALL,
)
_PICTURE = re.compile(r"<!-- picture: (\S+)((?: \S+)*) -->\n!\[[^\]]*\]\(([^)]+)\)")
_WORDS = re.compile(r">([^<]+)</text>")


def board_markdown(board: Standings) -> str:
    """A board as a table, and one sentence that says what its ranks say."""
    ratio = f"x {board['baseline']}" if board["baseline"] else "ratio"
    head = ["rank", "mixer", "solved", "mean steps [95%]", f"{ratio} [95%]", "median", "rate", "parameters"]
    rows = []
    for row in board["rows"]:
        shown = options_line(row["options"], " ")
        rows.append(
            [
                place(row["rank"], row["last_rank"]),
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
        )
    return f"{_table(head, '-l------', rows)}\n\n{separation(board)}"


def rates_markdown(board: Standings) -> str:
    """What every mixer did in tuning at each rate, the chosen one in bold, and how its scored seeds differ."""
    rates = sorted({tuned["rate"] for row in board["rows"] for tuned in row["tuning"]})
    rows, ends = [], 0
    for row in board["rows"]:
        cells = {t["rate"]: _tuned(t) for t in row["tuning"]}
        ends += row["learning_rate"] in (min(cells), max(cells))
        cells[row["learning_rate"]] = f"**{cells[row['learning_rate']]}**"
        rows.append([f"`{row['name']}`", *(cells.get(rate, "") for rate in rates), _range(row)])
    head = ["mixer", *(f"{rate:g}" for rate in rates), "scored seeds, steps"]
    said = "No mixer chose an end of the rates tried."
    if ends:
        said = f"{ends} of {len(rows)} chose an end of the rates tried; past it they may do better."
    if any(tuned["given_up"] for row in board["rows"] for tuned in row["tuning"]):
        said += (
            " A rate was given up where it could no longer win; what its other seeds would have done is not known."
        )
    agreement = seed_agreement([row["steps"] for row in board["rows"] if row["rank"]])
    if agreement:
        said += f" Between mixers the steps of a seed have a mean rank correlation of {agreement[0]:+.2f}"
        said += f" (permutation p = {agreement[1]:.2g})."
    return f"{_table(head, 'l' + '-' * (len(rates) + 1), rows)}\n\n{said}"


def pairs_markdown(pairs: Sequence[tuple[str, str, str, Comparison]]) -> str:
    """Pairs, each with its exact test, adjusted by Holm over these alone.

    Args:
        pairs: the level, what to call the two, and the two.
    """
    adjusted = holm([pair.p for *_, pair in pairs])
    rows = [
        [f"`{first}`, `{second}`", f"`{level}`", *pair_cells(pair, holms, (f"`{first}`", f"`{second}`"))]
        for (level, first, second, pair), holms in zip(pairs, adjusted, strict=True)
    ]
    return _table(["A, B", "level", *PAIR_HEADS], "ll-----l", rows)


def agreement_markdown(boards: Sequence[Standings]) -> str:
    """For every two boards the rank correlation of the mean steps of the entries that both rank, adjusted by Holm."""
    means = {b["level"]: {row["name"]: row["mean_steps"] for row in b["rows"] if row["rank"]} for b in boards}
    found = []
    for first, second in combinations(means, 2):
        both = sorted(means[first].keys() & means[second].keys())
        x, y = ([means[level][name] for name in both] for level in (first, second))
        found.append((first, second, len(both), *rank_correlation(x, y)))
    adjusted = holm([p for *_, p in found])
    rows = [
        [
            f"`{first}`, `{second}`",
            str(count),
            with_interval(correlation, correlation_interval(correlation, count), "+.2f"),
            f"{p:.2g}",
            f"{holms:.2g}",
        ]
        for (first, second, count, correlation, p), holms in zip(found, adjusted, strict=True)
    ]
    return _table(["levels", "mixers on both", "rank correlation [95%]", "p", "Holm"], "l----", rows)


def overall_markdown(found: Sequence[Overall]) -> str:
    """Every mixer over several levels, and what its number says."""
    rows = [[f"`{name}`", *cells] for name, *cells in map(overall_cells, found)]
    head = overall_heads(found)
    return f"{_table(head, 'l' + '-' * (len(head) - 2) + 'l', rows)}\n\n{OVERALL[0].upper()}{OVERALL[1:]}"


def matrix_markdown(boards: Sequence[Standings]) -> str:
    """Mean steps of every mixer on each board, those on most boards first; empty where it has not been run."""
    columns = [{row["name"]: row for row in board["rows"] if row["rank"]} for board in boards]
    boards_of = Counter(name for column in columns for name in column)

    def cell(column: Mapping[str, BoardRow], name: str) -> str:
        if name not in column:
            return ""
        row = column[name]
        unsolved = row["solved"] < row["seeds"]
        steps = f"{'> ' if unsolved else ''}{row['mean_steps']:,.0f}"
        best = f"**{steps}**" if row["rank"] == 1 and len(column) > 1 else steps
        return f"{best} ({row['solved']}/{row['seeds']})" if unsolved else best

    head = ["mixer", *(f"`{board['level']}`".replace("@", "`<br>`@") for board in boards)]
    rows = [
        [f"`{name}`", *(cell(column, name) for column in columns)]
        for name in sorted(boards_of, key=lambda n: (-boards_of[n], n))
    ]
    said = "Mean steps; in brackets seeds solved, where not all did; bold: no entry there is significantly faster."
    return f"{_table(head, 'l' + '-' * len(boards), rows)}\n\n{said}"


def levels_markdown(boards: Sequence[Standings], track: Track) -> str:
    """How well each level tells mixers apart: how many fail it, are at its floor, and are told apart by tests."""
    rows = []
    for board in boards:
        ranked = [row for row in board["rows"] if row["rank"]]
        looks = track.budget_at(track.level(*board["level"].split("@"))[1]).evaluate_every
        fastest = min(ranked, key=lambda row: row["mean_steps"])
        told = sum(pair["adjusted"] < SIGNIFICANT for pair in board["pairs"])
        cells = [
            len(ranked),
            sum(row["solved"] == row["seeds"] for row in ranked),
            sum(row["solved"] == 0 for row in ranked),
            f"`{fastest['name']}`, {fastest['mean_steps']:,.0f}",
            sum(max(row["steps"]) <= 2 * looks for row in ranked),
            f"{told} of {len(board['pairs'])}",
            _detectable([row["steps"] for row in ranked if row["solved"] == row["seeds"]]),
        ]
        rows.append([f"`{board['level']}`", *map(str, cells)])
    counts = ["mixers", "solve all seeds", "solve none", "fastest, mean", "at the floor", "pairs told apart"]
    head = ["level", *counts, "detectable ratio"]
    said = (
        "At the floor: every seed solves by the second time that the board looks. Pairs: exact permutation tests, "
        "false discovery rate 5%. Detectable: the ratio of mean steps that one such test tells apart in four of five "
        "tries, if seeds spread as they do there; the median over pairs of mixers that solve every seed."
    )
    return f"{_table(head, 'l---l---', rows)}\n\n{said}"


def _detectable(steps: Sequence[Sequence[int]]) -> str:
    """The median over pairs of what their seeds can tell apart; empty without a pair."""
    found = [ratio for first, second in combinations(steps, 2) if (ratio := detectable_ratio(first, second))]
    return f"{median(found):.2f}" if found else ""


def fill_document(path: Path, boards: Path, *, write: bool) -> bool:
    """Put the current boards between a document's markers.

    Args:
        path: a Markdown file.
        boards: the folder that holds the tracks.
        write: change the file; else only look.

    Returns:
        Whether the document is, or was, out of date.

    Raises:
        EntryError: a marker names a board without entries, or an entry that is not on its board.
    """
    text = path.read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        start, kind, track, named, end = match.groups()
        levels, couples = list[str](), []
        for word in named.split():
            first, pair, second = word.partition("/")
            if pair and levels:
                couples.append((levels[-1], first, second, compare(boards, (first, second), track, levels[-1])))
            elif not any((boards / track / word).glob("*.yaml")):
                raise EntryError(f"{path}: expected entries in {track}/{word}, because a marker names it, found none")
            else:
                levels.append(word)
        if kind == "pairs":
            return f"{start}{pairs_markdown(couples)}\n{end}"
        standings = [read_standings(boards / track / level) for level in levels]
        if kind in ("agreement", "matrix"):
            several = agreement_markdown if kind == "agreement" else matrix_markdown
            return f"{start}{several(standings)}\n{end}"
        if kind in ("levels", "overall"):
            known = load_track(str(boards / track / "track.yaml"))
            shown = (
                levels_markdown(standings, known) if kind == "levels" else overall_markdown(overall(standings, known))
            )
            return f"{start}{shown}\n{end}"
        filling = board_markdown if kind == "board" else rates_markdown
        return f"{start}{filling(standings[0])}\n{end}"

    filled = _BLOCK.sub(fill, text)
    if filled != text and write:
        write_text(path, filled)
    return filled != text


def draw_pictures(path: Path, boards: Path, *, write: bool) -> list[Path]:
    """Draw the current boards into the pictures that a document has a marker for.

    Their words are compared, numbers among them: another matplotlib draws other lines.

    Args:
        path: a Markdown file.
        boards: the folder that holds the tracks.
        write: change the pictures; else only look.

    Returns:
        Those that are, or were, out of date.

    Raises:
        EntryError: a marker names a board without entries.
    """
    stale = []
    for track, levels, name in _PICTURE.findall(path.read_text(encoding="utf-8")):
        from benchbed.boards.views.figures import overview_svg

        target = path.parent / name
        drawn = overview_svg(read_overall(boards, track, levels.split()))
        before = target.read_text(encoding="utf-8") if target.is_file() else ""
        if _WORDS.findall(before) != _WORDS.findall(drawn):
            stale.append(target)
            if write:
                write_text(target, drawn)
    return stale


def _tuned(tuned: TunedRate) -> str:
    solved = f"{tuned['solved']}/{tuned['seeds']}"
    if tuned["given_up"]:
        return f"{solved}, given up at {tuned['given_up']:,}"
    return f"{solved} ({number(tuned['mean_steps'])})"


def _range(row: BoardRow) -> str:
    solved = sorted(row["steps"])[: row["solved"]]
    steps = " to ".join(dict.fromkeys(f"{end:,}" for end in (solved[0], solved[-1]))) if solved else "none"
    return steps + (f", {row['seeds'] - row['solved']} unsolved" if solved and row["solved"] < row["seeds"] else "")


def _table(head: Sequence[str], columns: str, rows: Sequence[Sequence[str]]) -> str:
    """Args: columns: `l` for one that is aligned to the left, anything else for one of numbers."""
    rule = "".join("---|" if column == "l" else "---:|" for column in columns)
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}", *(f"| {' | '.join(row)} |" for row in rows)])
