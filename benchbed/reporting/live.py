"""A run in front of a console: live in a terminal, log lines elsewhere."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchbed.errors import BenchbedError
from benchbed.reporting.tables import result_table
from benchbed.reporting.wording import clock
from benchbed.results.result import Result
from benchbed.runs.environment import uncommitted
from benchbed.runs.execute import PlannedRun, execute
from benchbed.runs.progress import Progress
from benchbed.training.engine import EngineSettings, worth_compiling

if TYPE_CHECKING:
    from benchbed.runs.ray import Work

__all__ = ["LOG_SECONDS", "Backend", "Reporter", "run_live", "say", "train_ahead", "train_all_ahead"]

Backend = Literal["local", "ray"]
"""Where runs are trained: in this process, or by the workers of a Ray cluster."""
LOG_SECONDS = 5.0
_MARKS = {
    "solved": ("✓", "green"),
    "training": ("…", "cyan"),
    "unsolved": ("✗", "yellow"),
    "diverged": ("!", "red"),
    "leaked": ("!", "red"),
    "stopped": ("-", "dim"),
}
_WORDS = {"stopped": "given up"}


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

    def observe(self, progress: Progress) -> None:
        """Show where a run stands."""
        if self._live is not None:
            self._live.update(_live_view(progress), refresh=True)
            return
        stage = (progress.config.mixer.name, progress.stage)
        if stage != self._stage or time.monotonic() - self._logged >= LOG_SECONDS:
            self._stage, self._logged = stage, time.monotonic()
            self._console.print(f"{_heading(progress)}: {_standing(progress)}", soft_wrap=True, highlight=False)


def say(console: Console, line: str) -> None:
    """One line as it is: not wrapped, not coloured, brackets and all."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def train_ahead(
    planned: Sequence[PlannedRun],
    engine: EngineSettings,
    console: Console,
    *,
    retrain: bool = False,
    work: "Work | None" = None,
) -> dict[PlannedRun, str]:
    """Have runs trained on Ray, so that what comes next finds them finished.

    Args:
        planned: the runs.
        engine: how to compute.
        console: where progress goes.
        retrain: begin from nothing, whatever lies in the folders.
        work: what a worker does with a run; see `benchbed.runs.ray`.

    Returns:
        What went wrong, by run.

    Raises:
        OptionError: Ray is not installed.
    """
    from benchbed.runs.ray import carry_out, train_on_ray

    problems: dict[PlannedRun, str] = {}
    say(console, f"{len(planned)} runs on Ray")
    trained = train_on_ray(planned, engine, retrain=retrain, work=work or carry_out)
    for done, (run, problem) in enumerate(trained, start=1):
        name = f"{run.config.mixer.name} on {run.config.level}"
        say(console, f"{done} of {len(planned)}: {name} {f'failed: {problem}' if problem else 'is trained'}")
        if problem:
            problems[run] = problem
    return problems


def train_all_ahead(
    planned: Sequence[PlannedRun],
    engine: EngineSettings,
    console: Console,
    *,
    retrain: bool = False,
    work: "Work | None" = None,
) -> None:
    """`train_ahead` for those who need every run.

    Raises:
        BenchbedError: one went wrong, or Ray is not installed.
    """
    for problem in train_ahead(planned, engine, console, retrain=retrain, work=work).values():
        raise BenchbedError(problem)


def run_live(planned: PlannedRun, engine: EngineSettings, console: Console, *, retrain: bool = False) -> Result:
    """Carry out a run in front of a console, and show its result; errors are those of `execute`."""
    config = planned.config
    if config.unranked:
        say(console, f"{config.mixer.name}: this run is unranked: {'; '.join(config.unranked)}")
    if retrain or not planned.finished:
        if not config.unranked and (changed := uncommitted()):
            say(
                console,
                f"{config.mixer.name}: this run could not be published, because the checkout has uncommitted "
                f"changes ({', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''}); commit, and begin again",
            )
        if engine.compiled is None:
            engine = replace(engine, compiled=worth_compiling(planned.recipe, engine.device))
        if engine.compiled:
            say(
                console,
                f"{config.mixer.name}: torch.compile comes first, for up to minutes; not with --no-compile",
            )
    reporter = Reporter(console)
    with reporter.watching():
        outcome = execute(planned, engine, reporter.observe, retrain=retrain)
    if outcome.reused:
        say(console, f"finished before, on {outcome.result.finished}; --retrain trains it again")
    console.print(result_table(outcome.result))
    say(console, f"written to {outcome.folder}")
    return outcome.result


def _heading(progress: Progress) -> str:
    others = f" and {progress.runs - 1} like it" if progress.runs > 1 else ""
    return f"{progress.config.mixer.name} on {progress.config.level}{others}, {progress.stage}"


def _standing(progress: Progress) -> str:
    members = progress.trajectories
    count = Counter(t.status for t in members)
    becoming = [f"{count[s]} {_WORDS.get(s, s)}" for s in _MARKS if count[s] or s in ("solved", "training")]
    # Where training stands is told by those that still train; at the end, by all.
    current = [t for t in members if t.status == "training"] or members
    losses = [t.evaluations[-1].mean_loss for t in current if t.evaluations and t.evaluations[-1].finite]
    loss = f"{fmean(losses):.3f}" if losses else "unknown"
    speed = progress.steps_per_second
    first, last = min(t.step for t in current), max(t.step for t in current)
    steps = f"step {last:,}" if first == last else f"steps {first:,} to {last:,}"
    pace = f"{speed:.0f} steps/s; at most {clock(progress.seconds_left)} left" if speed else "no evaluation yet"
    return (
        f"{steps} of {members[0].budget:,}; {', '.join(becoming)} of {len(members)}; "
        f"loss {loss} (chance {progress.chance_loss:.3f}); {pace}"
    )


def _live_view(progress: Progress) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    rows = sorted({(t.member.run, t.member.learning_rate) for t in progress.trajectories})
    for run, rate in rows:
        seeds = Text()
        for t in progress.trajectories:
            if (t.member.run, t.member.learning_rate) == (run, rate):
                mark, colour = _MARKS[t.status]
                seeds.append(f"{t.member.seed}: {mark}{t.steps_to_solve or t.step}   ", style=colour)
        table.add_row(f"run {run + 1}, rate {rate:g}" if progress.runs > 1 else f"rate {rate:g}", seeds)
    return Group(Text(_heading(progress), style="bold"), table, Text(_standing(progress)))
