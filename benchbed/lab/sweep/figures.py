"""Pictures of a sweep: heat maps over two axes, curves over one, and loss and plateau against difficulty."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchbed.lab.sweep.cells import Cell
from benchbed.lab.sweep.grid import Axis
from benchbed.reporting.figures import bare, save
from benchbed.results.result import Result
from benchbed.results.scoring import restricted

__all__ = ["draw_sweep", "final_losses", "loss_against", "plateau_ends"]

Point = tuple[Any, Result]
"""Where on the horizontal axis a result stands."""


def draw_sweep(cells: Sequence[Cell], axes: Sequence[Axis], out: Path) -> list[Path]:
    """Draw what the axes allow, as PNG; more than two axes have no picture of their own.

    Returns:
        The files.

    Raises:
        StorageError: one cannot be written.
    """
    finished = [cell for cell in cells if cell.result is not None]
    varying = [axis.keys[0] for axis in axes if len({cell.values.get(axis.keys[0]) for cell in finished}) > 1]
    figures: dict[str, Figure] = {}
    if len(varying) == 1:
        figures["curves.png"] = _curves(finished, varying[0])
    if len(varying) == 2:
        figures["heatmap.png"] = _heat_maps(finished, *varying)
    sizes = {"task.state_size", "task.sparsity"}
    if sizes & set(varying) and all(_options(cell).keys() >= {"state_size", "sparsity"} for cell in finished):
        figures["density.png"] = _density(finished)
    if "task.state_size" in varying:
        figures["plateau.png"] = _plateaus(finished)
    for name, figure in figures.items():
        save(figure, out / name)
    return [out / name for name in figures]


def final_losses(result: Result) -> list[float]:
    """Final held-out loss of every seed as a share of chance; a diverged seed has none."""
    return [row.final_loss / result.chance_loss for row in result.members if row.final_loss is not None]


def plateau_ends(result: Result) -> list[int]:
    """min(plateau end, budget) of every seed."""
    return [restricted(row.plateau_end, result.config.budget.steps) for row in result.members]


def loss_against(axes: Axes, points: Sequence[Point], label: str, colour: str) -> None:
    """A dot a seed and a line through the means."""
    _spread(axes, points, final_losses, label, colour)
    axes.set_ylabel("final loss / chance")
    axes.set_ylim(0, 1.1)


def _spread(
    axes: Axes, points: Sequence[Point], read: Callable[[Result], Sequence[float]], label: str, colour: str
) -> None:
    points = sorted(points, key=lambda point: point[0])
    values = [(x, read(result)) for x, result in points]
    for x, mine in values:
        axes.plot([x] * len(mine), mine, ".", color=colour, alpha=0.4, markersize=5)
    means = [(x, fmean(mine)) for x, mine in values if mine]
    axes.plot(*zip(*means, strict=True), color=colour, label=label, linewidth=1.3)
    bare(axes)


def _curves(cells: Sequence[Cell], key: str) -> Figure:
    """Loss, solved share, steps and plateau against one option, a line a mixer."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    panels = {
        "final loss / chance": final_losses,
        "solved share of seeds": lambda result: [result.summary.solve_rate],
        "steps to solve, at most the budget": lambda result: result.restricted_steps,
        "plateau end, at most the budget": plateau_ends,
    }
    for axes, (title, read) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for number, (mixer, mine) in enumerate(_by(cells, "mixer").items()):
            points = [(_place(cell.values[key]), cell.result) for cell in mine if cell.result]
            _spread(axes, points, read, str(mixer), f"C{number % 10}")
        axes.set(xlabel=key, ylabel=title, ylim=(0, None))
        _name_ticks(axes, [cell.values[key] for cell in cells])
    figure.get_axes()[0].legend(frameon=False, fontsize="small")
    figure.suptitle(_title(cells))
    return figure


def _heat_maps(cells: Sequence[Cell], first: str, second: str) -> Figure:
    """Solve rate and mean steps over two options, a row a mixer; a cell without a run stays grey."""
    mixers = _by(cells, "mixer")
    figure = Figure(figsize=(11, 1 + 3.4 * len(mixers)), layout="constrained")
    rows, columns = (sorted({cell.values[key] for cell in cells}, key=_order) for key in (first, second))
    panels = {
        "solved share of seeds": (lambda result: result.summary.solve_rate, "{:.0%}", None),
        "mean of min(steps, budget)": (lambda result: result.summary.mean_steps, "{:,.0f}", "viridis_r"),
    }
    grid = figure.subplots(len(mixers), len(panels), squeeze=False)
    for drawn, (mixer, mine) in zip(grid, mixers.items(), strict=True):
        for axes, (title, (read, form, colours)) in zip(drawn, panels.items(), strict=True):
            values = [[math.nan] * len(columns) for _ in rows]
            for cell in mine:
                if cell.result:
                    values[rows.index(cell.values[first])][columns.index(cell.values[second])] = read(cell.result)
            top = 1.0 if colours is None else max(c.result.config.budget.steps for c in cells if c.result)
            _heat_map(axes, values, form, colours or "viridis", top)
            axes.set(xlabel=second, ylabel=first, title=f"{mixer}: {title}")
            axes.set_xticks(range(len(columns)), map(str, columns))
            axes.set_yticks(range(len(rows)), map(str, rows))
    figure.suptitle(_title(cells))
    return figure


def _heat_map(axes: Axes, values: list[list[float]], form: str, colours: str, top: float) -> None:
    image = axes.imshow(values, cmap=colours, vmin=0, vmax=top, aspect="auto", origin="lower")
    axes.set_facecolor("0.9")
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if not math.isnan(value):
                red, green, blue, _ = image.to_rgba(np.array([value]))[0]
                ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "white"
                axes.text(column, row, form.format(value), ha="center", va="center", color=ink, fontsize=8)


def _density(cells: Sequence[Cell]) -> Figure:
    """Final loss against s/S, a line a state size."""
    mixers = _by(cells, "mixer")
    figure = Figure(figsize=(5 * len(mixers), 4), layout="constrained")
    for axes, (mixer, mine) in zip(figure.subplots(1, len(mixers), squeeze=False)[0], mixers.items(), strict=True):
        sizes = sorted({_options(cell)["state_size"] for cell in mine})
        for number, size in enumerate(sizes):
            points = [
                (_options(cell)["sparsity"] / size, cell.result)
                for cell in mine
                if cell.result and _options(cell)["state_size"] == size
            ]
            loss_against(axes, points, f"S = {size}", f"C{number % 10}")
        axes.axhline(1, color="0.5", linestyle=":", linewidth=1)
        axes.set(xlabel="s / S", title=str(mixer), xlim=(0, 1))
        axes.legend(frameon=False, fontsize="small")
    figure.suptitle(_title(cells))
    return figure


def _plateaus(cells: Sequence[Cell]) -> Figure:
    """Plateau end against the state size; the dotted line is the budget, where a plateau was cut off."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        rest = [f"{k.partition('.')[2]}={v}" for k, v in cell.values.items() if k not in ("mixer", "task.state_size")]
        groups.setdefault(", ".join([str(cell.values["mixer"]), *rest]), []).append(cell)
    for number, (label, mine) in enumerate(groups.items()):
        points = [(cell.values["task.state_size"], cell.result) for cell in mine if cell.result]
        _spread(axes, points, plateau_ends, label, f"C{number % 10}")
    budget = max(cell.result.config.budget.steps for cell in cells if cell.result)
    axes.axhline(budget, color="0.5", linestyle=":", linewidth=1)
    axes.set(xlabel="state size S", ylabel="plateau end, at most the budget", ylim=(0, None))
    axes.legend(frameon=False, fontsize="small")
    figure.suptitle(_title(cells))
    return figure


def _title(cells: Sequence[Cell]) -> str:
    config = next(cell.result.config for cell in cells if cell.result)
    return (
        f"{config.task.name}, {len(config.scoring_seeds)} seeds, budget {config.budget.steps:,} steps, "
        f"width {config.backbone.dim}, {config.device}"
    )


def _by(cells: Sequence[Cell], key: str) -> dict[Any, list[Cell]]:
    return {value: [cell for cell in cells if cell.values[key] == value] for value in _distinct(cells, key)}


def _distinct(cells: Sequence[Cell], key: str) -> list[Any]:
    return list(dict.fromkeys(cell.values[key] for cell in cells))


def _options(cell: Cell) -> dict[str, Any]:
    return cell.planned.config.task.options if cell.planned else {}


def _order(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _place(value: Any) -> Any:
    return str(value) if isinstance(value, bool | str) else value


def _name_ticks(axes: Axes, values: list[Any]) -> None:
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        axes.set_xticks(sorted(set(values)))
