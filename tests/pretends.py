"""Tests that pretend a CUDA device, on the machines and with the releases of torch that can."""

import pytest

from benchbed.checks.pretended import why_not_pretended

__all__ = ["PRETENDS"]

_REASON = why_not_pretended()
PRETENDS = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))
