"""How every file's model is made: strict, hashed, and with one line for what is wrong."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchbed.errors import did_you_mean

__all__ = ["Strict", "describe_error", "fingerprint"]


class Strict(BaseModel):
    """Frozen; unknown keys, lax types and non-finite numbers are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


def fingerprint(data: Any) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def describe_error(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for the first thing that is wrong, and how many more there are."""
    first, *others = error.errors(include_url=False)
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = [info.alias or name for name, info in model.model_fields.items()] if len(first["loc"]) == 1 else []
        names = f"; known: {', '.join(known) or 'none'}" if len(first["loc"]) == 1 else ""
        message = f"unknown option '{place}'{did_you_mean(place, known)}{names}"
    elif first["type"] == "missing":
        message = f"'{place}' is missing"
    else:
        expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        message = f"option '{place}': expected {expected}, found {first['input']!r}{_number_hint(first)}"
        if not place:
            message = first["msg"].removeprefix("Value error, ")
    return message + (f" (and {len(others)} more)" if others else "")


def _number_hint(error: Any) -> str:
    """YAML 1.1 reads 3e-4 as text."""
    text, digits = error["input"], "0123456789+-.eE"
    if not (
        isinstance(text, str) and error["type"] in ("float_type", "int_type") and text and not text.strip(digits)
    ):
        return ""
    number, mark, power = text.lower().partition("e")
    if not mark or "." in number:
        return ""
    sign = power if power[:1] in ("+", "-") else f"+{power}"
    return f"; YAML reads that as text, write {number}.0e{sign}"
