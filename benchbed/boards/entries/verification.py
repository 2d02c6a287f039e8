"""Training a published entry again, and saying what came of it."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchbed import __version__
from benchbed.boards.entries.entry import Entry, Verification, save_entry
from benchbed.config.protocol import CONTRADICTED
from benchbed.errors import EntryError, OptionError
from benchbed.plugins.registry import find
from benchbed.results.scoring import restricted
from benchbed.results.stats import paired_p, permutation_p
from benchbed.runs.progress import Progress, progress_of
from benchbed.training.devices import device_name
from benchbed.training.engine import EngineSettings, choose_engine
from benchbed.training.ensemble import Ensemble
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

__all__ = ["FRESH", "choose_seeds", "judge", "mark", "train_again"]

FRESH = 1_000_000
"""First of the seeds that no track scores or tunes on."""


def choose_seeds(entry: Entry, count: int | None, fresh: bool) -> list[int]:
    """The seeds to train: the first of those that were scored, or fresh ones.

    Raises:
        OptionError: there are not as many.
    """
    scored = entry.result.config.scoring_seeds
    count = len(scored) if count is None else count
    if not 1 <= count <= (32 if fresh else len(scored)):
        raise OptionError(f"--seeds: expected 1 to {32 if fresh else len(scored)}, found {count}")
    return list(range(FRESH, FRESH + count)) if fresh else scored[:count]


def train_again(
    entry: Entry, seeds: Sequence[int], device: torch.device, observe: Callable[[Progress], None]
) -> list[int]:
    """Train seeds at the entry's learning rate, and give min(steps, budget) of each; compiled if the entry was.

    Raises:
        EntryError: the mixer or task at hand is not the one that was scored.
    """
    config = entry.result.config
    for kind, reference in (("mixer", config.mixer), ("task", config.task)):
        plugin = find(kind, reference.name)  # pyright: ignore[reportArgumentType]
        if plugin.source_hash != reference.source_hash:
            raise EntryError(
                f"{plugin.owner} {plugin.version} has another source than the one that was scored: expected version "
                f"{reference.version}, commit {entry.result.environment.git_commit}; install that"
            )
    recipe, task = make_recipe(config)
    settings, _ = choose_engine(recipe, EngineSettings("auto", device, entry.result.environment.compiled))
    members = [Member(seed, entry.result.learning_rate) for seed in seeds]
    started = time.perf_counter()

    def report(ensemble: Ensemble) -> None:
        seconds, trained = time.perf_counter() - started, ensemble.steps_now()
        observe(progress_of(config, "scoring", ensemble, task.chance_loss, seconds=seconds, trained=trained))

    ensemble = Ensemble(recipe, members, settings)
    trained = {t.member.seed: t.steps_to_solve for t in ensemble.train(report)}
    return [restricted(trained[seed], config.budget.steps) for seed in seeds]


def judge(entry: Entry, seeds: Sequence[int], steps: Sequence[int], device: torch.device, by: str) -> Verification:
    """Compare the steps of a second training with the published ones.

    The same seeds are compared pair by pair, fresh ones as an independent sample; both tests are exact.
    """
    published = dict(zip(entry.result.config.scoring_seeds, entry.steps, strict=True))
    if all(seed in published for seed in seeds):
        before = [published[seed] for seed in seeds]
        p = None if before == list(steps) else paired_p(before, steps)
    else:
        p = permutation_p(entry.steps, steps)
    return Verification(
        date=datetime.now(UTC).date().isoformat(),
        by=by,
        verdict="identical" if p is None else "consistent" if p >= CONTRADICTED else "inconsistent",
        seeds=list(seeds),
        p=p,
        device=device_name(device),
        torch=torch.__version__,
        benchbed=__version__,
    )


def mark(entry: Entry, path: Path, verification: Verification) -> Entry:
    """Write a verification into the entry's file."""
    marked = entry.model_copy(update={"verifications": [*entry.verifications, verification]}).sealed()
    save_entry(marked, path)
    return marked
