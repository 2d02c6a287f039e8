"""Importing what strangers wrote: what it sets for all of torch is set for no other mixer."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["import_class", "undisturbed"]


def import_class(target: str) -> Any:
    """Import `"package.module:Class"`; raises whatever the import raises."""
    module, _, attribute = target.partition(":")
    with undisturbed():
        found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


@contextmanager
def undisturbed() -> Iterator[None]:
    """Default type and device, and whether gradients are kept, are afterwards what they were before.

    For imports, and for unpickling, which imports.
    """
    torch: Any = sys.modules.get("torch")
    loaded = hasattr(torch, "get_default_device")
    before = (torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()) if loaded else None
    try:
        yield
    finally:
        torch = sys.modules.get("torch")
        if hasattr(torch, "get_default_device"):
            dtype, device, grad = before or (torch.float32, torch.device("cpu"), True)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)
            if torch.get_default_device() != device:
                torch.set_default_device(device)
