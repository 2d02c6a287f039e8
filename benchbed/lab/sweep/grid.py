"""The grid of a sweep: axes as they are typed, and every combination of their values.

task.sparsity=1..15                     a range, both ends included
task.state_size=8,16,32                 values
mixer.heads,backbone.dim=1:8,2:16,4:32  options that change together
"""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from benchbed.errors import OptionError, did_you_mean

__all__ = ["OWNERS", "Axis", "as_text", "axis_text", "combine", "parse_axes"]

OWNERS = ("task", "mixer", "backbone")
"""What the options on an axis belong to."""


LARGEST = 10_000
"""Cells of a sweep, at most."""


class Axis(NamedTuple):
    """Options that change together, and the values that they take in turn."""

    keys: tuple[str, ...]
    """As in `task.sparsity`."""
    values: list[tuple[str, ...]]
    """One value a key each."""


def parse_axes(texts: Sequence[str]) -> list[Axis]:
    """Read axes.

    Raises:
        OptionError: one is malformed, or an option stands on two.
    """
    axes = [_parse(text) for text in texts]
    _bound(math.prod(len(axis.values) for axis in axes), "cells")
    keys = [key for axis in axes for key in axis.keys]
    for key in keys:
        if keys.count(key) > 1:
            raise OptionError(f"--grid: '{key}' was given twice; give it once")
    return axes


def as_text(value: object) -> str:
    """A value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def axis_text(option: str, values: Iterable[object]) -> str:
    """An axis as it is typed, `axis_text("task.sparsity", [1, 2])` being `task.sparsity=1,2`; for options that change
    together, `"mixer.heads,backbone.dim"`, each value is a tuple.
    """
    rows = [value if isinstance(value, tuple | list) else (value,) for value in values]
    return f"{option}=" + ",".join(":".join(map(as_text, row)) for row in rows)


def combine(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Every combination, the last axis changing fastest."""
    return [
        {key: value for axis, row in zip(axes, rows, strict=True) for key, value in zip(axis.keys, row, strict=True)}
        for rows in product(*(axis.values for axis in axes))
    ]


def _bound(count: int, what: str) -> None:
    if count > LARGEST:
        raise OptionError(f"--grid: expected at most {LARGEST:,} {what}, found {count:,}")


def _parse(text: str) -> Axis:
    name, equals, values = text.partition("=")
    keys = tuple(name.split(","))
    for key in keys:
        owner, dot, option = key.partition(".")
        if not equals or not dot or not option or owner not in OWNERS:
            hint = did_you_mean(owner, OWNERS) if dot else ""
            raise OptionError(
                f"--grid: expected OWNER.OPTION=VALUES with an owner of {', '.join(OWNERS)}, as in "
                f"task.sparsity=1..4, found '{text}'{hint}"
            )
    rows = [row for item in values.split(",") for row in _rows(item, len(keys), text)]
    if len(set(rows)) < len(rows):
        raise OptionError(f"--grid: expected different values, found '{text}'")
    return Axis(keys, rows)


def _rows(item: str, width: int, text: str) -> list[tuple[str, ...]]:
    if width == 1 and (ends := re.fullmatch(r"(\d+)\.\.(\d+)", item)):
        first, last = map(int, ends.groups())
        if first > last:
            raise OptionError(f"--grid: expected a range from low to high, found '{text}'")
        _bound(last - first + 1, f"values of '{text}'")
        return [(str(value),) for value in range(first, last + 1)]
    row = tuple(item.split(":")) if width > 1 else (item,)
    if len(row) != width or not all(row):
        raise OptionError(f"--grid: expected {width} values joined by ':' for each point of '{text}', found '{item}'")
    return [row]
