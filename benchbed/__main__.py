"""`benchbed` and `python -m benchbed`."""

import sys


def main() -> None:
    """Start the command line.

    `benchbed leaderboard` and `benchbed leaderboard TASK@LEVEL`, which people type most, are answered before the
    command-line library is imported: that alone takes longer than reading a board.
    """
    match sys.argv[1:]:
        case ["leaderboard"]:
            _read(None)
        case ["leaderboard", level] if "@" in level and not level.startswith("-"):
            _read(level)
        case _:
            from benchbed.cli.app import main as command_line

            command_line()


def _read(level: str | None) -> None:
    from benchbed.boards.views.tables import print_boards
    from benchbed.errors import BenchbedError

    try:
        print_boards(level)
    except BenchbedError as error:
        print(f"benchbed: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
