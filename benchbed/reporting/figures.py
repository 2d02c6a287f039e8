"""Pictures of results, with matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchbed.errors import OptionError, ResultError
from benchbed.results.history import History
from benchbed.results.result import Result
from benchbed.storage.files import write_atomically

__all__ = ["plot_results"]

FORMATS = (".png", ".svg")


def plot_results(results: Sequence[tuple[Result, History]], path: Path) -> None:
    """Draw loss against step for every seed, and the solved fraction against step.

    Args:
        results: of one task and level.
        path: a `.png` or `.svg`.

    Raises:
        OptionError: the file has another ending.
        ResultError: the results are of different levels or tracks.
        StorageError: the file cannot be written.
    """
    if path.suffix not in FORMATS:
        raise OptionError(f"-o: expected a file ending in {' or '.join(FORMATS)}, found '{path}'")
    boards = sorted({f"{r.config.level} {r.config.task.options} on {r.config.track.name}" for r, _ in results})
    if len(boards) > 1:
        raise ResultError(f"expected results of one level and track, found {'; '.join(boards)}; plot them apart")
    matplotlib.use("Agg")
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    curves, solved = figure.subplots(1, 2)
    for number, (result, history) in enumerate(results):
        colour = f"C{number % 10}"
        _draw_losses(curves, result, history, colour)
        _draw_solved(solved, result, colour)
    first = results[0][0]
    curves.axhline(first.chance_loss, color="0.5", linestyle=":", linewidth=1, label="chance")
    curves.set(xlabel="step", ylabel="held-out loss of the scored tokens (nats)", ylim=(0, None))
    solved.set(xlabel="step", ylabel="solved fraction of seeds", ylim=(-0.02, 1.02))
    for axes in (curves, solved):
        axes.set_xlim(0, first.config.budget.steps)
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{first.config.level}, track {first.config.track.name} {first.config.track.version}")
    write_atomically(path, lambda file: figure.savefig(file, format=path.suffix[1:], dpi=160))


def _draw_losses(axes: Axes, result: Result, history: History, colour: str) -> None:
    """One thin line a seed, a dot where it solved."""
    for row, losses in zip(result.members, history.loss.mean(axis=2), strict=True):
        label = result.config.mixer.name if row.seed == result.members[0].seed else None
        axes.plot(history.steps, losses, color=colour, linewidth=0.9, alpha=0.7, label=label)
        if row.steps is not None:
            at = losses[np.searchsorted(history.steps, row.steps)]
            axes.plot(row.steps, at, "o", color=colour, markersize=4)


def _draw_solved(axes: Axes, result: Result, colour: str) -> None:
    """The empirical distribution function of steps to solve, up to the budget."""
    steps = sorted(row.steps for row in result.members if row.steps is not None)
    fractions = np.arange(len(steps) + 1) / len(result.members)
    summary = result.summary
    axes.step(
        [0, *steps, result.config.budget.steps],
        [*fractions, fractions[-1]],
        where="post",
        color=colour,
        label=f"{result.config.mixer.name}: {summary.solved} of {summary.seeds}",
    )
