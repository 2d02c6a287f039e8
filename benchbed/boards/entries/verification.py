"""Training a published entry again, and saying what came of it."""

from datetime import datetime
from pathlib import Path

from benchbed.boards.entries.entry import Entry, Verification, save_entry
from benchbed.config.protocol import CONTRADICTED
from benchbed.errors import OptionError
from benchbed.results.result import Result
from benchbed.results.stats import paired_p, permutation_p
from benchbed.runs.again import fresh_seeds

__all__ = ["choose_seeds", "judge", "mark"]


def choose_seeds(entry: Entry, count: int | None, fresh: bool) -> list[int]:
    """The seeds to train: the first of those that were scored, or fresh ones.

    Raises:
        OptionError: there are not as many.
    """
    scored = entry.result.config.scoring_seeds
    count = len(scored) if count is None else count
    if fresh:
        return fresh_seeds(count)
    if not 1 <= count <= len(scored):
        raise OptionError(f"--seeds: expected 1 to {len(scored)}, found {count}")
    return scored[:count]


def judge(entry: Entry, again: Result, by: str) -> Verification:
    """Compare the steps of a second training with the published ones.

    The same seeds are compared pair by pair, fresh ones as an independent sample.

    Args:
        entry: what was published.
        again: what `benchbed.runs.again` made of its seeds, or of fresh ones.
        by: who trained it again.
    """
    seeds, steps, there = again.config.scoring_seeds, again.restricted_steps, again.environment
    published = dict(zip(entry.result.config.scoring_seeds, entry.steps, strict=True))
    if all(seed in published for seed in seeds):
        before = [published[seed] for seed in seeds]
        p = None if before == steps else paired_p(before, steps)
    else:
        p = permutation_p(entry.steps, steps)
    return Verification(
        date=datetime.fromisoformat(again.finished).date().isoformat(),
        by=by,
        verdict="identical" if p is None else "consistent" if p >= CONTRADICTED else "inconsistent",
        seeds=seeds,
        p=p,
        device=there.device,
        torch=there.torch,
        benchbed=there.benchbed,
    )


def mark(entry: Entry, path: Path, verification: Verification) -> Entry:
    """Write a verification into the entry's file."""
    marked = entry.model_copy(update={"verifications": [*entry.verifications, verification]}).sealed()
    save_entry(marked, path)
    return marked
