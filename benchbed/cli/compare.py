"""`benchbed compare`."""

from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchbed.boards.folders import baseline_of, boards_folder
from benchbed.cli.arguments import AtLevel, Boards, Csv, Device, Json, OnTrack, Out, Retrain, TimeLimit
from benchbed.cli.terminal import console, going_on, only_json, print_csv, print_json
from benchbed.errors import OptionError

if TYPE_CHECKING:
    from benchbed.boards.comparison import Comparison, LevelComparison
    from benchbed.results.result import Result

__all__ = ["compare"]


def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="An entry's name or file, a run's folder, or 'a/pattern/*' of such.")
    ],
    second: Annotated[
        str | None, typer.Argument(metavar="B", help="Likewise.", show_default="the track's baseline")
    ] = None,
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
    retrain: Retrain = False,
    boards: Boards = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Explain one pair: steps by seed, ratio with its interval, exact test, and what is to be said of it.

    Without a level two mixers are compared on every level that both have.
    """
    from benchbed.boards.comparison import compare as compare_runs
    from benchbed.boards.comparison import compare_levels, find_shared, on_fresh_seeds
    from benchbed.results.result import RESULT

    if seeds is not None and not fresh_seeds:
        raise OptionError("--seeds: expected --fresh-seeds with it")
    home = boards_folder(boards)

    def again(pair: "Comparison") -> "Comparison":
        """The pair that is shown for a published one."""
        if not fresh_seeds:
            return pair
        from benchbed.reporting.live import run_live
        from benchbed.training.devices import find_device

        train = partial(run_live, console=console(stderr=as_json or as_csv), retrain=retrain)
        return on_fresh_seeds(pair, seeds, find_device(device), out, train)

    second = second or baseline_of(home, track)
    entry_file = any(Path(text).suffix == ".yaml" and Path(text).name != RESULT for text in (first, second))
    one_level = level is not None or entry_file
    shared = {} if one_level else find_shared(home, (_side(first), _side(second)), track)
    both = [((a, b), folder.parent.name, folder.name) for folder, (a, b) in shared.items() if a and b]
    with going_on(time_limit), only_json(as_json or as_csv):
        if len(both) > 1:
            found = compare_levels(home, shared, again)
        else:
            found = again(compare_runs(home, *(both or [((first, second), track, level)])[0]))
    if isinstance(found, list):
        _show_levels(found, as_json=as_json, as_csv=as_csv)
    else:
        _show_pair(found, fresh_seeds=fresh_seeds, as_json=as_json, as_csv=as_csv)


def _side(text: str) -> "str | list[Result]":
    """The runs of a folder or of a pattern of folders, as far as they are finished; else the name of entries."""
    from benchbed.boards.comparison import find_run
    from benchbed.results.result import RESULT, load_result

    if not has_magic(text):
        return [run] if (run := find_run(text)) else text
    found = [load_result(folder) for folder in map(Path, sorted(glob(text))) if (folder / RESULT).exists()]
    if not found:
        raise OptionError(f"{text}: expected folders of finished runs, found none")
    return found


def _show_pair(pair: "Comparison", *, fresh_seeds: bool, as_json: bool, as_csv: bool) -> None:
    from benchbed.boards.views.pair_tables import pair_table
    from benchbed.boards.views.rows import pair_rows
    from benchbed.boards.views.sentences import resolution, verdict

    if as_json:
        print_json(pair.plain())
    elif as_csv:
        print_csv(pair_rows(pair))
    else:
        console().print(pair_table(pair))
        console().print(verdict(pair), highlight=False)
        if not pair.told_apart:
            console().print(resolution(pair), highlight=False)
        if pair.solved and not (pair.told_apart or fresh_seeds):
            console().print("Other seeds may tell: add --fresh-seeds, and both are trained again.")


def _show_levels(found: "list[LevelComparison]", *, as_json: bool, as_csv: bool) -> None:
    from benchbed.boards.views.pair_tables import levels_table
    from benchbed.boards.views.rows import level_rows
    from benchbed.boards.views.sentences import verdict_over_levels

    if as_json:
        print_json([each.plain() for each in found])
    elif as_csv:
        print_csv([row for each in found for row in level_rows(each)])
    else:
        screen = console()
        for each in found:
            screen.print(levels_table(each, screen.width))
            screen.print(f"{verdict_over_levels(each)}\n", highlight=False)
