"""Standings as their readers know them: the keys and types of `board.json`. They cost nothing at run time."""

from typing import Any, TypedDict

__all__ = ["BoardRow", "Costs", "PairRow", "Standings", "TunedRate"]


class TunedRate(TypedDict):
    """What the tuning seeds of an entry did at one learning rate."""

    rate: float
    solved: int
    seeds: int
    mean_steps: float | None
    """Of min(steps, budget); one that was given up counts with the whole budget."""
    given_up: int | None
    """The step at which the rate could no longer win, and its seeds that still trained were stopped."""


class Costs(TypedDict):
    """What solving costs on average, beside steps; see `benchbed.boards.standings.training_costs`."""

    samples: float
    """Sequences."""
    flops: float
    """Of training."""
    seconds: float
    """On the entry's machine."""


class BoardRow(Costs):
    """One entry of a board."""

    name: str
    """As readers know it: the mixer, and the options that differ from its defaults."""
    entry: str
    """Its file, without the ending."""
    rank: int | None
    """1 + entries that are significantly faster; None for one that is not ranked."""
    last_rank: int | None
    """The last rank that the same tests allow: all entries but those that are significantly slower."""
    mixer: str
    options: dict[str, Any]
    solved: int
    seeds: int
    solve_rate_interval: list[float]
    mean_steps: float
    """Of min(steps, budget)."""
    mean_steps_interval: list[float] | None
    median_steps: float | None
    median_interval: list[float | None] | None
    steps: list[int]
    """min(steps, budget), one a seed."""
    ratio: float | None
    """Of the mean steps to the baseline's; None where the track names none."""
    ratio_interval: list[float] | None
    ratio_bound: str
    """`"> "`, `"< "` or `"~ "` where seeds did not solve, and the ratio is a bound."""
    learning_rate: float
    rates_that_solve: int
    """Learning rates at which most tuning seeds solved."""
    rates: int
    tuning: list[TunedRate]
    parameters: int
    mixer_parameters: int
    flops_per_token: float
    device: str
    date: str
    standing: str
    """Who has checked it; of a run that is no entry, `run`, or `quick look` where it could not become one."""


class PairRow(TypedDict):
    """Two entries of a board and the exact test between them."""

    first: str
    second: str
    p: float
    adjusted: float
    """By Benjamini and Hochberg, over all pairs of the board."""


class Standings(TypedDict):
    """One board."""

    track: str
    level: str
    budget: int | None
    """In steps; None without entries."""
    baseline: str | None
    rows: list[BoardRow]
    """Best first."""
    pairs: list[PairRow]
    stamp: str
    """Of the entry files from which this was computed."""
