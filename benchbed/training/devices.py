"""Devices, cores, and how many threads a kernel uses."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchbed.errors import DeviceError

__all__ = ["cpu_count", "device_name", "find_device", "free_memory", "single_threaded"]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Kernels of one thread inside, as many as before outside.

    For matrices so small that threads would wait for each other longer than they compute: where other processes hold
    the cores, for minutes.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def find_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA where it is present.

    Raises:
        DeviceError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(
            f"--device {name}: expected a device that this machine has, found none ({str(error).splitlines()[0]}); "
            "leave --device away, or give cpu"
        ) from None
    return device


def free_memory(device: torch.device) -> int | None:
    """Bytes that may still be taken on a device, with those that torch holds and does not use; None for a CPU."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def device_name(device: torch.device) -> str:
    """The model of a device, as results name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({_cpu_model()}, {cpu_count()} cores)"


def _cpu_model() -> str:
    """Linux says it in a file; elsewhere the platform module knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def cpu_count() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
