"""One mixer on every level of a track: trained where it has not been, and where it would stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchbed.boards.board import BoardRow
from benchbed.boards.overall import Overall, overall
from benchbed.boards.reading import read_beside_entries
from benchbed.boards.views.sentences import GUESTS
from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.reporting.live import Backend, run_live, say, train_all_ahead
from benchbed.reporting.wording import clock
from benchbed.results.result import Result
from benchbed.runs.estimate import most_seconds
from benchbed.runs.execute import PlannedRun, prepare
from benchbed.training.engine import EngineSettings

__all__ = ["Score", "plan_score", "score"]


@dataclass(frozen=True)
class Score:
    """A mixer on the levels of a track."""

    mixer: str
    track: str
    results: list[Result]
    """One a level."""
    standings: dict[str, BoardRow]
    """Where it would stand, by level; a board without entries has none."""
    overall: Overall | None
    """Over the levels whose boards have an entry of the baseline; None where none has."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "mixer": self.mixer,
            "track": self.track,
            "levels": {result.config.level: result.summary.model_dump(mode="json") for result in self.results},
            "standings": self.standings,
            "overall": None if self.overall is None else self.overall.plain(),
        }


def plan_score(
    mixer: str, track: str, levels: Sequence[str] | None, options: Mapping[str, str], out: Path, device: str
) -> list[PlannedRun]:
    """Make a run of every level ready.

    Args:
        mixer: its name.
        track: a published track.
        levels: `task@level` or `task`; by default every level.
        options: of the mixer, as text.
        out: the folder of all runs.
        device: its type.

    Raises:
        BenchbedError: something does not exist or does not fit together.
    """
    wanted = levels or load_track(track).level_names
    requests = [RunRequest(mixer, level, track, mixer_options=options) for level in wanted]
    return [prepare(request.resolve(device), out) for request in requests]


def score(
    planned: Sequence[PlannedRun],
    track: str,
    boards: Path,
    engine: EngineSettings,
    console: Console,
    backend: Backend = "local",
) -> Score:
    """Train what is not trained yet, and look where it would stand.

    Args:
        planned: of `plan_score`.
        track: that they are of.
        boards: the folder that holds the tracks.
        engine: how to compute.
        console: where progress goes.
        backend: where runs are trained.

    Raises:
        BenchbedError: a run does not work.
    """
    _say_how_long(planned, engine, console)
    if backend == "ray":
        train_all_ahead(planned, engine, console)
    results = [run_live(run, engine, console) for run in planned]
    found = [board for result in results if (board := read_beside_entries(boards, result))]
    mine = {board["level"]: row for board in found for row in board["rows"] if row["standing"] in GUESTS}
    config = planned[0].config
    names = {row["name"] for row in mine.values()}
    over = [one for one in overall(found, load_track(track)) if one.name in names]
    return Score(config.mixer.name, config.track.name, results, mine, over[0] if over else None)


def _say_how_long(planned: Sequence[PlannedRun], engine: EngineSettings, console: Console) -> None:
    """A bound, from a measured step: no seed solves, no rate is given up."""
    most = clock(sum(most_seconds(run, engine) for run in planned))
    say(
        console,
        f"{len(planned)} levels: about {most} if no seed solved, mostly far less; Ctrl-C at any time, it goes on",
    )
