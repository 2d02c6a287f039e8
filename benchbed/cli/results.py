"""The commands about finished runs: `benchbed show` and `plot`."""

from pathlib import Path
from typing import Annotated

import typer

from benchbed.cli.arguments import Csv, Json, MixerOptions, parse_assignments
from benchbed.cli.terminal import console, only_json, print_csv, print_json, working
from benchbed.errors import OptionError

__all__ = ["plot", "show"]


def show(
    what: Annotated[str, typer.Argument(help="A result.yaml, its folder, an entry's file, or the word mixer.")],
    name: Annotated[str | None, typer.Argument(help="Of the mixer.")] = None,
    track: Annotated[str, typer.Option(help="Track at whose shapes a mixer is measured.")] = "lite",
    mixer_option: MixerOptions = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print a stored result again, or what a mixer costs: parameters, FLOPs, time and state, measured here."""
    if name is not None:
        if as_csv:
            raise OptionError("--csv: expected a result, whose seeds are rows, found a mixer; use --json")
        if what != "mixer":
            raise OptionError(f"show: expected a result, or mixer and a name, found {what} {name}")
        from pydantic import TypeAdapter

        from benchbed.lab.profile.measure import profile_mixer

        with only_json(as_json), working(console(stderr=True), "measuring"):
            profile = profile_mixer(name, track, parse_assignments(mixer_option, "--mixer-option"))
        if as_json:
            print_json(TypeAdapter(type(profile)).dump_python(profile, mode="json"))
        else:
            from benchbed.lab.profile.tables import mixer_tables

            console().print(mixer_tables(profile))
        return
    from benchbed.results.result import RESULT, load_result

    path = Path(what)
    if path.is_file() and path.name != RESULT:
        from benchbed.boards.entries.entry import load_entry

        loaded = load_entry(path).result
    else:
        loaded = load_result(path)
    if as_json:
        print_json(loaded.model_dump(mode="json"))
    elif as_csv:
        print_csv(loaded.rows())
    else:
        from benchbed.reporting.tables import result_table

        console().print(result_table(loaded))


def plot(
    results: Annotated[list[Path], typer.Argument(help="Results of one level: files or folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png, .svg or .pdf file.")],
    by_output: Annotated[
        bool, typer.Option("--by-output", help="Of one result: when each seed learned each scored token.")
    ] = False,
) -> None:
    """Draw loss and solved fraction against step."""
    if by_output and len(results) > 1:
        raise OptionError(f"--by-output: expected one result, found {len(results)}")
    from benchbed.reporting.figures import plot_outputs, plot_results
    from benchbed.results.history import load_history
    from benchbed.results.result import load_result

    loaded = [(load_result(p), load_history(p)) for p in results]
    if by_output:
        plot_outputs(*loaded[0], output)
    else:
        plot_results(loaded, output)
    print(output)
