from typing import Annotated, Literal

import pytest
from pydantic import Field

from benchbed.cli.arguments import parse_assignments
from benchbed.errors import OptionError, PluginError
from benchbed.plugins.options import options_model, resolve_options

POSITIONAL = ("dim", "length")


class Example:
    def __init__(
        self,
        dim: int,
        length: int,
        *,
        heads: Annotated[int, Field(ge=1)] = 8,
        kind: Literal["a", "b"] = "a",
        gated: bool = True,
        scale: float = 1.0,
    ) -> None: ...


def resolve(given, text=False):
    return resolve_options(Example, POSITIONAL, given, owner="mixer 'example'", text=text)


def test_defaults_are_filled_in():
    assert resolve({}) == {"heads": 8, "kind": "a", "gated": True, "scale": 1.0}


def test_text_from_a_command_line_becomes_typed():
    given = {"heads": "4", "kind": "b", "gated": "false", "scale": "1e-3"}
    assert resolve(given, text=True) == {"heads": 4, "kind": "b", "gated": False, "scale": 0.001}


@pytest.mark.parametrize(
    ("given", "text", "message"),
    [
        ({"heds": 4}, False, "unknown option 'heds'; did you mean 'heads'[?]; known: heads, kind, gated, scale"),
        ({"heads": "4"}, False, "option 'heads': expected a valid integer, found '4'"),
        ({"heads": "four"}, True, "option 'heads': expected a valid integer.*found 'four'"),
        ({"heads": 0}, False, "option 'heads': expected greater than or equal to 1, found 0"),
        ({"kind": "c"}, True, "option 'kind': expected 'a' or 'b', found 'c'"),
        ({"scale": float("nan")}, False, "option 'scale': expected a finite number, found nan"),
        ({"heads": True}, False, "option 'heads': expected a valid integer, found True"),
        ({"heads": 0, "kind": "c"}, False, r"\(and 1 more\)"),
    ],
)
def test_wrong_options_say_what_was_expected_and_found(given, text, message):
    with pytest.raises(OptionError, match=rf"^mixer 'example': .*{message}"):
        resolve(given, text)


class Swallows:
    def __init__(self, dim: int, length: int, **rest: object) -> None: ...


class Untyped:
    def __init__(self, dim: int, length: int, *, heads=8) -> None: ...


class Required:
    def __init__(self, dim: int, length: int, *, heads: int) -> None: ...


class Misnamed:
    def __init__(self, width: int, length: int) -> None: ...


class Odd:
    def __init__(self, dim: int, length: int, *, heads: "Nowhere" = 8) -> None: ...  # noqa: F821  # pyright: ignore


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Swallows, r"found '\*\*rest: object'"),
        (Untyped, "option 'heads' needs an annotation and a default"),
        (Required, "option 'heads' needs an annotation and a default"),
        (Misnamed, r"found positional arguments \(width, length\)"),
        (Odd, "annotation of __init__ cannot be resolved"),
    ],
)
def test_signatures_that_break_the_contract(cls, message):
    with pytest.raises(PluginError, match=message):
        options_model(cls, POSITIONAL)


def test_assignments():
    assert parse_assignments(["heads=4", "name=a=b"], "--o") == {"heads": "4", "name": "a=b"}
    with pytest.raises(OptionError, match="--o: expected key=value, found 'heads'"):
        parse_assignments(["heads"], "--o")
    with pytest.raises(OptionError, match="'heads' was given twice"):
        parse_assignments(["heads=1", "heads=2"], "--o")
