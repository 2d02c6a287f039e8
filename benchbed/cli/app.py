"""The command line put together: an error that a user can mend becomes one line and exit code 2.

torch, scipy and matplotlib are imported inside the commands that need them, so that `--help` and `list`
answer at once.
"""

import sys
from typing import Annotated, Any

import typer

from benchbed.cli import boards, compare, lab, lm, plugins, results, run, suite
from benchbed.errors import BenchbedError

__all__ = ["app", "main"]

app = typer.Typer(
    name="benchbed",
    help="How many training steps does a sequence mixer need to find the sparse pattern that a task hides?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_COMMANDS: dict[str, dict[str, Any]] = {
    "Run": {"run": run.run, "score": suite.score, "suite": suite.suite},
    "Look around": {"list": plugins.list_, "plugins": plugins.plugins},
    "See what came out": {"show": results.show, "plot": results.plot, "compare": compare.compare},
    "Your own mixer or task": {"new": plugins.new, "check": plugins.check},
    "Look closer": {
        "sweep": lab.sweep,
        "trace": lab.trace,
        "patch": lab.patch,
        "reproduce": lab.reproduce,
        "lm": lm.lm,
    },
    "Boards": {"leaderboard": boards.leaderboard, "schema": boards.schema},
}
"""As `--help` shows them."""

for _panel, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)

_debug = False


def main() -> None:
    """Run the command line; an error that the user can mend is one line on stderr and exit code 2."""
    try:
        code = app(prog_name="benchbed", standalone_mode=False)
    except Exception as error:
        # Typer's own complaints about a command line have a message for users; older releases take the class
        # from click, newer ones bring their own, so it is known by its method.
        if _debug or (not isinstance(error, BenchbedError) and not hasattr(error, "format_message")):
            raise
        message = str(error) if isinstance(error, BenchbedError) else _usage(error)
        print(f"benchbed: {message}", file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> str:
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    command = error.ctx.command_path if getattr(error, "ctx", None) else "benchbed"
    return f"{message} (see `{command} --help`)"


def _print_version(wanted: bool) -> None:
    if wanted:
        from benchbed import __version__

        print(f"benchbed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """How many training steps does a sequence mixer need to find the sparse pattern that a task hides?"""
    global _debug
    _debug = debug
