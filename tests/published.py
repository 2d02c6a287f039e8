"""What is published of seeds: boards' entries and tables in `docs/`, and the pages that must say what these say."""

import csv
import re
from pathlib import Path
from typing import Any

from benchbed.boards.entries.entry import load_entry
from benchbed.reporting.wording import bound
from benchbed.results.stats import holm, permutation_p, ratio_of_means

ROOT = Path(__file__).resolve().parents[1]
BOARDS = ROOT / "leaderboards" / "lite"


def page(name):
    """The text of a page of `docs/`."""
    return (ROOT / "docs" / f"{name}.md").read_text()


def levels_of(marker, text):
    """The levels of `lite` that a text's one marker of this kind names."""
    (levels,) = re.findall(rf"^<!-- {marker}: lite (.*) -->$", text, flags=re.MULTILINE)
    return levels.split()


def entry_steps(level, mixer):
    """min(steps, budget) of every seed of an entry of `lite`."""
    return load_entry(BOARDS / level / f"{mixer}.yaml").steps


def swept(name, column="mixer.start", folder="starts"):
    """min(steps, budget) of every seed of a sweep's table, by the column of its axis."""
    steps: dict[str, list[int]] = {}
    with (ROOT / "docs" / folder / name).open() as file:
        for row in csv.DictReader(file):
            steps.setdefault(row[column], []).append(int(row["steps"] or row["budget"]))
    return steps


def by_start(level, varied) -> dict[Any, list[int]]:
    """min(steps, budget) of every seed by mixer and start: of each mixer's entry, and of its sweep's table."""
    return {
        (mixer, start): steps
        for mixer, (name, first) in varied.items()
        for start, steps in ({first: entry_steps(level, mixer)} | swept(name)).items()
    }


def rows_of(text, steps, pairs, budget=2000):
    """A text's row of each pair, by how it begins: it says what two lists of steps say, adjusted over these rows."""
    rows = []
    ps = [permutation_p(steps[a], steps[b]) for a, b in pairs.values()]
    for (name, (a, b)), p, adjusted in zip(pairs.items(), ps, holm(ps), strict=True):
        ratio, interval = ratio_of_means(steps[a], steps[b])
        assert interval is not None
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        sign = bound(*((sum(step < budget for step in steps[side]), len(steps[side])) for side in (a, b)))
        assert f"| {sign}{ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}] | {p:.2g} | {adjusted:.2g} |" in row
        assert ("not told apart" in row) == (adjusted >= 0.05)
        rows.append(row)
    return rows
