"""What is said of the paper's claims follows from the seeds that are published with it."""

from typing import Any

from published import entry_steps, page, rows_of, swept

from benchbed.reporting.wording import with_interval
from benchbed.results.scoring import mean_interval
from benchbed.results.stats import correlation_interval, holm, rank_correlation

PAGE = page("findings-claims")


def test_steps_by_the_number_of_heads():
    """Each row: the means of 1, 2, 4 and 8 heads, and whether steps rise with heads; 1 and 8 are entries."""
    lines = PAGE.partition("| level | 1 head | 2 heads | 4 heads | 8 heads |")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    assert len(rows) == 6
    trends = []
    for name, *_ in rows:
        level = name.strip("`")
        steps = {
            1: entry_steps(level, "softmax_attention"),
            **{
                int(heads): mine
                for heads, mine in swept(f"{level.replace('@', '-')}.csv", "mixer.heads", "heads").items()
            },
            8: entry_steps(level, "multi_head_attention"),
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
    level = "associative_recall@capacity"
    steps = {
        (1, 64): entry_steps(level, "softmax_attention"),
        (1, 8): swept("keys-1x8.csv", "mixer.key", "heads")["8"],
        (8, 64): swept("keys-8x64.csv", "mixer.key", "heads")["64"],
        (8, 8): entry_steps(level, "multi_head_attention"),
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
    rows_of(PAGE, steps, pairs)
