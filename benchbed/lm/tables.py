"""What `benchbed lm` found, as a person sees it in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchbed.lm.emergence import Emergence, GroupSummary, Pair
from benchbed.lm.heads import HeadEffects, Rise
from benchbed.reporting.wording import number, with_interval

__all__ = ["group_table", "head_tables", "pair_table", "seed_table"]


def seed_table(found: Sequence[Emergence]) -> Table:
    """A line a seed and capability."""
    table = _table("step of emergence, by seed", "model", "capability", "after", "step", "before", "at it", "best")
    for one in found:
        lost = "" if one.lost is None else f" (lost at {one.lost:,})"
        table.add_row(
            one.model,
            one.capability,
            number(one.after, missing=""),
            f"never in {one.last:,}" if one.step is None else f"{one.step:,}{lost}",
            number(one.before, ".2f", ""),
            number(one.value, ".2f", ""),
            f"{one.best:.2f}",
        )
    return table


def group_table(found: Sequence[GroupSummary]) -> Table:
    """A line a group and capability."""
    table = _table(
        "over seeds",
        "models",
        "capability",
        "emerged",
        "mean step [95%]",
        "median",
        "earliest",
        "latest",
        "watched to",
    )
    for one in found:
        interval = with_interval(one.mean_steps, one.mean_interval)
        table.add_row(
            one.group,
            one.capability,
            f"{one.emerged}/{one.seeds}",
            f"{'> ' if one.emerged < one.seeds else ''}{interval}",
            number(one.median_steps),
            number(one.earliest, missing="-"),
            number(one.latest, missing="-"),
            f"{one.horizon:,}",
        )
    table.caption_justify = "left"
    table.caption = (
        "a step is the first checkpoint at which the capability holds and holds at the next; it came after the "
        "checkpoint before. mean: of min(step, watched to), with its t-interval; > is a bound where it never came"
    )
    return table


def pair_table(found: Sequence[Pair]) -> Table:
    """A line a pair of groups and capability."""
    table = _table("between groups", "capability", "of", "to", "ratio of mean steps [95%]", "p (exact)")
    for one in found:
        table.add_row(
            one.capability, one.first, one.second, with_interval(one.ratio, one.interval, ".2f"), f"{one.p:.2g}"
        )
    return table


def head_tables(found: HeadEffects) -> list[Table]:
    """The heads that do most alone, then the best of them together, with the controls."""
    alone = _table(
        f"{found.capability}: one later pattern in the earlier model (target {found.early_probability:.3f}, "
        f"in the later one {found.late_probability:.3f})",
        *("layer", "head", "rise of the target's probability [95%]", "loss of the later model without it [95%]"),
    )
    without = {one.heads[0]: one for one in found.without}
    for one in sorted(found.alone, key=lambda one: -one.rise)[:10]:
        layer, head = one.heads[0]
        missed = without[one.heads[0]]
        low, high = missed.interval
        alone.add_row(str(layer), str(head), _shown(one), with_interval(-missed.rise, [-high, -low], ".3f"))
    together = _table("the best together", "heads", "rise [95%]", "random heads", "the same heads of another seed")
    for index, one in enumerate(found.together):
        other = _shown(found.other_seed[index]) if found.other_seed else "-"
        together.add_row(str(len(one.heads)), _shown(one), _shown(found.random[index]), other)
    together.add_row(f"all {len(found.everything.heads)}", _shown(found.everything), "", "")
    return [alone, together]


def _shown(one: Rise) -> str:
    return with_interval(one.rise, one.interval, ".3f")


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        words = head in ("model", "models", "capability", "of", "to")
        table.add_column(head, justify="left" if words else "right", overflow="fold")
    return table
