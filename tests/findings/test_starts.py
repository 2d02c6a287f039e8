"""What is said of starts follows from the seeds that are published with it."""

import csv
from typing import Any

import pytest
from counting import loss_without_a_key
from published import BOARDS, ROOT, by_start, entry_steps, page, rows_of, swept
from scipy.stats import fisher_exact

from benchbed.boards.entries.entry import load_entry
from benchbed.boards.overall import LevelRatio, over_levels
from benchbed.config.tracks import load_track
from benchbed.reporting.wording import bound, with_interval
from benchbed.results.scoring import mean_interval
from benchbed.results.stats import holm, permutation_p, ratio_of_means

PAGE = page("findings-starts")


@pytest.fixture(scope="module")
def one_head(starts):
    """The same with one head, by start; and with eight."""
    with (ROOT / "docs" / "starts" / "one-head.csv").open() as file:
        assert {(row["mixer.heads"], row["mixer.start"]) for row in csv.DictReader(file)} == {("1", "torch")}
    steps = {
        ("tensor2tensor", 1): entry_steps("linear_map@s3", "softmax_attention"),
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
    assert len(rows_of(PAGE, starts, {f"{first.format(a)}, `{b}`": (a, b) for a, b in pairs})) == 3


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
    assert all("slower" in row for row in rows_of(PAGE, one_head, pairs))


@pytest.fixture(scope="module")
def bits16():
    """min(steps, budget) of every seed on 16 bits: `torch`'s start, the board's attention and its token MLP."""
    level = "linear_map@bits16"
    entries = {"tensor2tensor": "multi_head_attention", "mlp_mixer": "mlp_mixer", "static_mixer": "static_mixer"}
    return swept("bits16.csv") | {key: entry_steps(level, name) for key, name in entries.items()}


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
    assert ["slower" in row for row in rows_of(PAGE, bits16, pairs, 10_000)] == [True, True, True, False]


def test_the_other_start_on_six_levels(six):
    """Each row says both means, their ratio and its test, and whether it tells the starts apart."""
    levels, steps = six
    pairs = {
        f"`torch`, `tensor2tensor`, `{level}`": ((level, "torch"), (level, "multi_head_attention"))
        for level in levels
    }
    for row, (mine, theirs) in zip(rows_of(PAGE, steps, pairs), pairs.values(), strict=True):
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


def beside_gpt2(level, tail, others):
    """A level of recall: attention's steps by start and those of other entries, and pairs by how their rows begin."""
    name = level.replace("@", "-")
    steps: dict[str, list[int]] = {
        "gpt2": swept(f"{name}-gpt2.csv")["gpt2"],
        "tensor2tensor": entry_steps(level, "multi_head_attention"),
        "torch": swept(f"{name}.csv")["torch"],
        **{mixer: entry_steps(level, mixer) for mixer in others},
    }
    pairs = {f"`gpt2`, `{start}`, {tail}": ("gpt2", start) for start in ("tensor2tensor", "torch")}
    return steps, pairs | {f"attention with `gpt2`, `{mixer}`, {tail}": ("gpt2", mixer) for mixer in others}


def rows_beside_gpt2(steps, pairs):
    """The page's rows of these pairs, each with both means."""
    rows = rows_of(PAGE, steps, pairs)
    for row, (_, other) in zip(rows, pairs.values(), strict=True):
        assert f"| {sum(steps['gpt2']) / 16:,.0f} | {sum(steps[other]) / 16:,.0f} |" in row
    return rows


def test_how_fast_attention_is_on_recall_with_the_start_of_gpt2():
    others = ("mamba", "linear_rnn", "xlstm")
    steps, pairs = beside_gpt2("associative_recall@multi", "four pairs", others)
    steps["fla-model"] = swept("gated-delta.csv")["fla-model"]
    pairs["attention with `gpt2`, `gated_delta_net` with `fla-model`"] = ("gpt2", "fla-model")
    assert all("slower" in row for row in rows_beside_gpt2(steps, pairs))
    assert f"at {min(steps['gpt2'])} to {max(steps['gpt2'])} steps, at 3e-4" in PAGE
    assert all(sum(steps[mixer]) > sum(steps["tensor2tensor"]) for mixer in others), "the order that it turns round"


def test_what_the_start_of_gpt2_does_to_attention_on_recall_of_six_pairs():
    level = "associative_recall@capacity"
    steps, pairs = beside_gpt2(level, "six pairs", ("mamba", "xlstm"))
    assert rows_beside_gpt2(steps, pairs)
    assert set(steps["gpt2"]) == set(entry_steps(level, "linear_rnn")) == {2000}, "so that this pair has no row"
    with (ROOT / "docs" / "starts" / "associative_recall-capacity-gpt2.csv").open() as file:
        ends = list(csv.DictReader(file))
    losses = [float(row["final_loss"]) for row in ends]
    assert f"leave chance by step {max(int(row['plateau_end']) for row in ends)} and end at" in PAGE
    assert f"losses of {min(losses):.3f} to {max(losses):.3f}, with one output of six known" in PAGE
    assert {row["known"] for row in ends} == {"1"}
    counted = loss_without_a_key(6)
    assert f"at {counted:.3f} and the last answer" in PAGE
    assert max(abs(loss - counted) for loss in losses) < 0.03


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
    assert len(rows_of(PAGE, varied | {"attention": starts["multi_head_attention"]}, pairs)) == 5


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
    entry = load_entry(BOARDS / "linear_map@s3" / "gmlp.yaml").result
    assert {row.plateau_end for row in [*entry.members, *entry.tuning]} == {None}
    assert set(ends["lucidrains"]) == {""}
    left = [sum(end != "" for end in ends["torch"]), sum(row.plateau_end is not None for row in entry.members)]
    _, p = fisher_exact([left, [16 - count for count in left]])
    assert f"(Fisher's exact p = {p:.2g})" in PAGE
    assert (
        f"from that of `nn.Linear` it leaves it in all sixteen, by step {max(map(int, ends['torch']))} at the latest"
        in PAGE
    )


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
    level = "associative_recall@multi"
    return by_start(level, RECURRENCES) | {"attention": entry_steps(level, "multi_head_attention")}


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
    assert len(rows_of(PAGE, recurrences, pairs)) == 8


ANEW = {
    ("multi_head_attention", "gpt2"): "associative_recall-multi-gpt2.csv",
    ("linear_rnn", "gpt2"): "griffin-gpt2.csv",
    ("xlstm", "gpt2"): "matrix-memory-gpt2.csv",
    ("mamba", "fla-model"): "selective-state.csv",
    ("mamba", "mad"): "selective-state.csv",
    ("gated_delta_net", "fla-model"): "gated-delta.csv",
}
"""The seeds of mixers whose linear layers all are drawn with 0.02, by mixer and start."""


@pytest.fixture(scope="module")
def anew():
    """min(steps, budget) of every seed on recall of four pairs, by mixer and start; of its entry, by mixer."""
    level = "associative_recall@multi"
    entries = {mixer: entry_steps(level, mixer) for mixer, _ in ANEW}
    return entries | {key: swept(name)[key[1]] for key, name in ANEW.items()}


def test_how_fast_mixers_are_whose_layers_are_drawn_anew(anew):
    table = PAGE.partition("| mixer | drawn anew |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    for row, (mixer, start) in zip(rows, ANEW, strict=True):
        steps, entry = anew[mixer, start], anew[mixer]
        assert max(steps) < 2000
        mean = with_interval(sum(steps) / 16, mean_interval(steps, 2000))
        assert row.startswith(
            f"| `{mixer}` | `{start}` | {mean} | {min(steps)} to {max(steps)} | {sum(entry) / 16:,.0f} |"
        )


def test_how_much_drawing_all_layers_anew_moves_a_mixer(anew):
    """Beside its entry, and beside attention whose layers are drawn by the same formula."""
    attention = ("multi_head_attention", "gpt2")
    pairs: dict[str, tuple[Any, Any]] = {f"`{m}`, `{s}`, its entry's": ((m, s), m) for m, s in ANEW}
    pairs["`mamba`, `mad`, `fla-model`"] = (("mamba", "mad"), ("mamba", "fla-model"))
    others = [key for key in ANEW if key != attention]
    pairs |= {f"`{m}` with `{s}`, attention with `gpt2`": ((m, s), attention) for m, s in others}
    assert len(rows_of(PAGE, anew, pairs)) == 12
