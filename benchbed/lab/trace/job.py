"""One `benchbed trace` from its runs to its tables and pictures, with progress on a console."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from benchbed.config.request import RunRequest
from benchbed.lab.trace.figures import draw_bias, draw_trace
from benchbed.lab.trace.members import MemberTrace, trace, train_recorded, write_trace
from benchbed.lab.trace.snapshots import snapshot_file
from benchbed.lab.trace.tables import plateau_ends, trace_row
from benchbed.reporting.live import Backend, Reporter, say, train_all_ahead
from benchbed.reporting.tables import listing_table
from benchbed.results.result import Result
from benchbed.results.scoring import restricted
from benchbed.results.stats import paired_p
from benchbed.runs.execute import prepare
from benchbed.storage.files import write_text
from benchbed.training.engine import EngineSettings

__all__ = ["run_trace"]


def run_trace(
    requests: Sequence[RunRequest],
    out: Path,
    device: torch.device,
    console: Console,
    *,
    retrain: bool = False,
    backend: Backend = "local",
) -> list[tuple[Result, list[MemberTrace]]]:
    """Trace a run, and the same with biased scores if there is a second request; write and draw what was seen.

    Args:
        requests: one, or the same without and with a bias.
        out: where run folders go.
        device: where to train.
        console: where progress goes.
        retrain: train again what is finished.
        backend: where to train.

    Raises:
        BenchbedError: the runs do not work, or a file cannot be written.
    """
    runs = [prepare(request.resolve(device.type), out) for request in requests]
    for run in runs:
        run.recipe.make_model(0, run.task)  # a bias that cannot be given is found before anything trains
    engine, outcomes = EngineSettings("auto", device), []
    if backend == "ray":
        train_all_ahead(runs, engine, console, retrain=retrain, work=train_recorded)
        retrain = False
    for run in runs:
        folder, reporter = run.folder, Reporter(console)
        with reporter.watching():
            result, traced = trace(run, engine, reporter.observe, retrain=retrain)
        write_trace(result, traced, folder)
        console.print(listing_table([trace_row(member) for member in traced]))
        for member in traced:
            path = folder / f"trace-seed{member.row.seed}.png"
            draw_trace(result, member, path)
            say(console, f"{path} drawn")
        say(console, f"{folder / 'trace.yaml'} written; weights of every evaluation in {folder / 'weights'}")
        jumping = next((member for member in traced if member.jumps and member.mixing), None)
        if jumping:
            before, after = (
                snapshot_file(folder, jumping.row.seed, step) for step in (jumping.jumps[0].begin, jumping.steps[-1])
            )
            say(console, f"what the patterns carry: benchbed patch {before} {after}")
        outcomes.append((result, traced))
    if len(outcomes) == 2:
        _compare(outcomes[0], outcomes[1], runs[1].folder, console)
    return outcomes


def _compare(
    plain: tuple[Result, list[MemberTrace]], biased: tuple[Result, list[MemberTrace]], folder: Path, console: Console
) -> None:
    """Does the plateau vanish with the bias? Seed by seed, with an exact test where it can tell anything."""
    budget = plain[0].config.budget.steps
    ends = [[restricted(member.row.plateau_end, budget) for member in traced] for _, traced in (plain, biased)]
    draw_bias(plain, biased, folder / "bias.png")
    p = paired_p(*ends)
    rows = [
        {"plateau end": "without", **plateau_ends(plain[1])},
        {"plateau end": "with the bias", **plateau_ends(biased[1])},
    ]
    console.print(listing_table(rows))
    least = 2 / 2 ** len(ends[0])
    say(console, f"exact paired test on min(plateau end, budget): p = {p:.3g} (the least possible is {least:.3g})")
    lines = f"plateau_end_without: {ends[0]}\nplateau_end_with_bias: {ends[1]}\np: {p:.6g}\n"
    write_text(folder / "bias.yaml", lines)
    say(console, f"{folder / 'bias.png'} drawn")
