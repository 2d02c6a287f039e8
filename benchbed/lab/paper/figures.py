"""Pictures of the paper's experiments."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchbed.lab.paper.claims import Samples
from benchbed.lab.paper.experiments import Experiment, Measure, Scale
from benchbed.lab.trace.members import MemberTrace
from benchbed.reporting.figures import bare, save

__all__ = ["draw_experiment", "draw_losses", "scale_mark"]

_MEASURES: dict[Measure, str] = {
    "final_loss": "final loss / chance",
    "plateau_end": "plateau end",
    "steps": "steps to solve",
}
_COLUMNS = 4


def draw_experiment(
    experiment: Experiment,
    lines: Sequence[Samples],
    names: Mapping[float, str],
    budget: int,
    path: Path,
    scale: Scale,
) -> None:
    """Draw the measure against what was varied, a line a part; arguments are those of `lines_of` and `names_of`.

    Raises:
        StorageError: the file cannot be written.
    """
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    if experiment.measure != "final_loss":
        axes.axhline(budget, color="0.5", linestyle=":", linewidth=1, label="budget")
    _draw_lines(axes, experiment, lines, names)
    measure = _MEASURES[experiment.measure]
    figure.suptitle(f"{measure} against {experiment.x_label}{scale_mark(scale)}")
    save(figure, path)


def scale_mark(scale: Scale) -> str:
    """How a title says that the scale is smaller than the paper's."""
    return "" if scale == "full" else f" ({scale})"


def draw_losses(traced: Sequence[MemberTrace], title: str, path: Path) -> None:
    """Draw the loss of every output against step, a panel a seed.

    Raises:
        StorageError: the file cannot be written.
    """
    rows = -(-len(traced) // _COLUMNS)
    figure = Figure(figsize=(12, 2.6 * rows), layout="constrained")
    for axes, member in zip(figure.subplots(rows, _COLUMNS).flat, traced, strict=False):
        axes.plot(member.steps, member.losses, linewidth=0.9)
        axes.set(title=f"seed {member.row.seed}", xlabel="step", ylim=(0, None), xlim=(0, None))
        bare(axes)
    figure.suptitle(title)
    save(figure, path)


def _draw_lines(axes: Axes, experiment: Experiment, lines: Sequence[Samples], names: Mapping[float, str]) -> None:
    """A dot a seed, a line through the means."""
    order = {place: number for number, place in enumerate(sorted(names))} if experiment.by_state else {}
    for number, line in enumerate(lines):
        at = [order.get(x, x) for x in line.x]
        colour, places = f"C{number}", sorted(set(at))
        axes.plot(at, line.y, ".", color=colour, alpha=0.4)
        means = [np.mean([y for x, y in zip(at, line.y, strict=True) if x == place]) for place in places]
        axes.plot(places, means, color=colour, linewidth=1.4, label=line.label)
    if experiment.by_state:  # places in their order, because many lie close together
        marks = [f"{place:,.0f}\n" + name.replace(", ", "\n") for place, name in sorted(names.items())]
        axes.set_xticks(range(len(marks)), marks, fontsize=7)
    elif names:
        axes.set_xticks(list(names), list(names.values()))
    else:
        axes.set_xticks(sorted({x for line in lines for x in line.x}))
    axes.set(xlabel=experiment.x_label, ylabel=_MEASURES[experiment.measure], ylim=(0, None))
    bare(axes)
    axes.legend(frameon=False)
