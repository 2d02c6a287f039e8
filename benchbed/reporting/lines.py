"""Progress as lines, for what has no live view of its own."""

import time

from rich.console import Console

from benchbed.reporting.live import LOG_SECONDS, say
from benchbed.reporting.wording import clock

__all__ = ["Lines"]


class Lines:
    """Tells what is being done and how much time is left, no more often than anybody reads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._told = self._begun
        self._first: int | None = None

    def tell(self, what: str, done: int, of: int) -> None:
        """Say it, if the last line is old enough.

        Args:
            what: in words.
            done: of what is to be done; the time left is judged by what was done since the first call.
            of: all of it.
        """
        now = time.monotonic()
        self._first = done if self._first is None else self._first
        if now - self._told < LOG_SECONDS:
            return
        self._told = now
        fresh = done - self._first
        left = f"; about {clock((now - self._begun) / fresh * (of - done))} left" if fresh else ""
        say(self._console, f"{what}{left}")
