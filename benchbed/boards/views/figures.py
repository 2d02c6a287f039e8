"""Pictures of board entries as SVG text for a page: they take the page's colours, light or dark."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from benchbed.boards.entries.entry import Entry
from benchbed.boards.overall import Overall
from benchbed.config.protocol import CONFIDENCE
from benchbed.reporting.figures import SHARES, bare, draw_losses, draw_solved, solved_shares
from benchbed.storage.files import write_atomically

__all__ = ["draw_overview", "loss_figure", "overview_figure", "overview_svg", "profile_figure", "solved_figure"]

_COLOURS = {"#010203": "currentColor", "#040506": "var(--accent)"}
"""What matplotlib draws in, and what the page makes of it."""

_INK, _ACCENT = _COLOURS
_MARGINS = (0.55, 0.45, 0.25, 0.1)
"""Left, bottom, right and top of a panel, in inches."""
_GREY = "#808080"
_FAINT: dict[str, Any] = {"color": "#808080", "linewidth": 0.6, "alpha": 0.6}
_DARK = "#111111"
"""Not black, which matplotlib leaves out of an SVG, so that the words would take the colour of a dark page."""


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


def draw_overview(found: Sequence[Overall], path: Path) -> None:
    """Mixers by levels: colour for the ratio to the baseline, numbers for the ratio and for seeds that did not solve.

    Purple is faster than the baseline and orange slower, which the colour-blind tell apart; the ground is clear and
    the words are grey, so that it can be read on a light page and on a dark one.

    Raises:
        StorageError: the file cannot be written.
    """
    kind = path.suffix[1:]
    write_atomically(path, lambda file: _save_overview(found, file, kind))


def overview_svg(found: Sequence[Overall]) -> str:
    """The same as text."""
    file = io.BytesIO()
    _save_overview(found, file, "svg")
    return file.getvalue().decode()


def overview_figure(found: Sequence[Overall], track: str) -> str:
    """The same for a page, whose colour its words take."""
    text = overview_svg(found)
    label = f"times the mean steps of the baseline, every mixer on every level of {track}"
    text = text[text.index("<svg") :].replace(_GREY, "currentColor")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def profile_figure(found: Sequence[Overall], track: str) -> str:
    """Share of seeds solved against the share of the budget: each level counts alike, a line a complete mixer.

    The first six are coloured and named, the others grey.
    """
    complete = [one for one in found if one.ratio is not None]

    def draw(axes: Axes) -> None:
        for number, one in reversed(list(enumerate(complete))):
            levels = [level for level in one.levels.values() if level]
            steps = [[*sorted(v.steps)[: v.solved], *[np.inf] * (v.seeds - v.solved)] for v in levels]
            curves = [solved_shares(each, v.budget) for each, v in zip(steps, levels, strict=True)]
            style = {"color": f"C{number}", "linewidth": 1.4, "label": one.name} if number < 6 else _FAINT
            axes.step(SHARES, np.mean(curves, axis=0), where="post", **style)
        axes.set(xlabel="steps / budget", ylabel="solved", xlim=(0, 1), ylim=(-0.02, 1.02))
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], frameon=False, labelcolor=_INK, loc="lower right")

    return _svg_of(draw, f"share of seeds solved against the share of the budget, {track}", size=(6.4, 3.2))


def _save_overview(found: Sequence[Overall], file: IO[bytes], kind: str) -> None:
    levels = list(found[0].levels)
    ratios = np.array([[np.nan if r is None else r.ratio for r in one.levels.values()] for one in found])
    limit = max(0.5, float(np.nanmax(np.abs(np.log2(ratios)))))
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "overview", "font.size": 8, "axes.edgecolor": _GREY}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(max(5.6, 1.8 + 0.85 * len(levels)), 1.5 + 0.24 * len(found)), layout="constrained")
        axes = figure.subplots()
        shown = axes.imshow(np.log2(ratios), cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        for row, one in enumerate(found):
            for column, cell in enumerate(one.levels.values()):
                if cell is not None:
                    text = f"{cell.bound.strip()}{cell.ratio:.2g}"
                    text += f" ({cell.solved}/{cell.seeds})" if cell.solved < cell.seeds else ""
                    strong = abs(np.log2(cell.ratio)) > 0.6 * limit
                    axes.text(column, row, text, ha="center", va="center", color="white" if strong else _DARK)
        names = [level.replace("_", "_\n").replace("@", "\n@") for level in levels]
        axes.set_xticks(range(len(levels)), names, color=_GREY)
        axes.set_yticks(range(len(found)), [one.name for one in found], color=_GREY)
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=axes, location="bottom", shrink=0.6, aspect=40, pad=0.02)
        ticks = np.arange(np.ceil(-limit), np.floor(limit) + 1)
        bar.set_ticks(ticks, labels=[f"{2.0**tick:g}" for tick in ticks], color=_GREY)
        bar.set_label("times the baseline's mean steps\nin brackets, seeds solved where not all did", color=_GREY)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        date: Any = {"Date": None} if kind == "svg" else None  # the same picture has the same bytes
        figure.savefig(file, format=kind, transparent=True, dpi=160, metadata=date)


def _svg(entry: Entry, draw: Callable[[Axes], None], name: str) -> str:
    def drawn(axes: Axes) -> None:
        draw(axes)
        axes.set_xlim(0, entry.result.config.budget.steps)
        axes.set_xlabel("step")

    return _svg_of(drawn, f"{name} against step, {entry.entry}", size=(3.4, 2.0))


def _svg_of(draw: Callable[[Axes], None], label: str, size: tuple[float, float]) -> str:
    """What is drawn in `_INK` and `_ACCENT`, as text of a page that gives the colours."""
    settings: Any = {
        "svg.fonttype": "none",  # text stays text: sharp, selectable, in the page's font
        "svg.hashsalt": label,  # the same picture has the same bytes
        "font.size": 9,
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size)
        # In inches: panels side by side are aligned, and fitting each took longer than drawing it.
        (width, height), (left, bottom, right, top) = size, _MARGINS
        axes = figure.add_axes(
            (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
        )
        draw(axes)
        bare(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for drawn, shown in _COLOURS.items():
        text = text.replace(drawn, shown)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
