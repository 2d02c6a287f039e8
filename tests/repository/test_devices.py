"""What docs/protocol.md says that another machine moves is what the rows beside it say."""

import csv
from itertools import groupby
from pathlib import Path
from statistics import mean

import pytest

from benchbed.boards.entries.entry import load_entry
from benchbed.results.stats import paired_p

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs" / "protocol.md").read_text().split())


def rows(name):
    with (ROOT / "docs" / "devices" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def of_entry(row):
    return row["level"], row["mixer"]


def test_what_another_vendors_cpu_moves():
    tables = [(key, list(found)) for key, found in groupby(rows("cpus"), of_entry)]
    assert len(tables) >= 5
    for (level, mixer), found in tables:
        first, second = ([int(row[column]) for row in found] for column in ("amd", "intel"))
        assert first == load_entry(ROOT / "leaderboards" / "lite" / level / f"{mixer}.yaml").steps
        same = sum(a == b for a, b in zip(first, second, strict=True))
        most = max(abs(a - b) for a, b in zip(first, second, strict=True))
        p = "" if first == second else f"{paired_p(first, second):.2g}"
        means = f"{mean(first):,.0f} | {mean(second):,.0f}"
        line = f"| `{mixer}` | `{level}` | {same} of {len(first)} | {most:,} | {means} | {p} |"
        assert line.replace("|  |", "| |") in PAGE


@pytest.mark.parametrize(("rate", "short"), [("0.0003", "3e-4"), ("0.001", "1e-3"), ("0.003", "3e-3")])
def test_what_a_gpu_moves(rate, short):
    tuning = [row for row in rows("attention") if row["stage"] == "tuning"]
    cpu, gpu = (
        {(row["learning_rate"], row["seed"]): row for row in tuning if row["engine"] == engine}
        for engine in ("loop", "graph")
    )
    both = cpu.keys() & gpu.keys()
    assert len(both) == 24
    assert all(cpu[key]["plateau_end"] == gpu[key]["plateau_end"] for key in both)
    steps = [
        abs(int(cpu[key]["steps"]) - int(gpu[key]["steps"]))
        for key in both
        if key[0] == rate and cpu[key]["status"] == gpu[key]["status"] == "solved"
    ]
    assert f"{max(steps)} at {short} ({len(steps)}" in PAGE
