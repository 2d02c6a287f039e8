"""Names, numbers and options as people read them: the same in the terminal, in Markdown, on pages and in pictures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchbed.results.result import Result

__all__ = [
    "begun_elsewhere",
    "bound",
    "called",
    "clock",
    "differing",
    "known_at_the_end",
    "labels",
    "number",
    "options_line",
    "place",
    "span",
    "with_interval",
]


def number(value: float | None, form: str = ",.0f", missing: str = "not reached") -> str:
    """`1,234`, or what stands for a number that there is not."""
    return missing if value is None else f"{value:{form}}"


def with_interval(value: float, interval: Sequence[float] | None, form: str = ",.0f") -> str:
    """`266 [157, 374]`."""
    return f"{value:{form}}" + (f" [{interval[0]:{form}}, {interval[1]:{form}}]" if interval else "")


def place(rank: int | None, last: int | None) -> str:
    """`3 to 11`: the rank, and the last one that the same tests allow."""
    return "unranked" if rank is None else f"{rank}" if rank == last else f"{rank} to {last}"


def span(seeds: Sequence[int]) -> str:
    """`0 to 15`: seeds, which follow one another."""
    return f"{seeds[0]} to {seeds[-1]}"


def options_line(options: Mapping[str, Any], separator: str = ", ") -> str:
    """`heads=8, groups=2`."""
    return separator.join(f"{name}={value}" for name, value in options.items())


def called(name: str, options: Mapping[str, Any]) -> str:
    """`multi_head_attention (heads=8, positions=none)`."""
    return f"{name} ({options_line(options)})" if options else name


def labels(named: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Names of several things side by side; of those that are called the same, with the options that differ.

    Args:
        named: each one's name and options. What differs in nothing is numbered.
    """
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for name, options in named:
        alike.setdefault(name, []).append(options)
    found = [f"{name} {differing(options, alike[name])}".strip() for name, options in named]
    numbers = [found[: place + 1].count(label) for place, label in enumerate(found)]
    return [f"{label} ({n})" if found.count(label) > 1 else label for label, n in zip(found, numbers, strict=True)]


def differing(options: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> str:
    """`heads=1`: those options that some of several things have otherwise; often none."""
    return options_line({k: v for k, v in options.items() if any(other.get(k) != v for other in among)})


def bound(mine: tuple[int, int], other: tuple[int, int]) -> str:
    """What stands before a ratio of means: is that of the times nobody saw larger (>), smaller (<) or either (~)?

    Args:
        mine: solved and all seeds of the numerator.
        other: of the denominator.
    """
    censored = mine[0] < mine[1], other[0] < other[1]
    return {(True, False): "> ", (False, True): "< ", (True, True): "~ "}.get(censored, "")


def begun_elsewhere(result: "Result") -> str | None:
    """`torch=2.11.0, workers=4`: what was otherwise where an interrupted run began; None where nothing was."""
    found = [options_line(result.environment.differences(earlier)) for earlier in result.earlier_environments]
    return "; ".join(found) or None


def known_at_the_end(result: "Result") -> str | None:
    """Of seeds that did not solve, in their order; None where all did, or an older result does not say."""
    known = [str(row.known) for row in result.members if row.steps is None and row.known is not None]
    return f"{' '.join(known)} of {result.scored_tokens} outputs, where not solved" if known else None


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
