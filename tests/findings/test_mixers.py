"""What is said of mixers beside attention follows from the seeds that are published with it."""

import csv
import math
import re
from itertools import combinations

import numpy as np
import pytest
import yaml
from counting import loss_without_a_key
from published import BOARDS, ROOT, entry_steps, page, rows_of, swept

from benchbed.boards.entries.entry import load_entry
from benchbed.config.protocol import FRESH_SEEDS
from benchbed.results.scoring import mean_interval
from benchbed.results.stats import permutation_p, ratio_of_means

PAGE = page("findings-mixers")


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
    steps, entry = fresh[level, mixer], load_entry(BOARDS / level / f"{mixer}.yaml")
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
    rows = rows_of(PAGE, fresh, keys)
    assert all(f"`{a}` is faster" in row for (a, _), row in zip(pairs, rows, strict=True))


def test_pairs_on_the_edge_are_asked_again_of_fresh_seeds(fresh):
    """What the page's table says of them: the board's ratio and p, which lies on the edge, and what 32 others say."""
    text = PAGE.partition("## Pairs on the edge")[2].partition("\n#")[0]
    found = re.findall(r"^\| `(\w+)`, `(\w+)` \| `(\S+)` \|", text, flags=re.MULTILINE)
    assert len(found) == 5
    pairs = {f"`{a}`, `{b}` | `{level}` | {on_board(level, a, b)}": ((level, a), (level, b)) for a, b, level in found}
    for row, sides in zip(rows_of(PAGE, fresh, pairs), pairs.values(), strict=True):
        means = [f"{sum(fresh[side]) / 32:,.0f}" for side in sides]
        assert f" | {means[0]} | {means[1]} | " in row


def on_board(level, *mixers):
    """How the sixteen seeds of the board compare: a pair on the edge."""
    steps = [entry_steps(level, mixer) for mixer in mixers]
    p = permutation_p(*steps)
    assert 0.02 <= p <= 0.1
    return f"{ratio_of_means(*steps)[0]:.2f}, {p:.2g}"


def test_models_of_equal_size_beside_the_entries():
    """What the page's two tables say of models with attention's number of parameters: both, and the test."""
    text = PAGE.partition("## Equal size")[2].partition("\n## ")[0]
    steps: dict[tuple[str, ...], list[int]] = {}
    pairs = {}
    for path in sorted((ROOT / "docs" / "sizes").glob("*.csv")):
        level = path.stem.replace("-", "@")
        with path.open() as file:
            sizes = {row["mixer"]: int(row["parameters"]) for row in csv.DictReader(file)}
        attention = load_entry(BOARDS / level / "multi_head_attention.yaml").result
        steps[level, "attention"] = entry_steps(level, "multi_head_attention")
        for mixer, found in swept(path.name, "mixer", "sizes").items():
            assert sizes[mixer] == pytest.approx(attention.costs.parameters, rel=0.002)
            own = load_entry(BOARDS / level / f"{mixer}.yaml")
            low, high = mean_interval(found, 2000) or (0, 0)
            solved = sum(step < 2000 for step in found)
            row = f"| `{mixer}` | `{level}` | {own.result.costs.parameters:,} | {sizes[mixer]:,} "
            row += f"| {sum(own.steps) / 16:,.0f} | {sum(found) / 16:,.0f} [{low:,.0f}, {high:,.0f}] | {solved}/16 |"
            assert row in text
            steps |= {(level, mixer, "equal"): found, (level, mixer): own.steps}
            name = f"`{mixer}` at equal size"
            pairs[f"{name}, its entry | `{level}`"] = ((level, mixer, "equal"), (level, mixer))
            pairs[f"{name}, `multi_head_attention` | `{level}`"] = ((level, mixer, "equal"), (level, "attention"))
    assert len(rows_of(text, steps, pairs)) >= 8


def test_at_which_rate_a_model_of_equal_size_is_slow():
    """The page's small table: one mixer at two sizes and two rates, one of the four its entry."""
    text = PAGE.partition("## Equal size")[2].partition("\n## ")[0]
    own = load_entry(BOARDS / "linear_map@s3" / "gated_delta_net.yaml")
    cells = {(own.result.costs.parameters, own.result.learning_rate): own.steps}
    for name in ("rates/gated_delta_net.csv", "linear_map-s3.csv"):
        with (ROOT / "docs" / "sizes" / name).open() as file:
            rows = [row for row in csv.DictReader(file) if row["mixer"] == "gated_delta_net"]
        for row in rows:
            steps = cells.setdefault((int(row["parameters"]), float(row["learning_rate"])), [])
            steps.append(int(row["steps"] or row["budget"]))
    for size in sorted({size for size, _ in cells}):
        row = f"| {size:,} parameters "
        for steps in (cells[size, 3e-4], cells[size, 3e-3]):
            low, high = mean_interval(steps, 2000) or (0, 0)
            solved = sum(step < 2000 for step in steps)
            row += f"| {sum(steps) / 16:,.0f} [{low:,.0f}, {high:,.0f}], {solved}/16 "
        assert row in text
    neighbours = [(a, b) for a, b in combinations(cells, 2) if (a[0] == b[0]) != (a[1] == b[1])]
    assert len(neighbours) == 4
    ps = [permutation_p(cells[a], cells[b]) for a, b in neighbours]
    assert f"(p = {min(ps):.2g} to {max(ps):.2g}, not adjusted)" in text
    smaller = cells[min(size for size, _ in cells), 3e-4]
    attention = permutation_p(smaller, entry_steps("linear_map@s3", "multi_head_attention"))
    assert f"from attention (p = {attention:.2g})" in text


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


def test_who_does_not_solve_recall_ends_where_counting_values_does():
    four, six = loss_without_a_key(4, each_once=False), loss_without_a_key(6)
    assert f"a loss of {six:.3f} there, of {math.log(6):.3f} by chance" in PAGE
    assert f"of four pairs {four:.3f}, of {math.log(4):.3f} " in PAGE

    def near(level, loss, *mixers):
        """How many unsolved seeds end within 0.03 of a loss, and of how many."""
        board = BOARDS / f"associative_recall@{level}"
        rows = [row for mixer in mixers for row in load_entry(board / f"{mixer}.yaml").result.members]
        losses = [row.final_loss for row in rows if row.steps is None and row.final_loss is not None]
        return sum(abs(found - loss) < 0.03 for found in losses), len(losses)

    there, unsolved = near("capacity", six, "static_mixer", "gmlp", "linear_rnn", "xlstm")
    assert f"on six pairs {there} of the {unsolved} unsolved seeds of `static_mixer`, `gmlp`, `linear_rnn`" in PAGE
    assert near("capacity", six, "mlp_mixer") == (5, 16)
    assert near("capacity", six, "mamba") == (2, 8)
    mamba = load_entry(BOARDS / "associative_recall@capacity" / "mamba.yaml").result.members
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
