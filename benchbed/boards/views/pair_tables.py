"""Two runs side by side, or two mixers over several levels, as a person sees them in a terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchbed.boards.views.sentences import PAIR_HEADS, overall_cells, pair_cells
from benchbed.reporting.wording import known_at_the_end, span, with_interval

if TYPE_CHECKING:
    from benchbed.boards.comparison import Comparison, LevelComparison

__all__ = ["levels_table", "pair_table"]


def pair_table(pair: "Comparison") -> Table:
    """Two runs of one level, side by side."""
    names, results, costs = pair.names, pair.results, pair.costs
    table = Table(box=SIMPLE_HEAD)
    for name in ("", *names):
        table.add_column(name, justify="left" if not name else "right", overflow="fold")
    lines = {
        "seeds": [span(r.config.scoring_seeds) for r in results],
        "solved": [f"{r.summary.solved}/{r.summary.seeds}" for r in results],
        "mean steps [95%]": [with_interval(r.summary.mean_steps, r.summary.mean_steps_interval) for r in results],
        "steps by seed": [" ".join(str(s) for s in sorted(r.restricted_steps)) for r in results],
        "known at the end": [known_at_the_end(r) or "" for r in results],
        "learning rate": [f"{r.learning_rate:g}" for r in results],
        "parameters": [f"{r.costs.parameters:,}" for r in results],
        "mean samples": [f"{cost['samples']:,.0f}" for cost in costs],
        "mean training FLOPs": [f"{cost['flops']:.3g}" for cost in costs],
        "mean seconds": [f"{cost['seconds']:.3g}" for cost in costs],
        "device": [r.environment.device for r in results],
    }
    for name, cells in lines.items():
        if any(cells):
            table.add_row(name, *cells)
    return table


def levels_table(found: "LevelComparison", width: int = 200) -> Table:
    """Two mixers on the levels of a track, a line a level, and over all of them.

    Args:
        found: of `benchbed.boards.comparison.compare_levels`.
        width: columns of the terminal; where they are few, the least important columns of the table give way.
    """
    heads = ["level", "solved A", "solved B", *PAIR_HEADS]
    lines = [
        [
            level,
            *(f"{result.summary.solved}/{result.summary.seeds}" for result in pair.results),
            *pair_cells(pair, found.adjusted[level], ("A", "B")),
        ]
        for level, pair in found.pairs.items()
    ]
    if found.overall is not None and len(found.overall.levels) > 1:
        _, ratio, without, *families, _, _ = overall_cells(found.overall)
        parts = dict(zip(found.overall.families, families, strict=True)) if len(families) > 1 else {}
        for name, cell in {"over levels": ratio, **parts, "without any one level": without}.items():
            first = name if name == "over levels" else f"  {name}"
            lines.append([first, *(cell if head == PAIR_HEADS[2] else "" for head in heads[1:])])
    columns = {head: [line[place] for line in lines] for place, head in enumerate(heads)}
    for least in (["p"], ["solved A", "solved B"], PAIR_HEADS[:2], ["Holm"]):
        if sum(max(len(head), *map(len, cells)) + 2 for head, cells in columns.items()) + 2 <= width:
            break
        columns = {head: cells for head, cells in columns.items() if head not in least}
    title = f"A = {found.names[0]}, B = {found.names[1]}, track {found.track}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in columns:
        table.add_column(head, justify="left" if head in ("level", "") else "right", no_wrap=True)
    for place, cells in enumerate(zip(*columns.values(), strict=True)):
        table.add_row(*cells, end_section=place == len(found.pairs) - 1)
    return table
