"""What a conformance check finds, and how a list of checks is run: for mixers and for tasks alike."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["Check", "Finding", "Note", "as_tests", "run_checks"]

Status = Literal["passed", "failed", "note"]

S = TypeVar("S")


@dataclass(frozen=True)
class Finding:
    """What one check found out."""

    check: str
    status: Status
    message: str
    """Empty where it passed."""


class Note(str):
    """Worth knowing and no fault."""

    __slots__ = ()


Check = Callable[[S], str | None]
"""Says what is wrong with its subject, or None; a `Note` is no fault."""


def run_checks(checks: Mapping[str, Check[S]], subject: S, names: Iterable[str] | None = None) -> Iterator[Finding]:
    """Run checks one by one, small matrices on one thread, float32 exact; a subject that raises has failed.

    Args:
        checks: by name.
        subject: what they look at.
        names: those to run; by default all.
    """
    import torch

    from benchbed.training.devices import float32_products, single_threaded

    raised: dict[str, str] = {}
    for name in checks if names is None else names:
        try:
            with torch.random.fork_rng(devices=[]), single_threaded(), float32_products(tf32=False):
                message = checks[name](subject)
        except Exception as error:
            message = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if message in raised:
                message = Note(f"not tried: the same error as in '{raised[message]}'")
            raised.setdefault(message, name)
        status = "passed" if not message else "note" if isinstance(message, Note) else "failed"
        yield Finding(name, status, str(message or ""))


def as_tests(checks: Mapping[str, Check[S]], subject: S) -> Callable[[str], None]:
    """Make a parametrised pytest function with one test a check."""
    import pytest

    @pytest.mark.parametrize("check", list(checks))
    def test(check: str) -> None:
        (finding,) = run_checks(checks, subject, [check])
        assert finding.status != "failed", finding.message

    return test
