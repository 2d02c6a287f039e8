"""The commands about finished runs: `benchbed show` and `plot`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchbed.cli.arguments import Csv, Json, MixerOptions, parse_assignments
from benchbed.cli.terminal import console, only_json, print_csv, print_json, working
from benchbed.errors import OptionError

if TYPE_CHECKING:
    from benchbed.results.result import Result

__all__ = ["plot", "show"]


def show(
    what: Annotated[
        list[str],
        typer.Argument(help="Results: a result.yaml, its folder or an entry's file each; or mixer and a name."),
    ],
    track: Annotated[str, typer.Option(help="Track at whose shapes a mixer is measured.")] = "lite",
    mixer_option: MixerOptions = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print stored results again, or what a mixer costs: parameters, FLOPs, time and state, measured here."""
    if what[0] == "mixer":
        if as_csv:
            raise OptionError("--csv: expected a result, whose seeds are rows, found a mixer; use --json")
        if len(what) != 2:
            raise OptionError(f"show mixer: expected the name of one mixer, found {' '.join(what[1:]) or 'none'}")
        _show_mixer(what[1], track, parse_assignments(mixer_option, "--mixer-option"), as_json)
        return
    if len(what) == 2 and not Path(what[0]).exists():
        raise OptionError(f"show: expected a result, or mixer and a name, found {' '.join(what)}")
    loaded = [_result_or_entry(Path(path)) for path in what]
    if as_json:
        dumped = [result.model_dump(mode="json") for result in loaded]
        print_json(dumped if len(dumped) > 1 else dumped[0])
    elif as_csv:
        print_csv([row for result in loaded for row in result.rows()])
    else:
        from benchbed.reporting.tables import result_table

        console().print(*(result_table(result) for result in loaded), sep="\n")


def _show_mixer(name: str, track: str, options: dict[str, Any], as_json: bool) -> None:
    from pydantic import TypeAdapter

    from benchbed.lab.profile.measure import profile_mixer

    with only_json(as_json), working(console(stderr=True), "measuring"):
        profile = profile_mixer(name, track, options)
    if as_json:
        print_json(TypeAdapter(type(profile)).dump_python(profile, mode="json"))
    else:
        from benchbed.lab.profile.tables import mixer_tables

        console().print(mixer_tables(profile))


def _result_or_entry(path: Path) -> "Result":
    from benchbed.results.result import RESULT, load_result

    if path.is_file() and path.name != RESULT:
        from benchbed.boards.entries.entry import load_entry

        return load_entry(path).result
    return load_result(path)


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
