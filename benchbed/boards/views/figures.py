"""Pictures of board entries as SVG text for a page: they take the page's colours, light or dark."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from benchbed.boards.entries.entry import Entry
from benchbed.config.protocol import CONFIDENCE
from benchbed.reporting.figures import bare, draw_losses, draw_solved

__all__ = ["loss_figure", "solved_figure"]

_COLOURS = {"#010203": "currentColor", "#040506": "var(--accent)"}
"""What matplotlib draws in, and what the page makes of it."""

_INK, _ACCENT = _COLOURS


def solved_figure(entry: Entry) -> str:
    """Solved fraction of the seeds against step, with Wilson's interval at every step."""
    members = entry.result.members
    budget, every = entry.result.config.budget.steps, entry.result.config.budget.evaluate_every

    def draw(axes: Axes) -> None:
        grid = np.arange(0, budget + 1, every)
        steps = np.array([np.inf if row.steps is None else row.steps for row in members])
        solved = [int((steps <= step).sum()) for step in grid]
        bands = {k: binomtest(k, len(members)).proportion_ci(CONFIDENCE, method="wilson") for k in set(solved)}
        low, high = [bands[k].low for k in solved], [bands[k].high for k in solved]
        axes.fill_between(grid, low, high, step="post", color=_ACCENT, alpha=0.2, linewidth=0)
        draw_solved(axes, members, budget, _ACCENT)
        axes.set(ylabel="solved", ylim=(-0.02, 1.02))

    return _svg(entry, draw, "solved")


def loss_figure(entry: Entry) -> str:
    """Held-out loss against step, one line a seed, with a dot where it solved."""
    every = entry.result.config.budget.evaluate_every

    def draw(axes: Axes) -> None:
        losses = [np.array([float(word) for word in line.split()]) for line in entry.loss_curves]
        lines = [(every * np.arange(1, len(line) + 1), line) for line in losses]
        draw_losses(axes, entry.result.members, lines, _ACCENT)
        axes.axhline(entry.result.chance_loss, color=_INK, linestyle=":", linewidth=0.8)
        axes.set(ylabel="loss (nats)", ylim=(0, None))

    return _svg(entry, draw, "loss")


def _svg(entry: Entry, draw: Callable[[Axes], None], name: str) -> str:
    settings: Any = {
        "svg.fonttype": "none",  # text stays text: sharp, selectable, in the page's font
        "svg.hashsalt": f"{entry.entry}-{name}",  # the same picture has the same bytes
        "font.size": 9,
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(3.4, 2.0), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_xlim(0, entry.result.config.budget.steps)
        axes.set_xlabel("step")
        bare(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for drawn, shown in _COLOURS.items():
        text = text.replace(drawn, shown)
    label = f"{name} against step, {entry.entry}"
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
