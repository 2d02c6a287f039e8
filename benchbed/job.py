"""A job is what one `benchbed run` command asks for: one run a mixer, all planned before the first one trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console

from benchbed.config.request import plan
from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import Track, load_track, track_names
from benchbed.errors import OptionError
from benchbed.plugins.options import parse_assignments
from benchbed.reporting.live import Reporter, say
from benchbed.reporting.tables import result_table
from benchbed.results.result import Result, run_folder
from benchbed.runs.execute import execute
from benchbed.runs.matching import match_parameters
from benchbed.training.devices import find_device
from benchbed.training.engine import EngineRequest
from benchbed.training.recipe import make_recipe

__all__ = ["Job", "run_job"]


@dataclass(frozen=True)
class Job:
    """The command line of `benchbed run`, as it was given."""

    mixers: list[str]
    task: str
    track: str | None
    mixer_options: list[str] = field(default_factory=list)
    task_options: list[str] = field(default_factory=list)
    match_parameters: int | None = None
    match_by: str | None = None
    seeds: int | None = None
    max_steps: int | None = None
    learning_rate: float | None = None
    out: Path = Path("runs")
    engine: Literal["auto", "vmap", "loop"] = "auto"
    device: str = "auto"
    compiled: bool = False
    fresh: bool = False
    checked: bool = True


def run_job(job: Job, console: Console) -> list[Result]:
    """Run every mixer in turn, showing progress and each result on the console.

    Raises:
        BenchbedError: something that was asked for does not exist or does not fit together; nothing has trained.
    """
    device = find_device(job.device)
    track_name = job.track or ("standard" if device.type == "cuda" else "lite")
    if job.track is None:
        reason = "CUDA is present" if device.type == "cuda" else f"the device is {device.type}, not CUDA"
        say(console, f"track {track_name}, because {reason}; choose another with --track")
    if len(set(job.mixers)) < len(job.mixers):
        raise OptionError(f"--mixer: expected different mixers, found {', '.join(job.mixers)}")
    if job.match_by and job.match_parameters is None:
        raise OptionError("--match-by: expected --match-parameters with it")
    track = load_track(track_name)
    configs = [_config(mixer, job, track, track_name, device.type) for mixer in job.mixers]
    for config in configs:
        make_recipe(config)
    request = EngineRequest(job.engine, device, job.compiled)
    if job.compiled:
        say(console, "--compile: the first evaluation waits for torch.compile, which can take minutes")
    return [_run_one(config, job, request, console) for config in configs]


def _config(mixer: str, job: Job, track: Track, track_name: str, device: str) -> RunConfig:
    def planned(options: dict[str, str], backbone: Mapping[str, str]) -> RunConfig:
        return plan(
            mixer,
            job.task,
            track,
            track_is_published=track_name in track_names(),
            mixer_options=parse_assignments(job.mixer_options, "--mixer-option") | options,
            task_options=parse_assignments(job.task_options, "--task-option"),
            backbone=backbone,
            seeds=job.seeds,
            max_steps=job.max_steps,
            learning_rate=job.learning_rate,
            device=device,
            checked=job.checked,
        )

    if job.match_parameters is None:
        return planned({}, {})
    option = job.match_by
    if option is not None:
        planned({option: "1"}, {})  # an option that does not exist is no size that the mixer refuses
        return match_parameters(lambda size: planned({option: str(size)}, {}), job.match_parameters, f"'{option}'")
    shape = track.backbone
    return match_parameters(
        lambda dim: planned({}, {"dim": str(dim), "mlp_dim": str(dim * shape.mlp_dim // shape.dim)}),
        job.match_parameters,
        "the width",
        step=8,
    )


def _run_one(config: RunConfig, job: Job, request: EngineRequest, console: Console) -> Result:
    folder = run_folder(job.out, config)
    if config.unranked:
        say(console, f"{config.mixer.name}: this run is unranked: {'; '.join(config.unranked)}")
    reporter = Reporter(console)
    with reporter.watching():
        outcome = execute(config, folder, request, reporter.observe, fresh=job.fresh)
    if outcome.reused:
        say(console, f"finished before, on {outcome.result.finished}; --fresh trains it again")
    console.print(result_table(outcome.result))
    say(console, f"written to {outcome.folder}")
    return outcome.result
