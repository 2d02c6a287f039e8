"""Devices, cores, how many threads a kernel uses, and how exactly it multiplies."""

import os
import platform
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchbed.errors import DeviceError

__all__ = ["cpu_count", "device_name", "find_device", "float32_products", "free_memory", "single_threaded"]

_EXACT, _TF32 = "ieee", "tf32"
_BACKENDS: Any = torch.backends
_ON_CUDA = (_BACKENDS.cuda.matmul, _BACKENDS.cudnn.conv, _BACKENDS.cudnn.rnn)
_ON_CPU = (_BACKENDS.mkldnn.matmul, _BACKENDS.mkldnn.conv, _BACKENDS.mkldnn.rnn)
"""What torch has a precision of float32 for."""
_TRITON = "TRITON_F32_DEFAULT"
"""Where Triton reads it when it compiles a kernel; its own default is TF32."""


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


@contextmanager
def float32_products(*, tf32: bool) -> Iterator[None]:
    """Products, convolutions and recurrences of float32 inside: exact ones, or TF32 on CUDA; as before outside.

    torch's own setting is exact for products and TF32 for the rest, and any plug-in's import can change it for all;
    Triton's is TF32. A Triton kernel is compiled once in a process, and stays as it was then.
    """
    with warnings.catch_warnings(action="ignore"):  # torch 2.9 announces the end of the older way when it is read
        before = torch.get_float32_matmul_precision(), [kind.fp32_precision for kind in (*_ON_CUDA, *_ON_CPU)]
    on_cuda = _TF32 if tf32 else _EXACT
    triton = os.environ.get(_TRITON)
    _set_precision("high" if tf32 else "highest", [on_cuda] * len(_ON_CUDA) + [_EXACT] * len(_ON_CPU), on_cuda)
    try:
        yield
    finally:
        _set_precision(*before, triton)


def _set_precision(general: str, kinds: Sequence[str], triton: str | None) -> None:
    """Both of torch's ways: who reads the older setting is refused where it contradicts the newer one."""
    if triton is None:
        os.environ.pop(_TRITON, None)
    else:
        os.environ[_TRITON] = triton
    with warnings.catch_warnings(action="ignore"):
        torch.set_float32_matmul_precision(general)
        torch.backends.cudnn.allow_tf32 = kinds[1] == _TF32
    for kind, precision in zip((*_ON_CUDA, *_ON_CPU), kinds, strict=True):
        kind.fp32_precision = precision


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
