"""One `benchbed trace` from its runs to its tables and pictures, with progress on a console."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchbed.config.run_config import RunConfig
from benchbed.lab.trace.figures import draw_bias, draw_trace
from benchbed.lab.trace.maps import Agreement
from benchbed.lab.trace.members import MemberTrace, trace, write_trace
from benchbed.lab.trace.snapshots import snapshot_file
from benchbed.reporting.tables import Reporter, listing_table, say
from benchbed.results.result import Result, run_folder
from benchbed.results.stats import paired_p
from benchbed.runs.execute import EngineRequest
from benchbed.storage.files import write_atomically
from benchbed.training.recipe import make_recipe

__all__ = ["run_trace_job"]


def run_trace_job(
    configs: Sequence[RunConfig], out: Path, device: torch.device, console: Console, *, fresh: bool = False
) -> list[tuple[Result, list[MemberTrace]]]:
    """Trace a run, and the same with biased scores if there is a second config; write and draw what was seen.

    Args:
        configs: of one run, or of it without and with a bias.
        out: where run folders go.
        device: where to train.
        console: where progress goes.
        fresh: train again what is finished.

    Raises:
        BenchbedError: the runs do not work, or a file cannot be written.
    """
    for config in configs:
        recipe, task = make_recipe(config)
        recipe.make_model(0, task)  # a bias that cannot be given is found before anything trains
    outcomes = []
    for config in configs:
        folder, reporter = run_folder(out, config), Reporter(console)
        with reporter.watching():
            result, traced = trace(config, folder, EngineRequest("auto", device), reporter.observe, fresh=fresh)
        write_trace(result, traced, folder)
        console.print(listing_table([_row(member) for member in traced]))
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
        _compare(outcomes[0], outcomes[1], run_folder(out, configs[1]), console)
    return outcomes


def _row(member: MemberTrace) -> dict[str, Any]:
    row = member.row
    first = member.jumps[0].begin if member.jumps else None
    return {
        "seed": row.seed,
        "solved at": row.steps or row.status,
        "plateau end": row.plateau_end or "never",
        "jumps": f"{len(member.jumps)}" + ("" if first is None else f", first after step {first:,}"),
        "parents found by influence": _found(member.influence),
        "by mixing weights": _found(member.mixing),
        "reads later tokens": _later(member.influence),
    }


def _found(seen: dict[int, Agreement]) -> str:
    if not seen:
        return "no such map"
    *_, last = seen.values()
    low, high = last.chance_range
    return f"{last.overlap:.0%} (chance {last.chance:.0%}, {low:.0%}-{high:.0%})"


def _later(seen: dict[int, Agreement]) -> str:
    share = max((each.later for each in seen.values()), default=0.0)
    return f"YES, {share:.0%} of the map" if share > 1e-6 else "no"


def _compare(
    plain: tuple[Result, list[MemberTrace]], biased: tuple[Result, list[MemberTrace]], folder: Path, console: Console
) -> None:
    """Does the plateau vanish with the bias? Seed by seed, with an exact test where it can tell anything."""
    budget = plain[0].config.budget.steps
    ends = [[member.row.plateau_end or budget for member in traced] for _, traced in (plain, biased)]
    draw_bias(plain, biased, folder / "bias.png")
    p = paired_p(*ends)
    rows = [{"plateau end": "without", **_by_seed(plain[1])}, {"plateau end": "with the bias", **_by_seed(biased[1])}]
    console.print(listing_table(rows))
    least = 2 / 2 ** len(ends[0])
    say(console, f"exact paired test on min(plateau end, budget): p = {p:.3g} (the least possible is {least:.3g})")
    lines = f"plateau_end_without: {ends[0]}\nplateau_end_with_bias: {ends[1]}\np: {p:.6g}\n"
    write_atomically(folder / "bias.yaml", lambda file: file.write(lines.encode()))
    say(console, f"{folder / 'bias.png'} drawn")


def _by_seed(traced: list[MemberTrace]) -> dict[str, Any]:
    return {f"seed {member.row.seed}": member.row.plateau_end or "never" for member in traced}
