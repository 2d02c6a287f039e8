"""What a plug-in may need besides benchbed, and what of it this machine lacks; nothing is imported to find out."""

import ctypes
import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["CUDA", "lacking", "library_versions"]

CUDA = "cuda"
"""The need of a CUDA device; every other need is the name of a distribution."""


def lacking(needs: Iterable[str]) -> list[str]:
    """What is missing of `needs`."""
    return [need for need in needs if not (_cuda_devices() if need == CUDA else library_versions([need]))]


def library_versions(needs: Iterable[str]) -> dict[str, str]:
    """The versions of those distributions that are installed."""
    found = {}
    for need in needs:
        try:
            found[need] = version(need)
        except PackageNotFoundError:
            continue
    return found


@cache
def _cuda_devices() -> int:
    """How many the driver shows; asked of the driver itself, because importing torch takes seconds."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    usable = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if usable else 0
