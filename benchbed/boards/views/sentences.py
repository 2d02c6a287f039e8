"""What boards say in words: ranks, verdicts and who has checked, the same in every view."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchbed.boards.reading import read_beside_entries
from benchbed.config.protocol import FRESH_SEEDS, SIGNIFICANT
from benchbed.reporting.wording import place, with_interval

if TYPE_CHECKING:
    from benchbed.boards.board import BoardRow, Standings
    from benchbed.boards.comparison import Comparison, LevelComparison
    from benchbed.boards.overall import Overall
    from benchbed.results.result import Result

__all__ = [
    "CHECKED_BY",
    "GUESTS",
    "OVERALL",
    "PAIR_HEADS",
    "overall_cells",
    "overall_heads",
    "pair_cells",
    "provisional",
    "resolution",
    "separation",
    "sort_rows",
    "standing",
    "verdict",
    "verdict_over_levels",
]

CHECKED_BY = {"self": "submitter", "rerun": "✓ rerun", "disputed": "✗ disputed", "withdrawn": "withdrawn"}
"""Who has checked an entry."""
GUESTS = {"run": "a run, no entry", "quick look": "a quick look"}
"""What stands on a board without being an entry."""


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


def standing(board: "Standings", row: "BoardRow") -> str:
    """Where a run would stand among the entries: its rank, the last that tests allow, whom it beats, who beats it."""
    ahead, behind = list[str](), list[str]()
    means = {other["entry"]: (other["mean_steps"], other["name"]) for other in board["rows"]}
    for pair in board["pairs"]:
        both = [pair["first"], pair["second"]]
        if pair["adjusted"] < SIGNIFICANT and row["entry"] in both:
            both.remove(row["entry"])
            mean, name = means[both[0]]
            (ahead if mean < row["mean_steps"] else behind).append(name)
    ranked = sum(other["rank"] is not None for other in board["rows"])
    said = f"{row['name']} would have rank {place(row['rank'], row['last_rank'])} of {ranked}"
    if row["standing"] == "quick look":
        said += " (a quick look, which no board takes: compared by the same tests, and nothing more)"
    ratio = ""
    if row["ratio"] is not None:
        shown = with_interval(row["ratio"], row["ratio_interval"], ".2f")
        ratio = f"; {row['ratio_bound']}{shown} times the mean steps of {board['baseline']}"
    return f"{said}: faster than {_some(behind)}, slower than {_some(ahead)}{ratio}."


def provisional(boards: Path, result: "Result") -> str | None:
    """Where a finished run would stand; None where its board is empty, or asks something else."""
    board = read_beside_entries(boards, result)
    if board is None:
        return None
    (mine,) = [row for row in board["rows"] if row["standing"] in GUESTS]
    return standing(board, mine)


def _some(names: list[str]) -> str:
    """None, a few names, or some and how many more."""
    return ", ".join(names) or "none" if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


OVERALL = (
    "ratio: geometric mean over levels of the ratio of mean steps to the baseline's, with equal weight to each "
    "family of tasks, and its 95% interval for other seeds on the same levels; > and < are bounds where seeds did "
    "not solve, ~ where on both sides. It depends on no other entry. Who lacks a level has no place."
)
"""What the view over all levels says, and what not."""


def overall_heads(found: "Sequence[Overall]") -> list[str]:
    """What `overall_cells` are, in their order."""
    return ["mixer", "ratio [95%]", "without one level", *(found[0].families if found else ()), "solved", "lacks"]


def overall_cells(one: "Overall") -> list[str]:
    """One mixer over all levels, as every view shows it: ratio, range, families, solved, what it lacks."""
    low_high = "" if one.without_one is None else f"{one.without_one[0]:.2f} to {one.without_one[1]:.2f}"
    return [
        one.name,
        "" if one.ratio is None else one.bound + with_interval(one.ratio, one.interval, ".2f"),
        low_high,
        *("" if f is None else f.bound + with_interval(f.ratio, f.interval, ".2f") for f in one.families.values()),
        f"{one.solved:.0%}",
        ", ".join(one.missing),
    ]


PAIR_HEADS = ["mean steps A", "B", "A/B [95%]", "p", "Holm", ""]
"""What `pair_cells` are, in their order."""


def pair_cells(pair: "Comparison", adjusted: float, names: tuple[str, str]) -> list[str]:
    """One of several pairs, as every view shows it: both means, ratio, p, adjusted, and what is to be said of it."""
    return [
        *(f"{result.summary.mean_steps:,.0f}" for result in pair.results),
        pair.bound + with_interval(pair.ratio, pair.interval, ".2f"),
        f"{pair.p:.2g}",
        f"{adjusted:.2g}",
        f"{names[pair.ratio > 1]} is faster" if adjusted < SIGNIFICANT else "not told apart",
    ]


def verdict(pair: "Comparison") -> str:
    """One sentence about a pair."""
    first, second = pair.names
    ratio = pair.bound + with_interval(pair.ratio, pair.interval, ".2f")
    tests = f"exact permutation test p = {pair.p:.2g}"
    if pair.adjusted is not None:
        tests += f", adjusted over the board {pair.adjusted:.2g}"
    faster, slower = (first, second) if pair.ratio < 1 else (second, first)
    said = f"{faster} is faster than {slower}" if pair.told_apart else f"{first} and {second} are not told apart"
    return f"{said}: {first} takes {ratio} times the mean steps of {second} ({tests})."


def resolution(pair: "Comparison") -> str:
    """What ratio the seeds of a pair that is not told apart can see, and as many fresh ones as there are."""
    if not pair.solved:
        steps = pair.results[0].config.budget.steps
        return f"No seed of either solves within {steps:,} steps, and beyond them these runs say nothing."
    seeds = len(FRESH_SEEDS)
    now, more = pair.detectable(), pair.detectable(seeds)
    if now is None or more is None:
        return "Neither side varies."
    count = min(result.summary.seeds for result in pair.results)
    said = f"If seeds spread as these do, {count} a side tell a ratio of {now:.2f} apart in four of five tries"
    return f"{said}, {seeds} one of {more:.2f}." if count < seeds else f"{said}."


def verdict_over_levels(found: "LevelComparison") -> str:
    """What two mixers' levels come to together, and where only one of them has been run."""
    first, second = found.names
    told = [pair.ratio < 1 for level, pair in found.pairs.items() if found.adjusted[level] < SIGNIFICANT]
    count = f"{len(found.pairs)} level{'s' * (len(found.pairs) > 1)}"
    said = (
        f"{first} is faster on {sum(told)}, {second} on {len(told) - sum(told)} of {count} (exact permutation "
        "tests, adjusted by Holm over these)."
    )
    if (over := found.overall) is not None and over.ratio is not None and len(over.levels) > 1:
        ratio = over.bound + with_interval(over.ratio, over.interval, ".2f")
        said += f" {first} takes {ratio} times the mean steps of {second} over "
        idle = [level for level in found.pairs if level not in over.levels]
        said += f"{len(over.levels)}, all but {', '.join(idle)}, where no seed of either solved" if idle else "all"
        if len(over.families) > 1:
            said += f"; {', '.join(over.families)} count alike"
        said += ", and the interval is for other seeds on the same levels."
    for name, levels in zip(found.names, found.alone, strict=True):
        if levels:
            said += f" Only {name} has {', '.join(levels)}."
    return said


def sort_rows(rows: "list[BoardRow]", by: str) -> "list[BoardRow]":
    """The rows of a board, best first; by rank they lie already.

    Seconds are of a machine: by them, the entries of one device stand together, those of the most used one first.
    """
    if by == "rank":
        return rows
    if by == "seconds":
        entries = Counter(row["device"] for row in rows)
        return sorted(rows, key=lambda row: (-entries[row["device"]], row["device"], row["seconds"]))
    if by == "solved":
        return sorted(rows, key=lambda row: -row["solved"] / row["seeds"])
    if by == "date":
        return sorted(rows, key=lambda row: row["date"], reverse=True)
    return sorted(rows, key=lambda row: row["mean_steps" if by == "steps" else by])
