"""`benchbed compare`."""

from pathlib import Path
from typing import Annotated

import typer

from benchbed.boards.folders import boards_folder
from benchbed.cli.arguments import AtLevel, Boards, Csv, Device, Fresh, Json, OnTrack, Out, TimeLimit
from benchbed.cli.terminal import console, going_on, only_json, print_csv, print_json
from benchbed.errors import OptionError

__all__ = ["compare"]


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="An entry's name or file, or a run's folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Likewise, of the same level.")],
    track: OnTrack = None,
    level: AtLevel = None,
    fresh_seeds: Annotated[
        bool,
        typer.Option("--fresh-seeds", help="Train both on seeds that no track uses, and compare those."),
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="How many fresh seeds.", show_default="32")] = None,
    out: Out = Path("reruns"),
    device: Device = "auto",
    time_limit: TimeLimit = None,
    fresh: Fresh = False,
    boards: Boards = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Explain one pair: steps by seed, ratio with its interval, exact test, and what is to be said of it."""
    from benchbed.boards.comparison import compare as compare_runs
    from benchbed.boards.views.rows import pair_rows
    from benchbed.boards.views.sentences import verdict
    from benchbed.boards.views.tables import pair_table

    if seeds is not None and not fresh_seeds:
        raise OptionError("--seeds: expected --fresh-seeds with it")
    pair = compare_runs(boards_folder(boards), (first, second), track, level)
    if fresh_seeds:
        from functools import partial

        from benchbed.boards.comparison import on_fresh_seeds
        from benchbed.reporting.live import run_live
        from benchbed.training.devices import find_device

        train = partial(run_live, console=console(stderr=as_json or as_csv), fresh=fresh)
        with going_on(time_limit), only_json(as_json or as_csv):
            pair = on_fresh_seeds(pair, seeds, find_device(device), out, train)
    if as_json:
        print_json(pair.plain())
    elif as_csv:
        print_csv(pair_rows(pair))
    else:
        screen = console()
        screen.print(pair_table(pair))
        screen.print(verdict(pair), highlight=False)
        if not fresh_seeds and not pair.told_apart:
            print("Other seeds may tell: add --fresh-seeds, and both are trained again.")
