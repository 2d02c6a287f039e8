"""One `benchbed reproduce` from its runs to its figure, its numbers and its verdict, with progress on a console."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchbed import __version__
from benchbed.config.request import RunRequest
from benchbed.config.tracks import Track, load_track
from benchbed.errors import OptionError, ResultError
from benchbed.lab.paper.claims import Verdict, abruptness, fall_shares, judge_abruptness
from benchbed.lab.paper.experiments import FIGURES, Experiment, Part, Scale, lines_of, names_of, numbers_of
from benchbed.lab.paper.figures import draw_experiment, draw_losses, scale_mark
from benchbed.lab.sweep.job import run_sweep
from benchbed.lab.trace.members import MemberTrace, trace, train_recorded
from benchbed.reporting.live import Backend, Reporter, say, train_all_ahead
from benchbed.runs.execute import prepare
from benchbed.storage.files import write_yaml
from benchbed.training.devices import device_name, find_device
from benchbed.training.engine import EngineSettings

__all__ = ["reproduce"]

_LEVEL = "linear_map@s3"
"""Where the losses of single outputs are looked at."""


def reproduce(
    name: str, scale: Scale, out: Path, device: str, console: Console, *, backend: Backend = "local"
) -> Verdict:
    """Run an experiment of the paper; write `figure.png`, `numbers.yaml` and `verdict.yaml`.

    Args:
        name: of `benchbed.lab.paper.experiments.FIGURES`.
        scale: `quick` takes a CPU about ten minutes, `medium` an hour or two; `full` is the paper's.
        out: where the experiment's folder goes.
        device: as the user names it.
        console: where progress goes.
        backend: where runs are trained.

    Raises:
        BenchbedError: it is not planned at this scale, or a run does not work.
    """
    experiment = FIGURES[name]
    if scale == "medium" and not (experiment and experiment.medium):
        known = ", ".join(name for name, one in FIGURES.items() if one and one.medium)
        raise OptionError(f"--scale medium: expected one of {known}, found {name}; give quick or full")
    folder = out / (name if scale == "full" else f"{name}-{scale}")
    if experiment is None:
        verdict, about = _losses(scale, folder, device, console, backend)
    else:
        verdict, about = _sweeps(experiment, scale, folder, device, console, backend)
    data = {
        "figure": name,
        "paper": about["paper"],
        "scale": "full" if scale == "full" else f"{scale}: smaller than the paper's",
        **about,
        "test": verdict.test,
        "effect": verdict.effect,
        "p": float(f"{verdict.p:.3g}"),
        "verdict": verdict.outcome,
        "device": device_name(find_device(device)),
        "torch": str(torch.__version__),
        "benchbed": __version__,
        "command": f"benchbed reproduce {name} --scale {scale}",
    }
    write_yaml(folder / "verdict.yaml", data)
    say(console, f"claim: {about['claim']}")
    where = "" if scale == "full" else " at this scale"
    say(console, f"{verdict.outcome}{where}: {verdict.effect}, p = {verdict.p:.3g} ({verdict.test})")
    say(console, f"{folder} holds figure.png, numbers.yaml and verdict.yaml")
    return verdict


def _sweeps(
    experiment: Experiment, scale: Scale, folder: Path, device: str, console: Console, backend: Backend
) -> tuple[Verdict, dict[str, Any]]:
    parts: Sequence[Part] = getattr(experiment, scale)
    numbers, commits, budgets = list[dict[str, Any]](), set[str | None](), set[int]()
    for number, part in enumerate(parts, start=1):
        cells = run_sweep(part.sweep, folder / f"sweep-{number}", device, backend, console)
        for cell in cells:
            if cell.result is None:
                raise ResultError(f"{part.label}: {cell.problem}; the figure needs every cell")
            numbers.append(numbers_of(experiment, part, cell))
            commits.update(environment.git_commit for environment in cell.result.environments)
            budgets.add(cell.result.config.budget.steps)
    lines = lines_of(experiment, numbers)
    write_yaml(folder / "numbers.yaml", {"cells": numbers})
    request = parts[0].sweep.request
    about = {
        "paper": experiment.paper,
        "claim": experiment.claim,
        "note": experiment.note or None,
        "track": request.track,
        "seeds": len(numbers[0]["steps"]),
        "max_steps": max(budgets),
        "learning_rate": request.learning_rate or "tuned for each cell",
        "trained_by_commit": sorted(filter(None, commits)),
    }
    names = names_of(experiment, numbers)
    draw_experiment(experiment, lines, names, about["max_steps"], folder / "figure.png", scale)
    return experiment.judge(lines), about


def _losses(
    scale: Scale, folder: Path, device: str, console: Console, backend: Backend
) -> tuple[Verdict, dict[str, Any]]:
    """Figure 3: the loss of every output against step, in every seed."""
    found = find_device(device)
    track: str | Track = "standard"
    if scale == "quick":  # looked at five times as often, because a member solves within a few hundred steps
        lite = load_track("lite")
        track = lite.model_copy(update={"budget": lite.budget.model_copy(update={"evaluate_every": 5})})
    request = RunRequest("multi_head_attention", _LEVEL, track, learning_rate=1e-3, checked=False)
    run, reporter = prepare(request.resolve(found.type), folder), Reporter(console)
    engine = EngineSettings("auto", found)
    if backend == "ray":
        train_all_ahead([run], engine, console, work=train_recorded)
    with reporter.watching():
        result, traced = trace(run, engine, reporter.observe)
    config = run.config
    chance = result.chance_loss
    shares = [abruptness(member.steps, member.losses, chance) for member in traced]
    numbers = [_member_numbers(member, share, chance) for member, share in zip(traced, shares, strict=True)]
    write_yaml(folder / "numbers.yaml", {"members": numbers})
    title = f"held-out loss of every output (nats), {config.level}, multi_head_attention{scale_mark(scale)}"
    draw_losses(traced, title, folder / "figure.png")
    solved = [member.row.steps for member in traced if member.row.steps is not None]
    about = {
        "paper": "arXiv 2606.25010",
        "claim": "Outputs are learned abruptly, each at a step of its own that differs from seed to seed.",
        "note": f"steps to solve by seed, of those that did: {solved}",
        "track": config.track.name,
        "seeds": len(traced),
        "max_steps": config.budget.steps,
        "learning_rate": 1e-3,
        "trained_by_commit": sorted(filter(None, {environment.git_commit for environment in result.environments})),
    }
    return judge_abruptness(shares), about


def _member_numbers(member: MemberTrace, share: float, chance: float) -> dict[str, Any]:
    falls = fall_shares(member.steps, member.losses, chance)
    return {
        "seed": member.row.seed,
        "steps": member.row.steps,
        "abrupt_outputs": round(share, 4),
        "fall_shares": [None if fall is None else round(fall, 4) for fall in falls],
        "jumps": [[jump.token, jump.begin, jump.end] for jump in member.jumps],
    }
