"""Two runs side by side, or two mixers over several levels, as a person sees them in a terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchbed.boards.views.sentences import PAIR_HEADS, overall_cells, pair_cells
from benchbed.reporting.wording import span, with_interval

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
        "learning rate": [f"{r.learning_rate:g}" for r in results],
        "parameters": [f"{r.costs.parameters:,}" for r in results],
        "mean samples": [f"{cost['samples']:,.0f}" for cost in costs],
        "mean training FLOPs": [f"{cost['flops']:.3g}" for cost in costs],
        "mean seconds": [f"{cost['seconds']:.3g}" for cost in costs],
        "device": [r.environment.device for r in results],
    }
    for name, cells in lines.items():
        table.add_row(name, *cells)
    return table


def levels_table(found: "LevelComparison") -> Table:
    """Two mixers on the levels of a track, a line a level, and over all of them."""
    title = f"A = {found.names[0]}, B = {found.names[1]}, track {found.track}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for head in ("level", "solved A", "B", *PAIR_HEADS):
        words = head in ("level", "")
        table.add_column(head, justify="left" if words else "right", no_wrap=head == "level", overflow="fold")
    for level, pair in found.pairs.items():
        solved = (f"{result.summary.solved}/{result.summary.seeds}" for result in pair.results)
        table.add_row(level, *solved, *pair_cells(pair, found.adjusted[level], ("A", "B")))
    if found.overall is not None and len(found.overall.levels) > 1:
        _, ratio, without, *families, _, _ = overall_cells(found.overall)
        table.add_section()
        table.add_row("over levels", "", "", "", "", ratio)
        if len(families) > 1:
            for family, cell in zip(found.overall.families, families, strict=True):
                table.add_row(f"  {family}", "", "", "", "", cell)
        table.add_row("  without any one level", "", "", "", "", without)
    return table
