"""What a person sees in the terminal; the only user of Rich.

In a terminal a run shows a live view; elsewhere plain log lines, one every few seconds.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchbed.reporting.wording import bound, number, options_line, with_interval

if TYPE_CHECKING:
    from benchbed.checks.findings import Finding
    from benchbed.lab.profile.measure import MixerProfile
    from benchbed.lab.trace.patching import Patch
    from benchbed.results.result import Result
    from benchbed.runs.progress import Progress

__all__ = [
    "Reporter",
    "comparison_table",
    "listing_table",
    "mixer_tables",
    "patch_tables",
    "print_finding",
    "result_table",
    "say",
]

_LOG_SECONDS = 5.0
_MARKS = {
    "solved": ("✓", "green"),
    "training": ("…", "cyan"),
    "unsolved": ("✗", "yellow"),
    "diverged": ("!", "red"),
}


class Reporter:
    """Shows progress on a console: live in a terminal, as log lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._logged = -math.inf
        self._stage: tuple[str, str] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the live view open; on the way out it is wiped, and the result takes its place."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as self._live:
            yield
        self._live = None

    def observe(self, progress: "Progress") -> None:
        """Show where a run stands."""
        if self._live is not None:
            self._live.update(_live_view(progress), refresh=True)
            return
        stage = (progress.config.mixer.name, progress.stage)
        if stage != self._stage or time.monotonic() - self._logged >= _LOG_SECONDS:
            self._stage, self._logged = stage, time.monotonic()
            self._console.print(f"{_heading(progress)}: {_standing(progress)}", soft_wrap=True, highlight=False)


def _heading(progress: "Progress") -> str:
    others = f" and {progress.cells - 1} like it" if progress.cells > 1 else ""
    return f"{progress.config.mixer.name} on {progress.config.level}{others}, {progress.stage}"


def _standing(progress: "Progress") -> str:
    members = progress.trajectories
    count = {status: sum(t.status == status for t in members) for status in _MARKS}
    # Where training stands is told by those that still train; at the end, by all.
    current = [t for t in members if t.status == "training"] or members
    losses = [t.evaluations[-1].mean_loss for t in current if t.evaluations and t.evaluations[-1].finite]
    loss = f"{fmean(losses):.3f}" if losses else "unknown"
    speed = progress.steps_per_second
    pace = f"{speed:.0f} steps/s; at most {_clock(progress.seconds_left)} left" if speed else "no evaluation yet"
    return (
        f"step {max(t.step for t in members):,} of {members[0].budget:,}; {count['solved']} solved, "
        f"{count['training']} training, {count['diverged']} diverged of {len(members)}; "
        f"loss {loss} (chance {progress.chance_loss:.3f}); {pace}"
    )


def _live_view(progress: "Progress") -> RenderableType:
    table = Table.grid(padding=(0, 2))
    rows = sorted({(t.member.cell, t.member.learning_rate) for t in progress.trajectories})
    for cell, rate in rows:
        seeds = Text()
        for t in progress.trajectories:
            if (t.member.cell, t.member.learning_rate) == (cell, rate):
                mark, colour = _MARKS[t.status]
                seeds.append(f"{t.member.seed}: {mark}{t.steps_to_solve or t.step}   ", style=colour)
        table.add_row(f"run {cell + 1}, rate {rate:g}" if progress.cells > 1 else f"rate {rate:g}", seeds)
    return Group(Text(_heading(progress), style="bold"), table, Text(_standing(progress)))


def result_table(result: "Result") -> RenderableType:
    """Everything that a reader asks first about one result."""
    summary, config = result.summary, result.config
    low, high = summary.solve_rate_interval
    rows = {
        "mixer options": options_line(config.mixer.options) or "none",
        "task options": options_line(config.task.options),
        "solved": f"{summary.solved} of {summary.seeds} seeds, {summary.solve_rate:.0%} [{low:.0%}, {high:.0%}]",
        "mean steps": f"{_mean(result)}, budget {config.budget.steps:,}",
        "median steps": _median(result),
        "steps by seed": " ".join(_seed(row.steps, row.status) for row in result.members),
        "plateau end": number(summary.mean_plateau_end, missing="never"),
        "learning rate": f"{result.learning_rate:g}",
        "solved in tuning": _tuning(result),
        "parameters": f"{result.costs.parameters:,}, {result.costs.mixer_parameters:,} of them in the mixer",
        "FLOPs a token": f"{result.costs.flops_per_token:,.0f} (forward)",
        "time": _clock(result.seconds),
        "computed on": f"{result.environment.device}, engine {result.environment.engine}",
        "engine note": result.environment.engine_note,
        "ranked": "no: " + "; ".join(result.unranked) if result.unranked else "yes",
    }
    table = Table(
        show_header=False,
    )
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, Text(value))
    title = f"{config.mixer.name} on {config.level}, track {config.track.name} {config.track.version}"
    note = Text(
        "95% intervals: Wilson for the rate, Student's t for the mean, order statistics for the median", "dim"
    )
    return Group(Text(title, style="bold"), table, note)


def mixer_tables(profile: "MixerProfile") -> RenderableType:
    """What a mixer is and what it costs."""
    facts = {
        "from": f"{profile.distribution} {profile.version}",
        "options": options_line(profile.options) or "none",
        "state": str(profile.state),
    }
    about = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        about.add_row(name, Text(value))
    table = Table(box=SIMPLE_HEAD)
    table.add_column("level", no_wrap=True)
    for column in ("tokens", "parameters", "mixer's", "FLOPs", "ms a step", "ratio"):
        table.add_column(column, justify="right")
    for row in profile.levels:
        costs = row.costs
        table.add_row(
            row.level,
            number(costs.sequence_length),
            number(costs.parameters),
            number(costs.mixer_parameters),
            number(costs.flops_per_token),
            f"{row.milliseconds:.1f}",
            "-" if row.ratio is None else f"{row.ratio:.2f}",
        )
    state = f" state: measured at width {profile.state.width}." if not isinstance(profile.state, str) else ""
    note = (
        f"Measured here at the default levels of track {profile.track}. FLOPs: a token, forward, of matrix products, "
        f"convolutions and triangular systems. ms: forward and backward pass of one member on one core; ratio: to "
        f"{profile.baseline or 'nothing, the track has no baseline'}, in turns with it.{state}"
    )
    heading = Text.assemble((profile.name, "bold"), f"  {profile.description}")
    return Group(heading, about, table, Text(note, "dim"))


def comparison_table(results: Sequence["Result"]) -> Table:
    """Several results against the first."""
    first = results[0].config
    title = f"{first.level}, track {first.track.name} {first.track.version}; ratio to {first.mixer.name}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("mixer", "solved", "mean steps [95%]", "ratio", "median", "rate"):
        table.add_column(column, justify="left" if column == "mixer" else "right", overflow="fold")
    for result in results:
        table.add_row(
            result.config.mixer.name,
            f"{result.summary.solved}/{result.summary.seeds}",
            _mean(result),
            _ratio(result, results[0]),
            number(result.summary.median_steps),
            f"{result.learning_rate:g}",
        )
    return table


def patch_tables(patch: "Patch") -> RenderableType:
    """What patterns carry, both ways."""
    title = Text(
        f"seed {patch.seed}: loss {patch.early_loss:.4f} at step {patch.early_step:,}, "
        f"{patch.late_loss:.4f} at step {patch.late_step:,}",
        style="bold",
    )
    table = Table(box=SIMPLE_HEAD)
    columns = ("patterns of", "late into early: loss", "gap recovered", "early into late: loss", "gap lost")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for late, early in zip(patch.into_early, patch.into_late, strict=True):
        name = "all heads" if late.layer is None else f"layer {late.layer + 1}, head {(late.head or 0) + 1}"
        table.add_row(
            name, f"{late.loss:.4f}", f"{late.recovered:.1%}", f"{early.loss:.4f}", f"{early.recovered:.1%}"
        )
    return Group(title, table)


def print_finding(console: Console, finding: "Finding") -> None:
    """One line, or a few where there is something to say."""
    mark, colour = {"passed": ("✓", "green"), "note": ("•", "cyan"), "failed": ("✗", "red")}[finding.status]
    line = Text(f"{mark} {finding.check}", style=colour)
    if finding.message:
        line.append(f": {finding.message}", style="default")
    console.print(line, soft_wrap=True)


def say(console: Console, line: str) -> None:
    """One line as it is: not wrapped, not coloured, brackets and all."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def listing_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Rows of text under their keys; a list takes a line an item."""
    table = Table(box=None, pad_edge=False)
    for position, (key, value) in enumerate(rows[0].items() if rows else []):
        table.add_column(key, no_wrap=position == 0 or isinstance(value, list), overflow="fold")
    for row in rows:
        table.add_row(*("\n".join(value) if isinstance(value, list) else str(value) for value in row.values()))
    return table


def _mean(result: "Result") -> str:
    return with_interval(result.summary.mean_steps, result.summary.mean_steps_interval)


def _median(result: "Result") -> str:
    interval = result.summary.median_interval
    ends = [number(end) for end in interval or []]
    return number(result.summary.median_steps) + (f" [{', '.join(ends)}]" if ends else "")


def _ratio(result: "Result", first: "Result") -> str:
    """Ratio of restricted means; a bound where seeds were stopped by the budget."""
    mine, other = result.summary, first.summary
    sign = bound((mine.solved, mine.seeds), (other.solved, other.seeds))
    return f"{sign}{mine.mean_steps / other.mean_steps:.2f}"


def _tuning(result: "Result") -> str:
    if not result.tuning:
        return "not tuned, the rate was given"
    parts = []
    for rate in result.config.optimiser.learning_rates:
        rows = [row for row in result.tuning if row.learning_rate == rate]
        parts.append(f"{sum(row.status == 'solved' for row in rows)}/{len(rows)} at {rate:g}")
    return ", ".join(parts)


def _seed(steps: int | None, status: str) -> str:
    return f"{steps:,}" if steps is not None else status


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
