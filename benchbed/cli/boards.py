"""The commands about boards: `benchbed leaderboard ...` and `schema`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from benchbed.boards.folders import BOARD_FILE, Sort, boards_folder, find_boards
from benchbed.boards.reading import find_entry
from benchbed.cli.arguments import AtLevel, Boards, Csv, Device, Json, OnTrack, Out, Retrain, TimeLimit, split_names
from benchbed.cli.terminal import console, going_on, only_json, print_json

__all__ = ["leaderboard", "schema"]

_DOCUMENTS = ("README.md", "leaderboards/*.md", "docs/*.md")


class Document(StrEnum):
    """What has a published schema."""

    entry = "entry"
    result = "result"
    track = "track"


class _ShowByDefault(TyperGroup):
    """`benchbed leaderboard linear_map` reads a board; only the name of a command is a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


leaderboard = typer.Typer(cls=_ShowByDefault, help="Read, check, submit to and render the leaderboards.")


@leaderboard.command("show")
def show(
    level: Annotated[str | None, typer.Argument(help="Task, or task@level.", show_default="all")] = None,
    track: OnTrack = None,
    sort: Annotated[Sort, typer.Option(help="What to sort by.")] = Sort.rank,
    guests: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help="Show a finished run among the entries; repeat."),
    ] = None,
    boards: Boards = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print boards: also what `benchbed leaderboard` does without a command."""
    from benchbed.boards.views.tables import print_boards

    runs = []
    if guests:
        from benchbed.results.result import load_result

        runs = [load_result(path) for path in guests]
    print_boards(level, track, sort.value, boards, guests=runs, as_json=as_json, as_csv=as_csv)


@leaderboard.command()
def overall(
    track: OnTrack = None,
    levels: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated task@level, or task for all of its levels; needs --track.",
            show_default="every level",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("-o", help="Draw it as well: a .png, .svg or .pdf; needs --track.")
    ] = None,
    boards: Boards = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print every mixer over the levels of a track: how many times the baseline's steps it takes."""
    from benchbed.boards.folders import find_boards
    from benchbed.boards.overall import read_overall
    from benchbed.boards.views.tables import print_overall
    from benchbed.errors import OptionError

    chosen = split_names(levels)
    if track is None and (chosen or picture is not None):
        raise OptionError(f"{'--levels' if chosen else '-o'}: expected --track, because levels are of one")
    home = boards_folder(boards)
    tracks = sorted({folder.parent.name for folder in find_boards(home, track, None)})
    if picture is not None:
        from benchbed.reporting.figures import refuse_format

        refuse_format(picture)
    found = {name: read_overall(home, name, chosen) for name in tracks}
    if picture is not None and track is not None:
        from benchbed.boards.views.figures import draw_overview

        if not found[track]:
            raise OptionError(
                f"-o: expected entries of the baseline on the boards of {track}, found none to compare with"
            )
        draw_overview(found[track], picture)
    print_overall(found, chosen=bool(chosen), as_json=as_json, as_csv=as_csv)


@leaderboard.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="An entry file or a folder.", show_default="all")] = None,
    base: Annotated[str | None, typer.Option(help="Published git revision.", show_default="the merge base")] = None,
    boards: Boards = None,
    as_json: Json = False,
) -> None:
    """Verify entries without training: schema, rows, summary, hashes, and that nothing published was changed."""
    from benchbed.boards.entries.audit import audit
    from benchbed.errors import EntryError

    if path is not None and not path.exists():
        raise EntryError(f"no such entry or folder: {path}")
    count, problems = audit(boards_folder(boards), path, base)
    if as_json:
        print_json([{k: str(v) for k, v in problem._asdict().items()} for problem in problems])
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        print(f"{count} entries checked, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@leaderboard.command()
def submit(
    run: Annotated[Path, typer.Argument(help="A finished run: its folder, or its result.yaml.")],
    submitter: Annotated[str | None, typer.Option(help="Who publishes it.", show_default="git's user.name")] = None,
    source_url: Annotated[str | None, typer.Option(help="Where a plug-in's source lies.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of a plug-in.")] = None,
    supersedes: Annotated[str | None, typer.Option(help="Entry that this one replaces.")] = None,
    boards: Boards = None,
) -> None:
    """Turn a finished, ranked run into an entry file, once its mixer has passed every check."""
    from benchbed.boards.entries.submission import submit as make_entry

    path = make_entry(
        run,
        boards_folder(boards),
        submitter=submitter,
        source_url=source_url,
        licence=licence,
        supersedes=supersedes,
    )
    print(f"{path} written. Next:")
    print("  benchbed leaderboard render   # the tables that show it")
    print("  benchbed leaderboard check    # what CI will say")
    print(f"  git add --all && git commit -m 'Board: {path.stem}', and open a pull request")


@leaderboard.command()
def verify(
    entry: Annotated[str, typer.Argument(help="An entry's name or file.")],
    seeds: Annotated[int | None, typer.Option(help="How many seeds.", show_default="as many as were scored")] = None,
    fresh_seeds: Annotated[bool, typer.Option("--fresh-seeds", help="Seeds that no track uses.")] = False,
    mark: Annotated[bool, typer.Option("--mark", help="Write what came of it into the entry.")] = False,
    by: Annotated[str, typer.Option(help="Who verifies it, with --mark.")] = "anonymous",
    track: OnTrack = None,
    level: AtLevel = None,
    out: Out = Path("reruns"),
    device: Device = "auto",
    time_limit: TimeLimit = None,
    retrain: Retrain = False,
    boards: Boards = None,
    as_json: Json = False,
) -> None:
    """Train an entry again: identical, statistically consistent, or inconsistent (exit code 1)."""
    from benchbed.boards.entries import verification
    from benchbed.boards.entries.entry import load_entry
    from benchbed.config.protocol import CONTRADICTED
    from benchbed.reporting.live import run_live
    from benchbed.reporting.wording import span
    from benchbed.runs.again import plan_again
    from benchbed.training.devices import find_device

    path = find_entry(boards_folder(boards), entry, track, level)
    loaded, found = load_entry(path), find_device(device)
    chosen = verification.choose_seeds(loaded, seeds, fresh_seeds)
    with going_on(time_limit), only_json(as_json):
        again = run_live(*plan_again(loaded.result, chosen, found, out), console(stderr=as_json), retrain=retrain)
    outcome, steps = verification.judge(loaded, again, by), again.restricted_steps
    if as_json:
        print_json({**outcome.model_dump(mode="json"), "steps": steps})
    else:
        print(f"published: {' '.join(map(str, loaded.steps))} (seeds {span(loaded.result.config.scoring_seeds)})")
        print(f"again:     {' '.join(map(str, steps))} (seeds {span(chosen)})")
        before = loaded.result.environment
        if (before.device, before.torch) != (outcome.device, outcome.torch):
            there, here = (f"torch {one.torch} on {one.device}" for one in (before, outcome))
            print(f"published with {there}; again with {here}")
        test = "independent seeds" if fresh_seeds else "seed by seed"
        print(f"{outcome.verdict}" + ("" if outcome.p is None else f" (exact test, {test}: p = {outcome.p:.3g})"))
        smallest = 2 / 2 ** len(chosen)  # of the test that swaps the two numbers of a seed
        if outcome.verdict == "consistent" and not fresh_seeds and smallest >= CONTRADICTED:
            print(f"{len(chosen)} seeds can never contradict: their smallest p is {smallest:.3g}")
    if mark:
        marked = verification.mark(loaded, path, outcome)
        print(f"{path} is now marked: {marked.standing}", file=sys.stderr)
    if outcome.verdict == "inconsistent":
        raise typer.Exit(1)


@leaderboard.command()
def withdraw(
    entry: Annotated[str, typer.Argument(help="An entry's name or file.")],
    reason: Annotated[str, typer.Option(help="Why it should not count.")],
    track: OnTrack = None,
    level: AtLevel = None,
    boards: Boards = None,
) -> None:
    """Take an entry off its board; its file stays, with the reason."""
    from benchbed.boards.entries.entry import load_entry, save_entry

    path = find_entry(boards_folder(boards), entry, track, level)
    save_entry(load_entry(path).model_copy(update={"withdrawn": reason}).sealed(), path)
    print(f"{path} is withdrawn; next: benchbed leaderboard render")


@leaderboard.command()
def render(
    documents: Annotated[
        list[Path] | None,
        typer.Option(
            "--document",
            exists=True,
            dir_okay=False,
            help="Markdown with markers.",
            show_default=", ".join(_DOCUMENTS),
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write a static site into this folder.")] = None,
    dry: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 on drift.")] = False,
    boards: Boards = None,
) -> None:
    """Write the standings beside every board and the tables into the documents; CI fails where they drift."""
    from benchbed.boards.standings import write_standings
    from benchbed.boards.views.markdown import draw_pictures, fill_document

    folder = boards_folder(boards)
    stale = [board / BOARD_FILE for board in find_boards(folder, None, None) if write_standings(board, write=not dry)]
    pages = documents or [path for name in _DOCUMENTS for path in sorted(Path().glob(name))]
    stale += [path for path in pages if fill_document(path, folder, write=not dry)]
    stale += [picture for path in pages for picture in draw_pictures(path, folder, write=not dry)]
    for path in stale:
        print(f"{path} {'is out of date' if dry else 'written'}")
    if html is not None:
        from benchbed.boards.views.site import write_site

        print(f"{write_site(folder, html)} written")
    if dry and stale:
        print("run: benchbed leaderboard render", file=sys.stderr)
        raise typer.Exit(1)


def schema(what: Annotated[Document, typer.Argument(help="Which file.")] = Document.entry) -> None:
    """Print the JSON Schema of a file that benchbed reads or writes."""
    from benchbed.boards.entries.entry import Entry
    from benchbed.config.tracks import Track as TrackFile
    from benchbed.results.result import Result

    models = {Document.entry: Entry, Document.result: Result, Document.track: TrackFile}
    print_json(models[what].model_json_schema())
