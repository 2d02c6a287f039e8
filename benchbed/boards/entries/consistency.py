"""What an entry must satisfy by itself: place, track, sources, rows, curves and summary tell one story.

Each check yields the field, what was expected and what was found.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchbed.boards.entries.entry import Entry, entry_folder, entry_name, without_number
from benchbed.config.protocol import MINIMUM_SEEDS, PLATEAU_END
from benchbed.config.run_config import MixerReference, TaskReference
from benchbed.config.tracks import Track, load_track
from benchbed.errors import BenchbedError
from benchbed.plugins.registry import Kind, Plugin
from benchbed.plugins.sources import class_attribute, keyword_arguments
from benchbed.results.scoring import MemberRow, summarise
from benchbed.results.tuning import choose_learning_rate, races, stops_by_mistake
from benchbed.storage.names import file_name

__all__ = ["Discrepancy", "check_entry", "check_sources", "short"]


class Discrepancy(NamedTuple):
    """One thing that is wrong with an entry."""

    field: str
    expected: object
    found: object


def check_entry(entry: Entry, path: Path, boards: Path) -> Iterator[Discrepancy]:
    """Everything that is wrong with an entry, whatever was published before.

    Args:
        entry: as it was read.
        path: its file.
        boards: the folder that holds the tracks.
    """
    yield from _of_the_file(entry, path, boards)
    yield from _of_the_track(entry, path)
    yield from _of_the_rows(entry)
    yield from _of_the_curves(entry)
    yield from _of_the_summary(entry)


def _of_the_file(entry: Entry, path: Path, boards: Path) -> Iterator[Discrepancy]:
    if entry.entry != path.stem:
        yield Discrepancy("entry", f"{path.stem} (the file's name)", entry.entry)
    folder = entry_folder(boards, entry.result)
    if folder != path.parent:
        yield Discrepancy("(file)", f"a place in {folder.relative_to(boards)}", path.parent.relative_to(boards))
    mixer = file_name(entry.result.config.mixer.name)
    if not (entry.entry == mixer or entry.entry.startswith(f"{mixer}-")):
        yield Discrepancy("entry", f"{mixer}, or {mixer}-... for its options", entry.entry)
    if entry.result.config.mixer.distribution != "benchbed" and not entry.provenance.source_url:
        yield Discrepancy("provenance.source_url", "where the mixer's source lies", None)


def _of_the_track(entry: Entry, path: Path) -> Iterator[Discrepancy]:
    """The protocol is that of the track."""
    config = entry.result.config
    try:
        track = load_track(str(path.parent.parent / "track.yaml"))
        _, level = track.level(config.task.name, config.task.level)
    except BenchbedError as error:
        yield Discrepancy("result.config", "a published track and level", str(error))
        return
    wanted: dict[str, tuple[Any, Any]] = {
        "track.version": (track.version, config.track.version),
        "track.hash": (track.hash, config.track.hash),
        "backbone": (track.sizes_at(level), config.backbone),
        "optimiser": (track.optimiser, config.optimiser),
        "budget": (track.budget_at(level), config.budget),
        "scoring_seeds": (list(range(track.seeds.scoring)), config.scoring_seeds),
        "tuning_seeds": (track.seeds.tuning, config.tuning_seeds),
        "checked": (True, config.checked),
        "unranked": ([], config.unranked),
    }
    wanted |= {f"task.options.{key}": (value, config.task.options.get(key)) for key, value in level.options.items()}
    for field, (expected, found) in wanted.items():
        if expected != found:
            yield Discrepancy(f"result.config.{field}", expected, found)
    if len(config.scoring_seeds) < MINIMUM_SEEDS:
        yield Discrepancy("result.config.scoring_seeds", f"at least {MINIMUM_SEEDS}", len(config.scoring_seeds))
    for environment in entry.result.environments:
        if environment.benchbed != config.benchbed:
            yield Discrepancy("result.environment.benchbed", config.benchbed, environment.benchbed)
        if environment.git_dirty:
            yield Discrepancy("result.environment.git_dirty", "false: a run of committed code", True)
    if entry.result.unranked:
        yield Discrepancy("result.unranked", [], entry.result.unranked)
    yield from _tuning(entry, track)


def _tuning(entry: Entry, track: Track) -> Iterator[Discrepancy]:
    rows, budget = entry.result.tuning, entry.result.config.budget.steps
    rates = [rate for race in races(rows, track.optimiser, budget) for rate in race]
    wanted = [(rate, seed) for rate in rates for seed in track.seeds.tuning]
    found = [(row.learning_rate, row.seed) for row in rows]
    if wanted != found:
        yield Discrepancy("result.tuning", f"one row for each of {len(wanted)} rates and seeds", found)
    for mistake in stops_by_mistake(rows, track.optimiser, budget):
        yield Discrepancy("result.tuning", "stops of rates that could no longer win", mistake)
    chosen = choose_learning_rate(rows, budget)
    if chosen != entry.result.learning_rate:
        yield Discrepancy("result.learning_rate", f"{chosen} (chosen by the tuning rows)", entry.result.learning_rate)


def check_sources(entry: Entry, installed: Mapping[tuple[Kind, str], Plugin]) -> Iterator[Discrepancy]:
    """Where the source is at hand it must be the one that was scored, and its defaults say what the entry is called.

    It is read and not imported.

    Args:
        entry: what was scored.
        installed: plug-ins by kind and label.
    """
    config = entry.result.config
    references: list[tuple[Kind, MixerReference | TaskReference]] = [("mixer", config.mixer), ("task", config.task)]
    for kind, reference in references:
        plugin = installed.get((kind, reference.name))
        if plugin is None:
            if reference.distribution == "benchbed":
                yield Discrepancy(f"result.config.{kind}.name", f"a {kind} of benchbed", reference.name)
            continue
        if plugin.distribution != reference.distribution:
            yield Discrepancy(f"result.config.{kind}.distribution", plugin.distribution, reference.distribution)
        if plugin.source_hash != reference.source_hash and plugin.version == reference.version:
            yield Discrepancy(
                f"result.config.{kind}.source_hash",
                f"{plugin.source_hash} (the source at hand; run the {kind} again and supersede the entry)",
                reference.source_hash,
            )
        elif kind == "mixer" and plugin.source_hash == reference.source_hash:
            yield from _of_the_name(entry, keyword_arguments(plugin.target))
        version = class_attribute(plugin.target, "version")
        if kind == "task" and version is not None and version != config.task.task_version:
            yield Discrepancy("result.config.task.task_version", version, config.task.task_version)


def _of_the_name(entry: Entry, defaults: dict[str, Any] | None) -> Iterator[Discrepancy]:
    """The name says which options differ from the defaults, as far as the source writes these down."""
    config = entry.result.config
    if defaults is None or defaults.keys() != config.mixer.options.keys() or ... in defaults.values():
        return
    if without_number(entry.entry) != (name := entry_name(config, defaults)):
        yield Discrepancy("entry", f"{name}, by the options that are not the defaults", entry.entry)


def _of_the_rows(entry: Entry) -> Iterator[Discrepancy]:
    """Every row is one that a run under this budget can write."""
    result = entry.result
    for name, rows in (("tuning", result.tuning), ("members", result.members)):
        for number, row in enumerate(rows):
            for wrong in _of_a_row(row, entry):
                yield wrong._replace(field=f"result.{name}[{number}].{wrong.field}")
    for number, row in enumerate(result.members):
        if row.status == "stopped":
            yield Discrepancy(
                f"result.members[{number}].status", "an end of its own; only tuning is stopped", "stopped"
            )
        if row.learning_rate != result.learning_rate:
            yield Discrepancy(f"result.members[{number}].learning_rate", result.learning_rate, row.learning_rate)


def _of_a_row(row: MemberRow, entry: Entry) -> Iterator[Discrepancy]:
    budget = entry.result.config.budget
    every = budget.evaluate_every
    for field in ("steps", "plateau_end", "trained_steps"):
        value = getattr(row, field)
        if value is not None and (value % every or value > budget.steps):
            yield Discrepancy(field, f"a multiple of {every} up to {budget.steps}", value)
    ends = {"solved": (row.steps or 0) + every, "unsolved": budget.steps}
    if row.status in ends and row.trained_steps != ends[row.status]:
        yield Discrepancy("trained_steps", f"{ends[row.status]} for a seed that is {row.status}", row.trained_steps)
    if (row.final_loss is None) != (row.status == "diverged"):
        yield Discrepancy("final_loss", "a number exactly where a seed did not diverge", row.final_loss)
    scored = entry.result.scored_tokens
    if (row.known is None) != (scored is None) or (row.known or 0) > (scored or 0):
        yield Discrepancy("known", "nothing" if scored is None else f"a number up to {scored}", row.known)
    if row.plateau_end is not None and row.plateau_end > row.trained_steps:
        yield Discrepancy("plateau_end", f"at most {row.trained_steps}, the last evaluation", row.plateau_end)


def _of_the_curves(entry: Entry) -> Iterator[Discrepancy]:
    """The curves and the rows tell one story."""
    result, every = entry.result, entry.result.config.budget.evaluate_every
    if len(entry.loss_curves) != len(result.members):
        yield Discrepancy("loss_curves", f"{len(result.members)} lines", len(entry.loss_curves))
        return
    for number, (row, line) in enumerate(zip(result.members, entry.loss_curves, strict=True)):
        place = f"loss_curves[{number}]"
        try:
            losses = [float(word) for word in line.split()]
        except ValueError:
            yield Discrepancy(place, "numbers", line)
            continue
        if len(losses) != row.trained_steps // every:
            yield Discrepancy(place, f"{row.trained_steps // every} evaluations", len(losses))
        elif row.final_loss is not None and not math.isclose(losses[-1], row.final_loss, rel_tol=1e-5):
            yield Discrepancy(
                f"{place} at its end", f"result.members[{number}].final_loss {row.final_loss}", losses[-1]
            )
        yield from (Discrepancy(place, *wrong) for wrong in _plateau(row, losses, result.chance_loss, every))


def _plateau(row: MemberRow, losses: Sequence[float], chance: float, every: int) -> Iterator[tuple[object, object]]:
    bar = PLATEAU_END * chance
    index = (row.plateau_end // every if row.plateau_end else len(losses) + 1) - 1
    # Curves are rounded: a loss within a hundred-thousandth of the bar may lie on either side.
    before = [loss for loss in losses[:index] if loss < bar * (1 - 1e-5)]
    if before:
        yield f"no loss below {bar:.6g} before the plateau end {row.plateau_end}", before[0]
    if index < len(losses) and not losses[index] <= bar * (1 + 1e-5):
        yield f"at most {bar:.6g} at the plateau end {row.plateau_end}", losses[index]


def _of_the_summary(entry: Entry) -> Iterator[Discrepancy]:
    result = entry.result
    expected = summarise(result.members, result.config.budget.steps).model_dump()
    for field, found in result.summary.model_dump().items():
        if not _equal(expected[field], found):
            yield Discrepancy(f"result.summary.{field}", f"{short(expected[field])} (from the rows)", found)


def _equal(expected: Any, found: Any) -> bool:
    """Up to rounding: SciPy's last digits differ between versions."""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return all(map(_equal, expected, found))
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-12)
    return expected == found


def short(value: object) -> str:
    """On one line, and not endless."""
    text = " ".join(str(value).split())
    return text if len(text) <= 160 else f"{text[:157]}..."
