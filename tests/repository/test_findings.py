"""What the findings say beside the boards follows from the seeds that are published with it."""

import csv
import math
import re
from collections import Counter
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import fisher_exact

from benchbed import load_overall
from benchbed.boards.entries.entry import load_entry
from benchbed.boards.overall import LevelRatio, over_levels
from benchbed.config.protocol import FRESH_SEEDS
from benchbed.config.tracks import load_track
from benchbed.reporting.wording import bound, with_interval
from benchbed.results.scoring import mean_interval
from benchbed.results.stats import correlation_interval, holm, permutation_p, rank_correlation, ratio_of_means

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("findings", "findings-claims", "findings-mixers", "findings-starts")
PAGE = "\n".join((ROOT / "docs" / f"{name}.md").read_text() for name in PAGES)


def swept(name, column="mixer.start", folder="starts"):
    """min(steps, budget) of every seed of a sweep's table, by the column of its axis."""
    steps: dict[str, list[int]] = {}
    with (ROOT / "docs" / folder / name).open() as file:
        for row in csv.DictReader(file):
            steps.setdefault(row[column], []).append(int(row["steps"] or row["budget"]))
    return steps


def by_start(level, varied) -> dict[Any, list[int]]:
    """min(steps, budget) of every seed by mixer and start: of each mixer's entry, and of its sweep's table."""
    board = ROOT / "leaderboards" / "lite" / level
    return {
        (mixer, start): steps
        for mixer, (name, first) in varied.items()
        for start, steps in ({first: load_entry(board / f"{mixer}.yaml").steps} | swept(name)).items()
    }


def rows_of(steps, pairs, budget=2000):
    """The row of each pair, by how it begins: it says what its two lists of steps say, adjusted over these rows."""
    rows = []
    ps = [permutation_p(steps[a], steps[b]) for a, b in pairs.values()]
    for (name, (a, b)), p, adjusted in zip(pairs.items(), ps, holm(ps), strict=True):
        ratio, interval = ratio_of_means(steps[a], steps[b])
        assert interval is not None
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
        sign = bound(*((sum(step < budget for step in steps[side]), len(steps[side])) for side in (a, b)))
        assert f"| {sign}{ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}] | {p:.2g} | {adjusted:.2g} |" in row
        assert ("not told apart" in row) == (adjusted >= 0.05)
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def starts():
    """min(steps, budget) of every seed, by start; and those of the token MLP's entry."""
    steps = swept("sweep.csv")
    board = ROOT / "leaderboards" / "lite" / "linear_map@s3"
    return steps | {name: load_entry(board / f"{name}.yaml").steps for name in ("mlp_mixer", "multi_head_attention")}


@pytest.fixture(scope="module")
def one_head(starts):
    """The same with one head, by start; and with eight."""
    with (ROOT / "docs" / "starts" / "one-head.csv").open() as file:
        assert {(row["mixer.heads"], row["mixer.start"]) for row in csv.DictReader(file)} == {("1", "torch")}
    entry = ROOT / "leaderboards" / "lite" / "linear_map@s3" / "softmax_attention.yaml"
    steps = {
        ("tensor2tensor", 1): load_entry(entry).steps,
        ("torch", 1): swept("one-head.csv")["torch"],
    }
    return steps | {(start, 8): starts[start] for start in ("tensor2tensor", "torch")}


def test_the_first_start_is_the_boards_seed_by_seed(starts):
    assert starts["tensor2tensor"] == starts["multi_head_attention"]


@pytest.mark.parametrize("start", ["tensor2tensor", "torch", "gpt2"])
def test_how_fast_a_start_is(starts, start):
    steps = starts[start]
    low, high = mean_interval(steps, 2000) or (0, 0)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{start}`: "))
    assert f"| {sum(s < 2000 for s in steps)}/16 |" in row
    assert f"| {sum(steps) / 16:,.0f} [{low:,.0f}, {high:,.0f}] |" in row
    assert f"| {min(steps):,} to {max(steps):,} |" in row or f"| {min(steps):,}, and 4 unsolved |" in row


@pytest.mark.parametrize(
    "pairs",
    [
        [("gpt2", "tensor2tensor"), ("gpt2", "torch"), ("torch", "tensor2tensor")],
        [("torch", "mlp_mixer"), ("tensor2tensor", "mlp_mixer"), ("gpt2", "mlp_mixer")],
    ],
)
def test_how_much_starts_differ(starts, pairs):
    first = "attention with `{}`" if pairs[0][1] == "mlp_mixer" else "`{}`"
    assert len(rows_of(starts, {f"{first.format(a)}, `{b}`": (a, b) for a, b in pairs})) == 3


def test_the_first_page_says_of_starts_what_theirs_says(starts):
    page = (ROOT / "docs" / "findings.md").read_text().partition("\n## How much a start moves a mixer\n")[2]
    for name, start in {"Tensor2Tensor": "tensor2tensor", "`nn.Linear`": "torch", "GPT-2": "gpt2"}.items():
        steps = starts[start]
        ratio, interval = ratio_of_means(steps, starts["mlp_mixer"])
        solved = sum(step < 2000 for step in steps)
        cells = [
            f"{solved}/16",
            with_interval(sum(steps) / 16, mean_interval(steps, 2000)),
            bound((solved, 16), (16, 16)) + with_interval(ratio, interval, ".2f"),
        ]
        row = next(line for line in page.splitlines() if line.startswith(f"| {name}'s"))
        assert row.split(" | ")[1:] == [*cells[:2], f"{cells[2]} |"]


def test_which_mechanism_finds_which_pattern():
    """The table says what the boards of the six levels and of parity say; an empty cell is one that they lack."""
    text = PAGE.partition("## Which mechanism finds which pattern")[2].partition("\n## ")[0]
    (levels,) = re.findall(r"^<!-- overall: lite (.*) -->$", PAGE, flags=re.MULTILINE)
    over = {
        one.name: one.families for one in load_overall("lite", levels=levels.split(), boards=ROOT / "leaderboards")
    }
    rows = [
        [cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines() if "`" in line and "|" in line
    ]
    assert len(rows) == 15
    for name, *cells, parity in ((row[0].strip("`"), *row[1:]) for row in rows):
        for family, cell in zip(("fixed pattern", "content"), cells, strict=True):
            if found := over.get(name, {}).get(family):
                low, high = found.interval or (1, 1)
                shown = f"{found.bound}{found.ratio:.2f} [{low:.2f}, {high:.2f}]"
                assert cell == ("1" if name == "multi_head_attention" else shown)
            else:
                assert cell == ""
        file = ROOT / "leaderboards" / "lite" / "state_tracking@parity" / f"{name}.yaml"
        assert parity == (f"{load_entry(file).result.summary.solved}/16" if file.exists() else "")


@pytest.fixture(scope="module")
def fresh():
    """Steps of the fresh seeds, by level and mixer."""
    steps: dict[tuple[str, str], list[int]] = {}
    for path in (ROOT / "docs" / "fresh-seeds").glob("*.csv"):
        with path.open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row.pop("seed")) for row in rows] == list(FRESH_SEEDS)
        for mixer in rows[0]:
            steps[path.stem.replace("-", "@"), mixer] = [int(row[mixer]) for row in rows]
    return steps


@pytest.mark.parametrize("mixer", ["mlp_mixer", "gated_delta_net", "multi_head_attention"])
def test_how_fast_fresh_seeds_are(fresh, mixer):
    level = "linear_map@s3"
    steps, entry = fresh[level, mixer], load_entry(ROOT / "leaderboards" / "lite" / level / f"{mixer}.yaml")
    low, high = mean_interval(steps, 2000) or (0, 0)
    p = permutation_p(entry.steps, steps)
    assert p in [one.p for one in entry.verifications if one.seeds[0] == FRESH_SEEDS[0]]
    row = f"| `{mixer}` | {sum(steps) / 32:,.0f} [{low:,.0f}, {high:,.0f}] | {min(steps):,} to {max(steps):,} "
    assert f"{row}| {sum(entry.steps) / 16:,.0f} | {p:.2g} |" in PAGE.splitlines()


def test_how_much_mixers_differ_on_fresh_seeds(fresh):
    pairs = [
        ("mlp_mixer", "multi_head_attention"),
        ("gated_delta_net", "multi_head_attention"),
        ("mlp_mixer", "gated_delta_net"),
    ]
    keys = {f"`{a}`, `{b}`, fresh": (("linear_map@s3", a), ("linear_map@s3", b)) for a, b in pairs}
    rows = rows_of(fresh, keys)
    assert all(f"`{a}` is faster" in row for (a, _), row in zip(pairs, rows, strict=True))


def test_pairs_on_the_edge_are_asked_again_of_fresh_seeds(fresh):
    """What the page's table says of them: the board's ratio and p, which lies on the edge, and what 32 others say."""
    text = PAGE.partition("## Pairs on the edge")[2].partition("\n#")[0]
    found = re.findall(r"^\| `(\w+)`, `(\w+)` \| `(\S+)` \|", text, flags=re.MULTILINE)
    assert len(found) == 5
    pairs = {f"`{a}`, `{b}` | `{level}` | {on_board(level, a, b)}": ((level, a), (level, b)) for a, b, level in found}
    for row, sides in zip(rows_of(fresh, pairs), pairs.values(), strict=True):
        means = [f"{sum(fresh[side]) / 32:,.0f}" for side in sides]
        assert f" | {means[0]} | {means[1]} | " in row


def on_board(level, *mixers):
    """How the sixteen seeds of the board compare: a pair on the edge."""
    steps = [load_entry(ROOT / "leaderboards" / "lite" / level / f"{mixer}.yaml").steps for mixer in mixers]
    p = permutation_p(*steps)
    assert 0.02 <= p <= 0.1
    return f"{ratio_of_means(*steps)[0]:.2f}, {p:.2g}"


@pytest.mark.parametrize("start", ["tensor2tensor", "torch"])
def test_how_fast_one_head_is(one_head, start):
    steps = one_head[start, 1]
    low, high = mean_interval(steps, 2000) or (0, 0)
    solved = sorted(step for step in steps if step < 2000)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{start}`, 1 |"))
    assert f"| {len(solved)}/16 | {sum(steps) / 16:,.0f} [{low:,.0f}, {high:,.0f}] |" in row
    assert f"| {' to '.join(dict.fromkeys(map(str, (solved[0], solved[-1]))))} |" in row


def test_how_much_heads_and_starts_differ(one_head):
    pairs = {
        "`tensor2tensor`, one head, eight heads": (("tensor2tensor", 1), ("tensor2tensor", 8)),
        "`torch`, one head, eight heads": (("torch", 1), ("torch", 8)),
        "one head, `tensor2tensor`, `torch`": (("tensor2tensor", 1), ("torch", 1)),
    }
    assert all("slower" in row for row in rows_of(one_head, pairs))


@pytest.fixture(scope="module")
def bits16():
    """min(steps, budget) of every seed on 16 bits: `torch`'s start, the board's attention and its token MLP."""
    board = ROOT / "leaderboards" / "lite" / "linear_map@bits16"
    entries = {"tensor2tensor": "multi_head_attention", "mlp_mixer": "mlp_mixer", "static_mixer": "static_mixer"}
    return swept("bits16.csv") | {key: load_entry(board / f"{name}.yaml").steps for key, name in entries.items()}


@pytest.mark.parametrize("start", ["tensor2tensor", "torch"])
def test_how_fast_a_start_is_on_16_bits(bits16, start):
    steps = bits16[start]
    low, high = mean_interval(steps, 10_000) or (0, 0)
    solved = [step for step in steps if step < 10_000]
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{start}`, 16 bits |"))
    assert f"| {len(solved)}/16 | {sum(steps) / 16:,.0f} [{low:,.0f}, {high:,.0f}] |" in row
    assert f"| {min(solved):,} to {max(solved):,} | 3e-4 |" in row


def test_how_much_starts_and_mixers_differ_on_16_bits(bits16):
    """The token MLP is ahead of attention with either start; `static_mixer` of the better one not."""
    pairs = {
        "`torch`, `tensor2tensor`, 16 bits": ("torch", "tensor2tensor"),
        "attention with `torch`, `mlp_mixer`, 16 bits": ("torch", "mlp_mixer"),
        "attention with `tensor2tensor`, `mlp_mixer`, 16 bits": ("tensor2tensor", "mlp_mixer"),
        "attention with `torch`, `static_mixer`, 16 bits": ("torch", "static_mixer"),
    }
    assert ["slower" in row for row in rows_of(bits16, pairs, 10_000)] == [True, True, True, False]


def test_steps_by_the_number_of_heads():
    """Each row: the means of 1, 2, 4 and 8 heads, and whether steps rise with heads; 1 and 8 are entries."""
    lines = PAGE.partition("| level | 1 head | 2 heads | 4 heads | 8 heads |")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    assert len(rows) == 6
    trends = []
    for name, *_ in rows:
        level = name.strip("`")
        folder = ROOT / "leaderboards" / "lite" / level
        steps = {
            1: load_entry(folder / "softmax_attention.yaml").steps,
            **{
                int(heads): mine
                for heads, mine in swept(f"{level.replace('@', '-')}.csv", "mixer.heads", "heads").items()
            },
            8: load_entry(folder / "multi_head_attention.yaml").steps,
        }
        assert list(steps) == [1, 2, 4, 8]
        cells = []
        for mine in steps.values():
            solved = sum(step < 2000 for step in mine)
            mean = with_interval(sum(mine) / 16, mean_interval(mine, 2000))
            cells.append(mean if solved == 16 else f"> {mean} ({solved}/16)")
        x = [heads for heads, mine in steps.items() for _ in mine]
        r, p = rank_correlation(x, [step for mine in steps.values() for step in mine])
        trends.append((cells, r, correlation_interval(r, len(x)), p))
    for row, (cells, r, interval, p), adjusted in zip(rows, trends, holm([t[-1] for t in trends]), strict=True):
        assert interval is not None
        trend = f"{r:+.2f} [{interval[0]:+.2f}, {interval[1]:+.2f}]"
        assert row[1:] == [*cells, trend, f"{p:.2g}", f"{adjusted:.2g}"]


def test_steps_by_the_width_of_keys():
    """Recall of six pairs, by heads and channels of a key: two entries and two sweeps, and what tells them apart."""
    folder = ROOT / "leaderboards" / "lite" / "associative_recall@capacity"
    steps = {
        (1, 64): load_entry(folder / "softmax_attention.yaml").steps,
        (1, 8): swept("keys-1x8.csv", "mixer.key", "heads")["8"],
        (8, 64): swept("keys-8x64.csv", "mixer.key", "heads")["64"],
        (8, 8): load_entry(folder / "multi_head_attention.yaml").steps,
    }
    for (heads, key), mine in steps.items():
        solved = [step for step in mine if step < 2000]
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {heads} | {key} |"))
        mean = with_interval(sum(mine) / 16, mean_interval(mine, 2000))
        assert f"| {len(solved)}/16 | {mean} | {min(solved):,} to {max(solved):,} |" in row
    pairs: dict[str, tuple[Any, Any]] = {
        "keys of 8, one head, keys of 64": ((1, 8), (1, 64)),
        "keys of 8, eight heads, keys of 64": ((8, 8), (8, 64)),
        "eight heads, keys of 64, one head": ((8, 64), (1, 64)),
        "eight heads, keys of 8, one head": ((8, 8), (1, 8)),
    }
    rows_of(steps, pairs)


VARIED = {
    "mlp_mixer": ("token-mlp.csv", "flax"),
    "gmlp": ("spatial-gate.csv", "timm"),
    "static_mixer": ("static.csv", "torch"),
}
"""The seeds of other starts of a mixer, and the start of its entry."""


@pytest.fixture(scope="module")
def varied():
    """min(steps, budget) of every seed of three mixers on the map of 8 bits, by mixer and start."""
    return by_start("linear_map@s3", VARIED)


@pytest.mark.parametrize("mixer", VARIED)
def test_how_fast_other_starts_of_three_mixers_are(varied, mixer):
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{mixer}` | `")]
    mine = {start: steps for (name, start), steps in varied.items() if name == mixer}
    assert len(rows) == len(mine) >= 2
    for row, (start, steps) in zip(rows, mine.items(), strict=True):
        low, high = mean_interval(steps, 2000) or (0, 0)
        solved = [step for step in steps if step < 2000]
        steps_of = f"{min(solved):,} to {max(solved):,}" if solved else "none"
        mean = f"{sum(steps) / 16:,.0f} [{low:,.0f}, {high:,.0f}]"
        assert row.startswith(f"| `{mixer}` | `{start}` | {len(solved)}/16 | {mean} | {steps_of} |")


def test_how_much_starts_of_three_mixers_differ(varied, starts):
    pairs: dict[str, tuple[Any, Any]] = {
        f"`{mixer}`, `{start}`, `{VARIED[mixer][1]}`": ((mixer, start), (mixer, VARIED[mixer][1]))
        for mixer, start in varied
        if start not in (VARIED[mixer][1], "lucidrains")  # which solves no seed, as the entry
    }
    pairs["`static_mixer` with `tensor2tensor`, attention with the same"] = (
        ("static_mixer", "tensor2tensor"),
        "attention",
    )
    assert len(rows_of(varied | {"attention": starts["multi_head_attention"]}, pairs)) == 5


RECURRENCES = {
    "gated_delta_net": ("gated-delta.csv", "fla"),
    "rwkv7": ("time-mix.csv", "rwkv-lm"),
    "xlstm": ("matrix-memory.csv", "xlstm"),
    "linear_rnn": ("griffin.csv", "recurrentgemma"),
}
"""The seeds of other starts of a recurrence on recall of four pairs, and the start of its entry."""


@pytest.fixture(scope="module")
def recurrences():
    """min(steps, budget) of every seed of four recurrences on recall of four pairs, by mixer and start."""
    entry = ROOT / "leaderboards" / "lite" / "associative_recall@multi" / "multi_head_attention.yaml"
    return by_start("associative_recall@multi", RECURRENCES) | {"attention": load_entry(entry).steps}


def test_how_fast_other_starts_of_recurrences_are(recurrences):
    """A row a start: its seeds, and its ratio to the board's attention."""
    table = PAGE.partition("| recurrence | start |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    attention = recurrences["attention"]
    mine = {key: steps for key, steps in recurrences.items() if key != "attention"}
    assert len(rows) == len(mine) == 12
    for row, ((mixer, start), steps) in zip(rows, mine.items(), strict=True):
        solved = [step for step in steps if step < 2000]
        mean = with_interval(sum(steps) / 16, mean_interval(steps, 2000))
        sign = bound(*((sum(step < 2000 for step in side), 16) for side in (steps, attention)))
        ratio = sign + with_interval(*ratio_of_means(steps, attention), ".2f")
        between = f"{min(solved):,} to {max(solved):,}"
        assert row.startswith(f"| `{mixer}` | `{start}` | {len(solved)}/16 | {mean} | {between} | {ratio} |")


def test_how_much_starts_of_recurrences_differ(recurrences):
    pairs: dict[str, tuple[Any, Any]] = {
        f"`{mixer}`, `{start}`, `{RECURRENCES[mixer][1]}`": ((mixer, start), (mixer, RECURRENCES[mixer][1]))
        for mixer, start in (key for key in recurrences if key != "attention")
        if start != RECURRENCES[mixer][1]
    }
    assert len(rows_of(recurrences, pairs)) == 8


def test_a_pair_by_the_starts_of_both(varied, starts):
    """A cell is the ratio of the token MLP with one start to attention with another; bold where Holm's p is small."""
    rows = {
        start: next(line for line in PAGE.splitlines() if line.startswith(f"| token MLP, `{start}` |"))
        for start in ("flax", "timm", "torch")
    }
    columns = ("tensor2tensor", "torch", "gpt2")
    pairs = {(mine, theirs): (varied["mlp_mixer", mine], starts[theirs]) for mine in rows for theirs in columns}
    adjusted = dict(zip(pairs, holm([permutation_p(*pair) for pair in pairs.values()]), strict=True))
    for mine, row in rows.items():
        for theirs, cell in zip(columns, row.split("|")[2:-1], strict=True):
            sides = pairs[mine, theirs]
            sign = bound(*((sum(step < 2000 for step in side), 16) for side in sides))
            shown = sign + with_interval(*ratio_of_means(*sides), ".2f")
            assert cell.strip() == (f"**{shown}**" if adjusted[mine, theirs] < 0.05 else shown)


def test_gmlp_leaves_its_plateau_from_one_start_alone():
    with (ROOT / "docs" / "starts" / "spatial-gate.csv").open() as file:
        ends = {start: [] for start in ("lucidrains", "torch")}
        for row in csv.DictReader(file):
            ends[row["mixer.start"]].append(row["plateau_end"])
    entry = load_entry(ROOT / "leaderboards" / "lite" / "linear_map@s3" / "gmlp.yaml").result
    assert {row.plateau_end for row in [*entry.members, *entry.tuning]} == {None}
    assert set(ends["lucidrains"]) == {""}
    left = [sum(end != "" for end in ends["torch"]), sum(row.plateau_end is not None for row in entry.members)]
    _, p = fisher_exact([left, [16 - count for count in left]])
    assert f"(Fisher's exact p = {p:.2g})" in PAGE
    assert (
        f"from that of `nn.Linear` it leaves it in all sixteen, by step {max(map(int, ends['torch']))} at the latest"
        in PAGE
    )


@pytest.fixture(scope="module")
def six():
    """min(steps, budget) of every seed by level of the six and mixer, and of attention with `torch`'s start."""
    (levels,) = re.findall(r"^<!-- overall: lite (.*) -->$", PAGE, flags=re.MULTILINE)
    steps = {}
    for level in levels.split():
        folder = ROOT / "leaderboards" / "lite" / level
        steps |= {(level, path.stem): load_entry(path).steps for path in folder.glob("*.yaml")}
        other = "sweep.csv" if level == "linear_map@s3" else f"{level.replace('@', '-')}.csv"
        steps[level, "torch"] = swept(other)["torch"]
    return levels.split(), steps


def test_the_other_start_on_six_levels(six):
    """Each row says both means, their ratio and its test, and whether it tells the starts apart."""
    levels, steps = six
    pairs = {
        f"`torch`, `tensor2tensor`, `{level}`": ((level, "torch"), (level, "multi_head_attention"))
        for level in levels
    }
    for row, (mine, theirs) in zip(rows_of(steps, pairs), pairs.values(), strict=True):
        assert f"| {sum(steps[mine]) / 16:,.0f} | {sum(steps[theirs]) / 16:,.0f} |" in row


def test_who_is_ahead_of_attention_with_the_other_start_over_six_levels(six):
    levels, steps = six
    text = PAGE.partition("Over the six levels the other mixers")[2].partition("\n- ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    complete = [name for name in {name for _, name in steps} if all((level, name) in steps for level in levels)]
    assert {name.strip("`") for name, *_ in rows} == {*complete} - {"torch"}
    for name, *cells in rows:
        ratios = {}
        for level in levels:
            mine, other = steps[level, name.strip("`")], steps[level, "torch"]
            mark = bound(*((sum(step < 2000 for step in side), 16) for side in (mine, other)))
            ratio, interval = ratio_of_means(mine, other)
            ratios[level] = LevelRatio(ratio, mark, interval, sum(step < 2000 for step in mine), 16, mine, 2000)
        found = over_levels(name, ratios, load_track("lite"))
        assert found.ratio is not None
        shown = [found, found.families["fixed pattern"], found.families["content"]]
        assert cells == [f"{one.bound}{with_interval(one.ratio, one.interval, '.2f')}" for one in shown]  # pyright: ignore


def test_what_is_said_of_the_agreement_of_levels_stands_in_the_table_above_it():
    table = PAGE.partition("<!-- agreement: lite")[2].partition("<!-- /agreement -->")
    cells = re.findall(r"^\| `(\S+)`, `(\S+)` \| \d+ \| (\S+) \[(\S+), (\S+)\] \|", table[0], flags=re.MULTILINE)
    found = {(first, second): numbers for first, second, *numbers in cells}
    content = ("associative_recall@multi", "associative_recall@capacity", "selective_copy@four")
    of_map = [found["linear_map@s3", level] for level in content]
    said = " ".join(table[2].partition("\n## ")[0].split())
    assert f"({', '.join(numbers[0] for numbers in of_map)})" in said
    low, high = min(float(numbers[1]) for numbers in of_map), max(float(numbers[2]) for numbers in of_map)
    assert f"the intervals allow {low:+.2f} to {high:+.2f}" in said
    both = found["associative_recall@multi", "associative_recall@capacity"]
    assert f"({both[0]} [{both[1]}, {both[2]}]" in said


def test_every_interval_in_a_sentence_stands_in_a_table():
    """Tables are rendered, or recomputed by a test; a sentence would go on saying what they said last week."""
    older = (ROOT / "docs" / "findings-lite-1.md").read_text()
    tables = "\n".join(line for line in [*PAGE.splitlines(), *older.splitlines()] if line.startswith("|"))
    pages = PAGE + (ROOT / "docs" / "suites.md").read_text()
    sentences = " ".join(line.strip() for line in pages.splitlines() if not line.startswith("|"))
    number = r"[+-]?[\d,]*\d(?:\.\d+)?"
    said = re.findall(rf"{number} \[{number}, {number}\]", sentences)
    assert len(said) > 5
    assert [interval for interval in said if interval not in tables] == []


def test_what_sixteen_seeds_can_see_is_said_as_the_table_has_it():
    table, _, after = PAGE.partition("<!-- levels: lite")[2].partition("<!-- /levels -->")
    found = dict(re.findall(r"^\| `(\S+)` \|.*\| ([\d.]+) \|$", table, flags=re.MULTILINE))
    for called, kinds in {
        "the automaton and on induction a ratio of": ["cellular_automata", "induction"],
        "recall and copying of": ["associative_recall", "selective_copy"],
        "the maps of": ["linear_map"],
    }.items():
        ratios = [ratio for level, ratio in found.items() if level.partition("@")[0] in kinds]
        assert len(ratios) >= 2
        assert f"on {called} {min(ratios)} to {max(ratios)}" in after


def test_how_full_the_boards_are():
    """What is open once said 'one or two' of a level with four."""
    home = ROOT / "leaderboards" / "lite"
    boards = {folder.name: len([*folder.glob("*.yaml")]) for folder in home.glob("*/")}
    assert sum(count >= 9 for count in boards.values()) == 7
    assert (len(boards), boards["linear_map@bits16"]) == (13, 7)
    assert sum(count == 1 for count in boards.values()) == 5
    assert "Of thirteen levels seven have nine mixers or more, 16 bits have seven, the others one" in PAGE

    (levels,) = re.findall(r"^<!-- matrix: lite (.*) -->$", PAGE, flags=re.MULTILINE)
    papers = ("multi_head_attention", "mlp_mixer", "mamba", "gated_delta_net", "rwkv7", "xlstm", "linear_rnn")
    wanted = [(level, mixer) for level in levels.split() for mixer in (*papers, "static_mixer", "gmlp")]
    assert [cell for cell in wanted if not (home / cell[0] / f"{cell[1]}.yaml").exists()] == [
        ("linear_map@bits16", "mamba"),
        ("linear_map@bits16", "rwkv7"),
    ]
    assert "`rwkv7` and `mamba` on 16 bits." in PAGE

    results = [load_entry(path).result for path in home.glob("*/*.yaml")]
    seconds = {device: sum(r.seconds for r in results if r.config.device == device) for device in ("cpu", "cuda")}
    hours, minutes = seconds["cpu"] / 3600, seconds["cuda"] / 60
    assert f"took two CPU cores {hours:.0f} hours and an H100 {minutes:.0f} minutes" in PAGE


def test_how_much_weight_decay_can_take_is_said_as_entries_have_it():
    taken = {}
    for path in (ROOT / "leaderboards" / "lite").glob("*/*.yaml"):
        result = load_entry(path).result
        rate = result.learning_rate * result.config.optimiser.weight_decay
        taken[path.parent.name, path.stem] = 1 - math.exp(-rate * result.summary.mean_steps)
    most = sorted(taken.items(), key=lambda one: -one[1])
    assert [name for name, _ in most[:3]] == [
        ("associative_recall@capacity", "mlp_mixer"),
        ("state_tracking@parity", "mlp_mixer"),
        ("state_tracking@parity", "rwkv7"),
    ]
    recall, mlp, rwkv, rest = (f"{share:.0%}" for _, share in most[:4])
    page = (ROOT / "docs" / "zoo.md").read_text()
    assert f"at most {rest} in all but three: `mlp_mixer` on recall of six pairs ({recall})" in page
    assert f" and on parity ({mlp}), which it solves in no seed, and `rwkv7` on parity ({rwkv})" in page


def loss_without_a_key(pairs, *, each_once=True, draws=None):
    """The mean loss of the best guess of as many answers, for who sees which values the pairs have, and no key.

    An order of queries is seen by the values that were answered, and has a chance: of `AssociativeRecall` with each
    key once, each pair draws one of the places that are left, the x-th with a weight of x^-0.99. With `draws` so many
    draws of values stand for all.
    """
    if each_once:
        places = np.array([*permutations(range(pairs))])  # of each pair
        weights = (places + 1.0) ** -0.99
        chances = (weights / weights[:, ::-1].cumsum(1)[:, ::-1]).prod(1)
        orders = places.argsort(1)  # the pair of each query
    else:
        orders = np.array([*product(range(pairs), repeat=pairs)])
        chances = np.full(len(orders), 1 / len(orders))
    assert chances.sum() == pytest.approx(1)
    random = np.random.default_rng(0)
    drawn = random.integers(pairs, size=(draws, pairs)) if draws else product(range(pairs), repeat=pairs)
    alike = Counter(tuple(map(tuple(values).index, values)) for values in drawn)
    found = 0.0
    for values, count in alike.items():
        digits = np.array(values)[orders] * pairs ** np.arange(pairs)
        sequences, which = np.unique(digits.sum(1), return_inverse=True)
        assert not each_once or len(np.unique(digits[:, :-1].sum(1))) == len(sequences), "the last one is certain"
        answers = np.bincount(which, chances)
        found -= count / alike.total() * float(answers @ np.log(answers))
    return found / pairs


def test_who_does_not_solve_recall_ends_where_counting_values_does():
    four, six = loss_without_a_key(4, each_once=False), loss_without_a_key(6)
    assert f"a loss of {six:.3f} there, of {math.log(6):.3f} by chance" in PAGE
    assert f"of four pairs {four:.3f}, of {math.log(4):.3f} " in PAGE

    def near(level, loss, *mixers):
        """How many unsolved seeds end within 0.03 of a loss, and of how many."""
        board = ROOT / "leaderboards" / "lite" / f"associative_recall@{level}"
        rows = [row for mixer in mixers for row in load_entry(board / f"{mixer}.yaml").result.members]
        losses = [row.final_loss for row in rows if row.steps is None and row.final_loss is not None]
        return sum(abs(found - loss) < 0.03 for found in losses), len(losses)

    there, unsolved = near("capacity", six, "static_mixer", "gmlp", "linear_rnn", "xlstm")
    assert f"on six pairs {there} of the {unsolved} unsolved seeds of `static_mixer`, `gmlp`, `linear_rnn`" in PAGE
    assert near("capacity", six, "mlp_mixer") == (5, 16)
    assert near("capacity", six, "mamba") == (2, 8)
    mamba = load_entry(ROOT / "leaderboards" / "lite" / "associative_recall@capacity" / "mamba.yaml").result.members
    assert f"leave chance by step {max(row.plateau_end or math.inf for row in mamba)}" in PAGE
    there, unsolved = near("multi", four, "static_mixer", "gmlp")
    assert f"on four pairs {there} of the {unsolved} of `static_mixer` and `gmlp`" in PAGE

    cells = yaml.safe_load((ROOT / "docs" / "paper" / "recall-state-quick" / "numbers.yaml").read_text())["cells"]
    eight_pairs = [cell for cell in cells if cell["line"] == "8 pairs"]
    seeds = [seed for cell in eight_pairs for seed in zip(cell["steps"], cell["final_loss"], strict=True)]
    unsolved = [loss for steps, loss in seeds if steps == 1500]
    eight = loss_without_a_key(8, draws=200) / math.log(8)
    there = [loss for loss in unsolved if abs(loss - eight) < 0.025]
    page = " ".join((ROOT / "docs" / "paper.md").read_text().split())
    found = f"Of the {len(unsolved)} that do not solve it {len(there)} have found no key: they end at"
    assert f"{found} {min(there):.2f} to {max(there):.2f} of the loss of chance" in page
    assert f"the best guess without a look at any key has {eight:.2f}" in page


def test_levels_are_nearly_independent_as_the_overall_interval_takes_them(six):
    levels, steps = six
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    names = {name for _, name in steps if name != "torch"}
    logs = {key: np.log(found) for key, found in steps.items() if len(set(found)) > 1}
    found = [
        np.corrcoef(logs[first, name], logs[second, name])[0, 1]
        for name in names
        for first, second in combinations(levels, 2)
        if {(first, name), (second, name)} <= logs.keys()
    ]
    assert f"a mean correlation of {np.mean(found):+.2f} on" in " ".join(protocol.split())
    assert f"({len(found)} pairs of levels of {len(names)} mixers)" in protocol


def test_who_takes_the_fewest_steps_over_the_levels_of_the_readmes_picture():
    text = (ROOT / "README.md").read_text()
    (levels,) = re.findall(r"^<!-- picture: lite (.*) -->$", text, flags=re.MULTILINE)
    found = [one for one in load_overall("lite", levels=levels.split(), boards=ROOT / "leaderboards") if one.ratio]
    first, second, third = sorted(found, key=lambda one: one.ratio or 0)[:3]
    assert f"`{first.name}` and `{second.name}` take the fewest steps [over these six levels]" in text
    assert third.name == "multi_head_attention"
    assert len(levels.split()) == 6
    (page,) = re.findall(r"^<!-- overall: lite (.*) -->$", PAGE, flags=re.MULTILINE)
    assert page == levels, "the page that it links to is about the same six"
    assert len(found) == 10
    assert "The six levels that ten mixers have all run" in PAGE
    assert "which ten mixers have run" in (ROOT / "leaderboards" / "README.md").read_text()
