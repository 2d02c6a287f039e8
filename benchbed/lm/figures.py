"""Pictures of language models: the step of every seed, and what every head's pattern carries."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchbed.lm.emergence import Emergence, GroupSummary
from benchbed.lm.heads import HeadEffects, Rise
from benchbed.reporting.figures import bare, save

__all__ = ["draw_emergence", "draw_heads"]

Curves = Mapping[str, Mapping[int, float]]
"""The metric by model and step."""


def draw_emergence(
    curves: Mapping[str, Curves],
    found: Sequence[Emergence],
    groups: Sequence[GroupSummary],
    threshold: Mapping[str, float],
    metric: str,
    path: Path,
) -> None:
    """Draw, for every capability, the metric of every seed against step, and the step at which each gained it.

    Args:
        curves: by capability.
        found: one a seed and capability.
        groups: one a group and capability.
        threshold: by capability, what the metric must reach.
        metric: its name.
        path: a `.png`, `.svg` or `.pdf`.

    Raises:
        StorageError: the file cannot be written.
    """
    figure = Figure(figsize=(3.6 * len(curves) + 0.6, 6.4), layout="constrained")
    above, below = figure.subplots(2, len(curves), squeeze=False, sharey="row")
    names = list(dict.fromkeys(one.group for one in groups))
    for column, (capability, models) in enumerate(curves.items()):
        mine = [one for one in found if one.capability == capability]
        colours = {one.model: f"C{names.index(one.group) % 10}" for one in mine}
        _draw_curves(above[column], models, colours, threshold[capability])
        _draw_steps(below[column], mine, [one for one in groups if one.capability == capability], names)
        above[column].set_title(capability, fontsize=10)
    above[0].set_ylabel(metric)
    below[0].set_ylabel("step of emergence")
    save(figure, path)


def draw_heads(found: HeadEffects, path: Path) -> None:
    """Draw what each head's later pattern carries, what the later model loses without it, and the best together.

    Raises:
        StorageError: the file cannot be written.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    maps, losses, curve = figure.subplots(1, 3, width_ratios=[1, 1, 1.2])
    _draw_map(figure, maps, found.alone, "rise with its later pattern", "layer")
    _draw_map(figure, losses, found.without, "later model without it", "")
    counts = [len(one.heads) for one in found.together]
    lines = {"best heads": (found.together, "C0"), "random heads": (found.random, "0.5")}
    if found.other_seed:
        lines["same heads, another seed"] = (found.other_seed, "C1")
    for name, (rises, colour) in lines.items():
        low, high = np.array([one.interval for one in rises]).T
        curve.plot(counts, [one.rise for one in rises], "o-", color=colour, markersize=4, label=name)
        curve.fill_between(counts, low, high, color=colour, alpha=0.15, linewidth=0)
    curve.axhline(found.everything.rise, color="C2", linestyle="--", linewidth=1, label="all heads")
    reached = found.late_probability - found.early_probability
    curve.axhline(reached, color="0.3", linestyle=":", linewidth=1, label="the later model")
    curve.set(xlabel="heads", ylabel="rise of the target's probability", xticks=counts)
    curve.legend(frameon=False, fontsize="small")
    bare(curve)
    figure.suptitle(f"{found.capability}: patterns of {found.late} in {found.early}", fontsize=10)
    save(figure, path)


def _draw_curves(axes: Axes, models: Curves, colours: Mapping[str, str], threshold: float) -> None:
    for model, by_step in models.items():
        steps = sorted(by_step)
        axes.plot(steps, [by_step[step] for step in steps], color=colours[model], linewidth=0.9, alpha=0.7)
    axes.axhline(threshold, color="0.5", linestyle=":", linewidth=1)
    axes.set(xlabel="step", ylim=(-0.02, 1.02))
    bare(axes)


def _draw_steps(axes: Axes, found: Sequence[Emergence], groups: Sequence[GroupSummary], names: list[str]) -> None:
    for number, name in enumerate(names):
        seeds = sorted((one for one in found if one.group == name), key=lambda one: one.seed)
        beside = np.linspace(-0.25, 0.25, len(seeds)) if len(seeds) > 1 else np.zeros(1)
        for shift, one in zip(beside, seeds, strict=False):
            never = one.step is None
            y = one.last if one.step is None else max(one.step, 1)
            axes.plot(number + shift, y, "x" if never else "o", color=f"C{number % 10}", markersize=5)
    for one in groups:
        centre = names.index(one.group)
        axes.plot([centre - 0.32, centre + 0.32], [max(one.mean_steps, 1)] * 2, color="0.2", linewidth=1.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    short = [Path(name).name for name in names]
    axes.set_xticks(range(len(names)), short, rotation=30 if len(names) > 2 else 0)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xlabel("a point a seed, a cross for never; line: mean", fontsize=8)
    bare(axes)


def _draw_map(figure: Figure, axes: Axes, found: Sequence[Rise], title: str, label: str) -> None:
    layers, heads = (1 + max(one.heads[0][axis] for one in found) for axis in (0, 1))
    grid = np.zeros((layers, heads))
    for one in found:
        grid[one.heads[0]] = one.rise
    most = float(np.abs(grid).max()) or 1.0
    image = axes.imshow(grid, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    axes.set(xlabel="head", ylabel=label, xticks=range(heads), yticks=range(layers))
    axes.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.9)
