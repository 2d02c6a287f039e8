"""Pictures of traces: losses and their jumps, agreement with the parents, and maps before and after each jump."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from benchbed.lab.trace.jumps import events
from benchbed.lab.trace.maps import Agreement
from benchbed.lab.trace.members import MemberTrace
from benchbed.reporting.figures import bare, save
from benchbed.reporting.wording import called
from benchbed.results.result import Result

__all__ = ["draw_bias", "draw_trace"]

Traced = tuple[Result, Sequence[MemberTrace]]


def draw_trace(result: Result, member: MemberTrace, path: Path) -> None:
    """Draw one member as PNG.

    Raises:
        StorageError: the file cannot be written.
    """
    maps = list(member.frames.items())
    explicit = all(map_.mixing is not None for _, map_ in maps)
    figure = Figure(figsize=(max(10, 2.3 * len(maps) + 2.6), 9.2 if explicit else 6.6), layout="constrained")
    heights = [1.35, 1, 1] if explicit else [1.35, 1]
    rows = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    curves, shares = rows[0].subplots(1, 2)
    _draw_losses(curves, result, member)
    _draw_agreement(shares, result, member)
    _draw_maps(rows[1], "influence on each output (gradients)", {s: m.influence for s, m in maps}, member)
    if explicit:
        strongest = {s: m.mixing.max(axis=0) for s, m in maps if m.mixing is not None}
        _draw_maps(rows[2], "mixing weights, strongest head", strongest, member)
    config = result.config
    bias = f", bias {config.score_bias:g} on the parents" if config.score_bias else ""
    mixer, task = called(config.mixer.name, config.mixer.options), called(config.level, config.task.options)
    outcome = f"solved at step {member.row.steps:,}" if member.row.steps else member.row.status
    figure.suptitle(
        f"{mixer} on {task}\nseed {member.row.seed}, rate {member.row.learning_rate:g}{bias}: {outcome}", fontsize=10
    )
    save(figure, path, dpi=150)


def draw_bias(plain: Traced, biased: Traced, path: Path) -> None:
    """Draw the mean loss of every seed without and with a bias towards the parents, as PNG.

    Raises:
        StorageError: the file cannot be written.
    """
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    for colour, (result, traced) in zip(("C0", "C1"), (plain, biased), strict=True):
        for number, member in enumerate(traced):
            label = f"bias {result.config.score_bias:g} on the parents" if number == 0 else None
            axes.plot(member.steps, member.losses.mean(axis=1), color=colour, linewidth=1.1, alpha=0.8, label=label)
    config, chance = plain[0].config, plain[0].chance_loss
    axes.axhline(chance, color="0.5", linestyle=":", linewidth=1)
    axes.set(xlabel="step", ylabel="held-out loss (nats)", ylim=(0, None), xlim=(0, None))
    axes.set_title(
        f"{config.mixer.name} on {config.level}, seeds {config.scoring_seeds[0]}-{config.scoring_seeds[-1]}"
    )
    bare(axes)
    axes.legend(frameon=False)
    save(figure, path, dpi=150)


def _draw_losses(axes: Axes, result: Result, member: MemberTrace) -> None:
    """One line a scored token, a dot at the end of each jump, a band over each time of jumps."""
    number = member.losses.shape[1]
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, number))
    for token, colour in enumerate(colours):
        axes.plot(member.steps, member.losses[:, token], color=colour, linewidth=1.0)
    for jump in member.jumps:
        axes.plot(jump.end, jump.after, "o", color=colours[jump.token], markersize=4)
    for begin, end in events(member.jumps):
        axes.axvspan(begin, end, color="0.5", alpha=0.12, linewidth=0)
    axes.axhline(result.chance_loss, color="0.5", linestyle=":", linewidth=1)
    axes.set(xlabel="step", ylabel="held-out loss (nats)", ylim=(0, None), xlim=(0, member.steps[-1]))
    axes.set_title(f"loss of each of {number} outputs; {len(member.jumps)} jumps", fontsize="medium")
    bare(axes)


def _draw_agreement(axes: Axes, result: Result, member: MemberTrace) -> None:
    for label, colour, seen in (("influence", "C0", member.influence), ("mixing weights", "C3", member.mixing)):
        if seen:
            _draw_overlap(axes, label, colour, seen)
    if member.influence:
        axes.legend(frameon=False, fontsize="small", loc="lower right")
    else:
        axes.text(0.5, 0.5, "the task names no parents", ha="center", va="center")
    for begin, end in events(member.jumps):
        axes.axvspan(begin, end, color="0.5", alpha=0.12, linewidth=0)
    axes.set(xlabel="step", ylabel="share", ylim=(0, 1.02), xlim=(0, member.steps[-1]))
    axes.set_title("parents found: overlap (line), chance (dotted, 95% band), mass (dashed)", fontsize="medium")
    bare(axes)


def _draw_overlap(axes: Axes, label: str, colour: str, seen: dict[int, Agreement]) -> None:
    steps = list(seen)
    axes.plot(steps, [a.overlap for a in seen.values()], color=colour, linewidth=1.6, label=label)
    axes.plot(steps, [a.mass for a in seen.values()], color=colour, linewidth=1, linestyle="--")
    axes.plot(steps, [a.chance for a in seen.values()], color=colour, linewidth=1, linestyle=":")
    low, high = zip(*(a.chance_range for a in seen.values()), strict=True)
    axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)


def _draw_maps(figure: SubFigure, title: str, shown: dict[int, np.ndarray], member: MemberTrace) -> None:
    """Small multiples over time, and the truth at the end."""
    panels = {f"step {step:,}": values for step, values in shown.items()}
    if member.parents is not None:
        panels["true parents"] = member.parents.astype(float)
    figure.suptitle(title, fontsize="medium")
    for axes, (name, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        top = values.max() or 1.0
        axes.imshow(values, cmap="Greys" if name == "true parents" else "magma_r", vmin=0, vmax=top, aspect="auto")
        axes.set_title(name, fontsize="small")
        axes.set_xlabel("token", fontsize="small")
        axes.tick_params(labelsize="x-small")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    count, whole = len(next(iter(shown.values()))), member.losses.shape[1]
    figure.get_axes()[0].set_ylabel("output" if count == whole else f"last {count} outputs", fontsize="small")
