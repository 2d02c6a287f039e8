"""Boards as a folder of static pages: no server, no outside request, readable without JavaScript."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchbed import __version__
from benchbed.boards.board import Standings
from benchbed.boards.entries.entry import Entry, current_entries, load_entry
from benchbed.boards.folders import entry_files, find_boards
from benchbed.boards.overall import Overall, common_levels, read_overall
from benchbed.boards.reading import read_standings
from benchbed.boards.views.figures import loss_figure, overview_figure, profile_figure, solved_figure
from benchbed.boards.views.mixer_pages import mixer_page, mixer_pages
from benchbed.boards.views.rows import board_rows
from benchbed.boards.views.sentences import CHECKED_BY, OVERALL, overall_cells, overall_heads, separation
from benchbed.reporting.wording import begun_elsewhere, number, options_line, place, with_interval
from benchbed.storage.files import csv_text, write_text

__all__ = ["write_site"]


def write_site(boards: Path, target: Path) -> Path:
    """Write `index.html`, a page for every entry and every mixer, and all entries as `boards.csv`.

    Args:
        boards: the folder that holds the tracks.
        target: the folder to write into; pages of the same name are replaced.

    Returns:
        The index.

    Raises:
        EntryError: there is no board, or a file is no entry.
        StorageError: a page cannot be written.
    """
    pages = Environment(
        loader=PackageLoader("benchbed.boards.views", "templates"), autoescape=True, undefined=StrictUndefined
    )
    pages.filters |= {
        "interval": with_interval,
        "number": number,
        "options": options_line,
        "place": place,
        "standing": CHECKED_BY.__getitem__,
    }
    pages.globals |= {"version": __version__, "mixer_page": mixer_page}
    shown = []
    for folder in find_boards(boards, None, None):
        board = read_standings(folder)
        entries = {path: load_entry(path) for path in entry_files(folder)}
        current = current_entries(list(entries.values()))
        figures = {e.entry: (Markup(solved_figure(e)), Markup(loss_figure(e))) for e in current}
        shown.append({**board, "figures": figures, "separation": separation(board), "pages": {}})
        rows = {row["entry"]: row for row in board["rows"]}
        for path, entry in entries.items():
            page = f"{folder.parent.name}.{folder.name}.{path.stem}.html"
            shown[-1]["pages"][path.stem] = page
            pictures = figures.get(path.stem, ())
            write_text(
                target / page,
                pages.get_template("entry.html").render(
                    entry=entry,
                    row=rows.get(path.stem),
                    board=board,
                    pairs=_pairs(board, path.stem),
                    figures=pictures,
                    provenance=_provenance(entry),
                    source=path.read_text(encoding="utf-8"),
                ),
            )
    for page, held in mixer_pages(boards, shown).items():
        write_text(target / page, pages.get_template("mixer.html").render(held))
    overviews = {track: read_overall(boards, track) for track in dict.fromkeys(board["track"] for board in shown)}
    views = {
        track: {
            **_pictures(found, track),
            "mixers": [one.name for one in found],
            "combined": _combined(found, boards, track),
        }
        for track, found in overviews.items()
        if found
    }
    write_text(target / "boards.csv", csv_text([row for board in shown for row in board_rows(board)]))
    index = target / "index.html"
    write_text(index, pages.get_template("index.html").render(boards=shown, views=views, overall=OVERALL))
    return index


def _pictures(found: Sequence[Overall], track: str) -> dict[str, Markup]:
    """Pictures of a whole track; one line alone would compare nothing."""
    views = {"overview": overview_figure(found, track)}
    if sum(one.ratio is not None for one in found) > 1:
        views["profile"] = profile_figure(found, track)
    return {name: Markup(figure) for name, figure in views.items()}


def _combined(found: Sequence[Overall], boards: Path, track: str) -> dict[str, Any]:
    """The table over all levels, or over those that many mixers have, of the mixers that have them."""
    if common := common_levels(found):
        found = read_overall(boards, track, common[0])
    rows = [overall_cells(one)[:-1] for one in found if one.ratio is not None]
    return {"levels": list(found[0].levels), "heads": overall_heads(found)[:-1], "rows": rows}


def _pairs(board: Standings, name: str) -> list[dict[str, Any]]:
    """Every test of one entry, with the other one's name."""
    mine = [pair for pair in board["pairs"] if name in (pair["first"], pair["second"])]
    return [{**pair, "other": pair["second"] if pair["first"] == name else pair["first"]} for pair in mine]


def _provenance(entry: Entry) -> dict[str, object]:
    """What a reader who doubts a number asks for."""
    result, origin = entry.result, entry.provenance
    config, environment = result.config, result.environment
    rates = ", ".join(f"{rate:g}" for rate in config.optimiser.learning_rates)
    return {
        "mixer": f"{config.mixer.name}, {config.mixer.distribution} {config.mixer.version}",
        "mixer options": options_line(config.mixer.options) or "none",
        "mixer source": config.mixer.source_hash,
        "mixer source lies at": origin.source_url,
        "licence": origin.licence,
        "task": f"{config.level}, version {config.task.task_version}, {options_line(config.task.options)}",
        "task source": config.task.source_hash,
        "track": f"{config.track.name} {config.track.version}",
        "track hash": config.track.hash,
        "run": result.identity,
        "learning rate": f"{result.learning_rate:g} of {rates}",
        "device": environment.device,
        "engine": f"{environment.engine}, {environment.workers} at a time, {environment.precision}",
        "engine note": environment.engine_note,
        "software": f"benchbed {environment.benchbed}, Python {environment.python}, torch {environment.torch}",
        "platform": environment.platform,
        "commit": environment.git_commit,
        "begun elsewhere": begun_elsewhere(result),
        "finished": result.finished,
        "submitted": f"{origin.date} by {origin.submitter}",
        "supersedes": origin.supersedes,
        "withdrawn": entry.withdrawn,
        "digest": entry.digest,
    }
