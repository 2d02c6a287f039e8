"""Boards, pairs and scores as tidy rows: what `--csv` prints and a data frame holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchbed.reporting.wording import options_line

if TYPE_CHECKING:
    from benchbed.boards.board import Standings
    from benchbed.boards.comparison import Comparison, LevelComparison
    from benchbed.boards.overall import Overall
    from benchbed.boards.score import Score
    from benchbed.results.result import Result

__all__ = ["board_rows", "level_rows", "overall_rows", "pair_rows", "score_rows"]


def board_rows(board: "Standings") -> list[dict[str, Any]]:
    """A board as tidy rows, one an entry: those of `board.json`, intervals in two columns, options in one."""
    rows = []
    for row in board["rows"]:
        plain: dict[str, Any] = {"track": board["track"], "level": board["level"], "budget": board["budget"]}
        for key, value in row.items():
            if key.endswith("_interval"):
                low, high = value or (None, None)  # pyright: ignore[reportGeneralTypeIssues]
                plain |= {f"{key[:-9]}_low": low, f"{key[:-9]}_high": high}
            elif key == "steps":
                plain[key] = " ".join(map(str, row["steps"]))
            elif key == "options":
                plain[key] = options_line(row["options"], " ")
            elif key != "tuning":
                plain[key] = value
        rows.append(plain)
    return rows


def overall_rows(found: "Sequence[Overall]") -> list[dict[str, Any]]:
    """All levels as tidy rows, one a mixer and level, with what the mixer has over all of them."""
    return [
        {
            "mixer": one.name,
            "ratio_over_all": one.ratio,
            "ratio_over_all_low": one.interval and one.interval[0],
            "ratio_over_all_high": one.interval and one.interval[1],
            "bound_over_all": one.bound.strip(),
            "level": level,
            "ratio": None if level_ratio is None else level_ratio.ratio,
            "bound": None if level_ratio is None else level_ratio.bound.strip(),
            "solved": None if level_ratio is None else level_ratio.solved,
            "seeds": None if level_ratio is None else level_ratio.seeds,
        }
        for one in found
        for level, level_ratio in one.levels.items()
    ]


def pair_rows(pair: "Comparison") -> list[dict[str, Any]]:
    """A pair as tidy rows, one a run, with what is said of both in each."""
    low, high = pair.interval or (None, None)
    both = {
        "ratio": pair.ratio,
        "bound": pair.bound.strip(),
        "ratio_low": low,
        "ratio_high": high,
        "p": pair.p,
        "adjusted": pair.adjusted,
    }
    return [
        {"name": name, **_summary_cells(result), **cost, **both}
        for name, result, cost in zip(pair.names, pair.results, pair.costs, strict=True)
    ]


def level_rows(found: "LevelComparison") -> list[dict[str, Any]]:
    """Two mixers on several levels as tidy rows, two a level, with `pair_rows`' columns and `holm`."""
    return [{**row, "holm": found.adjusted[level]} for level, pair in found.pairs.items() for row in pair_rows(pair)]


def score_rows(found: "Score") -> list[dict[str, Any]]:
    """A mixer on the levels of a track as tidy rows, one a level; places are empty where the board has no entries."""
    rows = []
    for result in found.results:
        row = found.standings.get(result.config.level)
        low, high = (row and row["ratio_interval"]) or (None, None)
        place = {
            "rank": row and row["rank"],
            "last_rank": row and row["last_rank"],
            "ratio": row and row["ratio"],
            "bound": row and row["ratio_bound"].strip(),
        }
        rows.append(
            {"mixer": found.mixer, **_summary_cells(result), **place, "ratio_low": low, "ratio_high": high},
        )
    return rows


def _summary_cells(result: "Result") -> dict[str, Any]:
    summary, config = result.summary, result.config
    low, high = summary.mean_steps_interval or (None, None)
    return {
        "track": config.track.name,
        "level": config.level,
        "budget": config.budget.steps,
        "learning_rate": result.learning_rate,
        "solved": summary.solved,
        "seeds": summary.seeds,
        "mean_steps": summary.mean_steps,
        "mean_steps_low": low,
        "mean_steps_high": high,
        "steps": " ".join(map(str, result.restricted_steps)),
    }
