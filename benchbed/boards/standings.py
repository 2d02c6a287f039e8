"""From the entries of a board to its standings: ranks, tests, ratios and costs, as plain data for all readers."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from benchbed.boards.board import BoardRow, Costs, Standings, TunedRate
from benchbed.boards.entries.entry import Entry, current_entries, load_entry
from benchbed.boards.folders import BOARD_FILE, entry_files, stamp
from benchbed.boards.ranking import rank
from benchbed.config.protocol import MINIMUM_SEEDS
from benchbed.config.tracks import load_track
from benchbed.reporting.wording import bound
from benchbed.results.result import Result
from benchbed.results.scoring import restricted
from benchbed.results.stats import ratio_of_means
from benchbed.results.tuning import given_up_at
from benchbed.storage.files import write_text

__all__ = ["compute_standings", "training_costs", "write_standings"]


def compute_standings(folder: Path) -> Standings:
    """Rank a board's entries and gather what its readers are shown.

    Raises:
        EntryError: a file is no entry.
    """
    entries = current_entries([load_entry(path) for path in entry_files(folder)])
    boards = {entry.entry: entry for entry in entries}
    ranks, pairs = rank({name: entry.steps for name, entry in boards.items() if _ranked(entry)})
    baseline = _baseline(entries, load_track(str(folder.parent / "track.yaml")).baseline)
    names = _names(entries)
    rows = [_row(e, names[e.entry], ranks.get(e.entry), baseline) for e in entries]
    rows.sort(
        key=lambda row: (row["rank"] or len(rows) + 1, -row["solved"] / row["seeds"], row["mean_steps"], row["entry"])
    )
    standings: Standings = {
        "track": folder.parent.name,
        "level": folder.name,
        "budget": entries[0].result.config.budget.steps if entries else None,
        "baseline": names[baseline.entry] if baseline else None,
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


def _names(entries: list[Entry]) -> dict[str, str]:
    """What readers call each entry: by its mixer where that is enough."""
    mixers = [entry.result.config.mixer.name for entry in entries]
    return {e.entry: m if mixers.count(m) == 1 else e.entry for e, m in zip(entries, mixers, strict=True)}


def _baseline(entries: list[Entry], mixer: str | None) -> Entry | None:
    """The baseline's plainest entry: the one whose name says no option that differs from its defaults."""
    mine = [entry for entry in entries if entry.result.config.mixer.name == mixer]
    return min(mine, key=lambda entry: (entry.entry.count("="), entry.entry), default=None)


def _rounded(data: Any) -> Any:
    """Nine digits of every number: the last ones differ between versions of SciPy, and are no drift."""
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_rounded(value) for value in data]
    return float(f"{data:.9g}") if isinstance(data, float) else data


def _ranked(entry: Entry) -> bool:
    return len(entry.result.members) >= MINIMUM_SEEDS and not entry.result.unranked


def _row(entry: Entry, name: str, place: int | None, baseline: Entry | None) -> BoardRow:
    result, summary = entry.result, entry.result.summary
    ratio, interval = ratio_of_means(entry.steps, baseline.steps) if baseline else (None, None)
    if entry is baseline:
        interval = None
    tuning = [_tuned(entry, rate) for rate in sorted({row.learning_rate for row in result.tuning})]
    return {
        "name": name,
        "entry": entry.entry,
        "rank": place,
        "mixer": result.config.mixer.name,
        "options": result.config.mixer.options,
        "solved": summary.solved,
        "seeds": summary.seeds,
        "solve_rate_interval": summary.solve_rate_interval,
        "mean_steps": summary.mean_steps,
        "mean_steps_interval": summary.mean_steps_interval,
        "median_steps": summary.median_steps,
        "median_interval": summary.median_interval,
        "steps": entry.steps,
        "ratio": ratio,
        "ratio_interval": interval,
        "ratio_bound": bound(_solved(entry), _solved(baseline)) if baseline else "",
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
        "standing": entry.standing,
    }


def _solved(entry: Entry) -> tuple[int, int]:
    """Solved and all seeds."""
    return entry.result.summary.solved, entry.result.summary.seeds


def _tuned(entry: Entry, rate: float) -> TunedRate:
    """What the tuning seeds did at a rate; the mean counts an unsolved one with the whole budget."""
    rows = [row for row in entry.result.tuning if row.learning_rate == rate]
    budget = entry.result.config.budget.steps
    return {
        "rate": rate,
        "solved": sum(row.status == "solved" for row in rows),
        "seeds": len(rows),
        "mean_steps": fmean(restricted(row.steps, budget) for row in rows) if rows else None,
        "given_up": given_up_at(rows),
    }
