"""What a person sees in the terminal; the only user of Rich.

In a terminal a run shows a live view; elsewhere plain log lines, one every few seconds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchbed.reporting.wording import (
    begun_elsewhere,
    bound,
    clock,
    known_at_the_end,
    labels,
    number,
    options_line,
    with_interval,
)

if TYPE_CHECKING:
    from benchbed.checks.findings import Finding
    from benchbed.results.result import Result

__all__ = ["comparison_table", "listing_table", "print_finding", "result_table"]


def result_table(result: "Result") -> RenderableType:
    """Everything that a reader asks first about one result."""
    summary, config, where = result.summary, result.config, result.environment
    low, high = summary.solve_rate_interval
    rows = {
        "mixer options": options_line(config.mixer.options) or "none",
        "task options": options_line(config.task.options),
        "solved": f"{summary.solved} of {summary.seeds} seeds, {summary.solve_rate:.0%} [{low:.0%}, {high:.0%}]",
        "mean steps": f"{_mean(result)}, budget {config.budget.steps:,}",
        "median steps": _median(result),
        "steps by seed": " ".join(_seed(row.steps, row.status) for row in result.members),
        "known at the end": known_at_the_end(result),
        "plateau end": _plateau(result),
        "learning rate": f"{result.learning_rate:g}",
        "solved in tuning": _tuning(result),
        "parameters": f"{result.costs.parameters:,}, {result.costs.mixer_parameters:,} of them in the mixer",
        "FLOPs a token": f"{result.costs.flops_per_token:,.0f} (forward)",
        "time": clock(result.seconds),
        "computed on": f"{where.device}, engine {where.engine}{', compiled' if where.compiled else ''}",
        "begun elsewhere": begun_elsewhere(result),
        "engine note": where.engine_note,
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


def comparison_table(results: Sequence["Result"]) -> Table:
    """Several results against the first."""
    first = results[0].config
    mixers = labels([(result.config.mixer.name, result.config.mixer.options) for result in results])
    title = f"{first.level}, track {first.track.name} {first.track.version}; ratio to {mixers[0]}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("mixer", "solved", "mean steps [95%]", "ratio", "median", "rate"):
        table.add_column(column, justify="left" if column == "mixer" else "right", overflow="fold")
    for mixer, result in zip(mixers, results, strict=True):
        table.add_row(
            mixer,
            f"{result.summary.solved}/{result.summary.seeds}",
            _mean(result),
            _ratio(result, results[0]),
            number(result.summary.median_steps),
            f"{result.learning_rate:g}",
        )
    return table


def print_finding(console: Console, finding: "Finding") -> None:
    """One line, or a few where there is something to say."""
    mark, colour = {"passed": ("✓", "green"), "note": ("•", "cyan"), "failed": ("✗", "red")}[finding.status]
    line = Text(f"{mark} {finding.check}", style=colour)
    if finding.message:
        line.append(f": {finding.message}", style="default")
    console.print(line, soft_wrap=True)


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


def _plateau(result: "Result") -> str:
    """The mean step, a lower bound where seeds ended on their plateau."""
    left, seeds = sum(row.plateau_end is not None for row in result.members), len(result.members)
    mean = number(result.summary.mean_plateau_end, missing="never")
    return mean if left in (0, seeds) else f"> {mean}, {seeds - left} of {seeds} seeds never left it"


def _ratio(result: "Result", first: "Result") -> str:
    """Ratio of restricted means; a bound where seeds were stopped by the budget."""
    mine, other = result.summary, first.summary
    sign = bound((mine.solved, mine.seeds), (other.solved, other.seeds))
    return f"{sign}{mine.mean_steps / other.mean_steps:.2f}"


def _tuning(result: "Result") -> str:
    if not result.tuning:
        return "not tuned, the rate was given"
    from benchbed.results.tuning import given_up_at

    parts = []
    for rate in sorted({row.learning_rate for row in result.tuning}):
        rows = [row for row in result.tuning if row.learning_rate == rate]
        step = given_up_at(rows)
        given_up = f" (given up at {step:,})" if step else ""
        parts.append(f"{sum(row.status == 'solved' for row in rows)}/{len(rows)} at {rate:g}{given_up}")
    return ", ".join(parts)


def _seed(steps: int | None, status: str) -> str:
    return f"{steps:,}" if steps is not None else status
