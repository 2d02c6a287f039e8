"""From the entries of a board to its standings: ranks, tests, ratios and costs, as plain data for all readers."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

from benchbed.boards.board import BoardRow, Costs, Standings, TunedRate
from benchbed.boards.entries.entry import Entry, current_entries, load_entry, without_number
from benchbed.boards.folders import BOARD_FILE, entry_files, stamp
from benchbed.boards.ranking import Place, rank
from benchbed.config.protocol import MINIMUM_SEEDS
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError
from benchbed.reporting.wording import bound, differing
from benchbed.results.result import Result
from benchbed.results.scoring import restricted
from benchbed.results.stats import ratio_of_means
from benchbed.results.tuning import given_up_at
from benchbed.storage.files import write_text
from benchbed.storage.names import file_name

__all__ = ["compute_standings", "training_costs", "write_standings"]


class _Standing(NamedTuple):
    """A run that stands on a board, or would."""

    key: str
    """An entry's file; another one for each run that is none."""
    name: str
    """As readers know it."""
    result: Result
    standing: str


def compute_standings(folder: Path, guests: Sequence[Result] = ()) -> Standings:
    """Rank a board's entries and gather what its readers are shown.

    Args:
        folder: the board's.
        guests: runs of its level, track and budget that are no entries, to stand among them as if they were.

    Raises:
        EntryError: a file is no entry, or a guest was trained otherwise than the board's entries.
    """
    entries = current_entries([load_entry(path) for path in entry_files(folder)])
    known = _names(entries)
    standing = [_Standing(e.entry, known[e.entry], e.result, e.standing) for e in entries]
    for number, guest in enumerate(guests, start=1):
        _refuse_stranger(guest, folder, entries)
        name = f"{_with_options(guest, [*guests, *(entry.result for entry in entries)])} (run {number})"
        standing.append(_Standing(name, name, guest, "quick look" if guest.unranked else "run"))
    ranks, pairs = rank(
        {s.key: s.result.restricted_steps for s in standing if s.standing == "quick look" or _ranked(s.result)}
    )
    mixer = load_track(str(folder.parent / "track.yaml")).baseline
    baseline = next((entry for entry in entries if known[entry.entry] == mixer), None)
    rows = [_row(s, ranks.get(s.key), baseline) for s in standing]
    rows.sort(
        key=lambda row: (row["rank"] or len(rows) + 1, -row["solved"] / row["seeds"], row["mean_steps"], row["entry"])
    )
    standings: Standings = {
        "track": folder.parent.name,
        "level": folder.name,
        "budget": entries[0].result.config.budget.steps if entries else None,
        "baseline": mixer if baseline else None,
        "rows": rows,
        "pairs": [{"first": a, "second": b, "p": p, "adjusted": q} for a, b, p, q in pairs],
        "stamp": stamp(folder),
    }
    return cast(Standings, _rounded(standings))


def write_standings(folder: Path, *, write: bool) -> bool:
    """Bring `board.json` up to date, or only look; whether it was out of date."""
    text = json.dumps(compute_standings(folder), indent=1, allow_nan=False) + "\n"
    path = folder / BOARD_FILE
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    if write:
        write_text(path, text)
    return True


def training_costs(result: Result) -> Costs:
    """What solving costs on average, beside steps; unsolved seeds count with the whole budget.

    Samples are sequences. FLOPs are three forward passes a step (one forward, two backward), as counted by torch.
    Seconds are those of the entry's machine, the confirming evaluation included; no other machine's compare.
    """
    samples = result.summary.mean_steps * result.costs.sequences_per_step
    return {
        "samples": samples,
        "flops": 3 * samples * result.costs.sequence_length * result.costs.flops_per_token,
        "seconds": result.summary.seconds / len(result.members),
    }


def _with_options(guest: Result, others: Sequence[Result]) -> str:
    """Its mixer, with the options that others of the same mixer have otherwise."""
    mixer = guest.config.mixer
    alike = [other.config.mixer.options for other in others if other.config.mixer.name == mixer.name]
    return f"{mixer.name} {differing(mixer.options, alike)}".strip()


def _names(entries: list[Entry]) -> dict[str, str]:
    """What readers call each entry: its mixer, the options that differ from the defaults, and TF32.

    So `delta_net` is the mixer as published on every board, whoever else stands there. The number of a later entry
    is left out where no other would be called the same.
    """
    called = {}
    for entry in entries:
        mixer = entry.result.config.mixer.name
        called[entry.entry] = mixer + without_number(entry.entry.removeprefix(file_name(mixer)))
    several = Counter(called.values())
    return {entry: name if several[name] == 1 else entry for entry, name in called.items()}


def _rounded(data: Any) -> Any:
    """Nine digits of every number: the last ones differ between versions of SciPy, and are no drift."""
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_rounded(value) for value in data]
    return float(f"{data:.9g}") if isinstance(data, float) else data


def _ranked(result: Result) -> bool:
    return len(result.members) >= MINIMUM_SEEDS and not result.unranked


def _refuse_stranger(guest: Result, folder: Path, entries: list[Entry]) -> None:
    """Another track, level or budget is another question; fewer seeds, or a rate that was given, is the same one."""
    if not entries:
        return
    theirs, mine = entries[0].result.config, guest.config
    for what, expected, found in (
        ("track", theirs.track, mine.track),
        ("level", theirs.level, mine.level),
        ("task version", theirs.task.task_version, mine.task.task_version),
        ("task options", theirs.task.options, mine.task.options),
        ("budget", theirs.budget, mine.budget),
        ("backbone", theirs.backbone, mine.backbone),
        ("bias", theirs.score_bias, mine.score_bias),
    ):
        if expected != found:
            raise EntryError(
                f"a run of {mine.mixer.name} cannot stand on {folder.parent.name}/{folder.name}: expected {what} "
                f"{expected}, found {found}; run it at the board's"
            )


def _row(standing: _Standing, place: Place | None, baseline: Entry | None) -> BoardRow:
    result, summary, steps = standing.result, standing.result.summary, standing.result.restricted_steps
    ratio, interval = ratio_of_means(steps, baseline.steps) if baseline else (None, None)
    is_baseline = baseline is not None and standing.key == baseline.entry
    if is_baseline:
        interval = None
    tuning = [_tuned(result, rate) for rate in sorted({row.learning_rate for row in result.tuning})]
    return {
        "name": standing.name,
        "entry": standing.key,
        "rank": place.rank if place else None,
        "last_rank": place.last if place else None,
        "mixer": result.config.mixer.name,
        "options": result.config.mixer.options,
        "solved": summary.solved,
        "seeds": summary.seeds,
        "solve_rate_interval": summary.solve_rate_interval,
        "mean_steps": summary.mean_steps,
        "mean_steps_interval": summary.mean_steps_interval,
        "median_steps": summary.median_steps,
        "median_interval": summary.median_interval,
        "steps": steps,
        "ratio": ratio,
        "ratio_interval": interval,
        "ratio_bound": bound(_solved(result), _solved(baseline.result)) if baseline and not is_baseline else "",
        "learning_rate": result.learning_rate,
        "rates_that_solve": sum(2 * rate["solved"] > rate["seeds"] for rate in tuning),
        "rates": len(tuning),
        "tuning": tuning,
        "parameters": result.costs.parameters,
        "mixer_parameters": result.costs.mixer_parameters,
        "flops_per_token": result.costs.flops_per_token,
        **training_costs(result),
        "device": result.environment.device,
        "date": result.finished[:10],
        "standing": standing.standing,
    }


def _solved(result: Result) -> tuple[int, int]:
    """Solved and all seeds."""
    return result.summary.solved, result.summary.seeds


def _tuned(result: Result, rate: float) -> TunedRate:
    """What the tuning seeds did at a rate; the mean counts an unsolved one with the whole budget."""
    rows = [row for row in result.tuning if row.learning_rate == rate]
    budget = result.config.budget.steps
    return {
        "rate": rate,
        "solved": sum(row.status == "solved" for row in rows),
        "seeds": len(rows),
        "mean_steps": fmean(restricted(row.steps, budget) for row in rows) if rows else None,
        "given_up": given_up_at(rows),
    }
