"""Curves of results, and the style that every picture shares."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchbed.errors import OptionError, ResultError
from benchbed.reporting.wording import called, labels
from benchbed.results.history import History
from benchbed.results.result import Result
from benchbed.results.scoring import MemberRow
from benchbed.storage.files import write_atomically

__all__ = [
    "SHARES",
    "bare",
    "draw_losses",
    "draw_solved",
    "plot_outputs",
    "plot_profile",
    "plot_results",
    "refuse_format",
    "save",
    "solved_shares",
]

FORMATS = (".png", ".svg", ".pdf")
SHARES = np.linspace(0, 1, 401)
"""Of a budget."""


def bare(axes: Axes) -> None:
    """No frame but the two axes."""
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path, dpi: int = 160) -> None:
    """Write a picture in the format that its ending names.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix[1:], dpi=dpi))


def refuse_format(path: Path) -> None:
    """Refuse a picture that cannot be written.

    Raises:
        OptionError: its ending names no format.
    """
    if path.suffix not in FORMATS:
        raise OptionError(f"-o: expected a file ending in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, found '{path}'")


def solved_shares(steps: Sequence[float], budget: int) -> np.ndarray:
    """The share of seeds that have solved by each of `SHARES` of the budget.

    Args:
        steps: of each seed; infinite where it did not solve.
        budget: in steps.
    """
    return (np.asarray(steps)[:, None] <= SHARES * budget).mean(axis=0)


def plot_results(results: Sequence[tuple[Result, History]], path: Path) -> None:
    """Draw loss against step for every seed, and the solved fraction against step.

    Args:
        results: of one task and level.
        path: a `.png`, `.svg` or `.pdf`.

    Raises:
        OptionError: the file has another ending.
        ResultError: the results are of different levels or tracks.
        StorageError: the file cannot be written.
    """
    refuse_format(path)
    boards = sorted({f"{r.config.level} {r.config.task.options} on {r.config.track.name}" for r, _ in results})
    if len(boards) > 1:
        raise ResultError(f"expected results of one level and track, found {'; '.join(boards)}; plot them apart")
    matplotlib.use("Agg")
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    curves, solved = figure.subplots(1, 2)
    mixers = labels([(result.config.mixer.name, result.config.mixer.options) for result, _ in results])
    for number, (mixer, (result, history)) in enumerate(zip(mixers, results, strict=True)):
        colour, summary = f"C{number % 10}", result.summary
        lines = [(history.steps, losses) for losses in history.loss.mean(axis=2)]
        draw_losses(curves, result.members, lines, colour, label=mixer)
        label = f"{mixer}: {summary.solved} of {summary.seeds}"
        draw_solved(solved, result.members, result.config.budget.steps, colour, label=label)
    first = results[0][0]
    curves.axhline(first.chance_loss, color="0.5", linestyle=":", linewidth=1, label="chance")
    curves.set(xlabel="step", ylabel="held-out loss of the scored tokens (nats)", ylim=(0, None))
    solved.set(xlabel="step", ylabel="solved fraction of seeds", ylim=(-0.02, 1.02))
    for axes in (curves, solved):
        axes.set_xlim(0, first.config.budget.steps)
        axes.legend(frameon=False, fontsize="small")
        bare(axes)
    figure.suptitle(f"{first.config.level}, track {first.config.track.name} {first.config.track.version}")
    save(figure, path)


def plot_outputs(result: Result, history: History, path: Path) -> None:
    """Draw when each output was learned: a panel a seed, its held-out accuracy by step and scored token.

    Args:
        result: a run.
        history: its curves.
        path: a `.png`, `.svg` or `.pdf`.

    Raises:
        OptionError: the file has another ending.
        StorageError: the file cannot be written.
    """
    refuse_format(path)
    matplotlib.use("Agg")
    seeds, _, tokens = history.accuracy.shape
    columns = math.ceil(math.sqrt(seeds))
    rows = math.ceil(seeds / columns)
    figure = Figure(figsize=(1 + 2.6 * columns, 0.8 + 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    every = history.steps[0] if len(history.steps) == 1 else history.steps[1] - history.steps[0]
    edges = [history.steps[0] - every / 2, history.steps[-1] + every / 2, 0.5, tokens + 0.5]
    look = {"origin": "lower", "aspect": "auto", "extent": edges, "vmin": 0, "vmax": 1}
    images = [axes.imshow(learned.T, **look) for axes, learned in zip(panels[:seeds], history.accuracy, strict=True)]
    for axes, row in zip(panels[:seeds], result.members, strict=True):
        axes.set_title(f"seed {row.seed}: {row.status}{f' at {row.steps:,}' if row.steps else ''}", fontsize="small")
    for axes in panels[seeds:]:
        axes.set_visible(False)
    figure.colorbar(images[0], ax=figure.axes, label="held-out accuracy", shrink=0.6)
    figure.supxlabel("step")
    figure.supylabel("scored token, in its order")
    config = result.config
    mixer = called(config.mixer.name, config.mixer.options)
    figure.suptitle(f"{mixer} on {config.level}, track {config.track.name} {config.track.version}")
    save(figure, path, dpi=100)


def plot_profile(results: Sequence[Result], path: Path) -> None:
    """Draw the solved fraction of seeds against the share of the budget, a line a level and one for all of them.

    Args:
        results: of one mixer on several levels; in the line for all, each level counts alike.
        path: a `.png`, `.svg` or `.pdf`.

    Raises:
        StorageError: the file cannot be written.
    """
    matplotlib.use("Agg")
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    shares = []
    for number, result in enumerate(results):
        steps = [np.inf if row.steps is None else row.steps for row in result.members]
        shares.append(solved_shares(steps, result.config.budget.steps))
        label = f"{result.config.level}: {result.summary.solved} of {result.summary.seeds}"
        axes.step(SHARES, shares[-1], where="post", color=f"C{number % 10}", linewidth=1, alpha=0.8, label=label)
    if len(results) > 1:
        axes.step(SHARES, np.mean(shares, axis=0), where="post", color="0.4", linewidth=2.5, label="all levels")
    axes.set(xlabel="steps / budget", ylabel="solved fraction of seeds", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    bare(axes)
    config = results[0].config
    mixer = called(config.mixer.name, config.mixer.options)
    figure.suptitle(f"{mixer}, track {config.track.name} {config.track.version}")
    save(figure, path)


def draw_losses(
    axes: Axes,
    members: Iterable[MemberRow],
    lines: Iterable[tuple[np.ndarray, np.ndarray]],
    colour: str,
    *,
    label: str | None = None,
) -> None:
    """One thin line a seed, a dot where it solved.

    Args:
        axes: where to draw.
        members: rows of a run.
        lines: of each, steps `(K,)` and mean loss at them in nats `(K,)`; NaN where it had finished.
        colour: of all of it.
        label: in the legend, once.
    """
    for row, (steps, losses) in zip(members, lines, strict=True):
        axes.plot(steps, losses, color=colour, linewidth=0.9, alpha=0.7, label=label)
        label = None
        if row.steps is not None:
            axes.plot(row.steps, losses[np.searchsorted(steps, row.steps)], "o", color=colour, markersize=4)


def draw_solved(
    axes: Axes, members: Sequence[MemberRow], budget: int, colour: str, *, label: str | None = None
) -> None:
    """The solved fraction of seeds against step, up to the budget.

    No seed is censored before the budget, so this is the Kaplan-Meier curve, turned round.
    """
    steps = sorted(row.steps for row in members if row.steps is not None)
    fractions = np.arange(len(steps) + 1) / len(members)
    axes.step([0, *steps, budget], [*fractions, fractions[-1]], where="post", color=colour, label=label)
