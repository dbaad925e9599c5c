"""torch and audiocraft, imported late and quietly; the device, the precision and the threads to use."""

from __future__ import annotations

import ctypes
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import CallError
from assistant.i18n import _

if TYPE_CHECKING:
    import torch

_ready = False
_WORTH_THREADS = 50_000_000
"""Weights that a step must read for threads to pay."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_MADV_HUGEPAGE = 14  # of sys/mman.h
_LARGE_PAGE, _LARGE_PAGES_BYTES = 1 << 21, 1 << 29


def prepare() -> None:
    """Import audiocraft without its noise and choose torch's own attention.

    Takes seconds the first time; to be called only in worker and run processes, and never in one
    that has TensorFlow.
    """
    global _ready
    if _ready:
        return
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger("xformers").setLevel(logging.ERROR)  # its C++ extensions are absent and not needed
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*weight_norm.*")
    from audiocraft.modules.transformer import set_efficient_attention_backend

    set_efficient_attention_backend("torch")
    logging.getLogger("audiocraft").setLevel(logging.WARNING)
    _ready = True


def choose_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`. Raises `CallError` for one that is not here."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CallError(
            _("There is no device called {name}.").format(name=name),
            _("Use auto, cpu, cuda or cuda:0."),
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CallError(
            _("The device {name} is not on this machine.").format(name=name),
            _("Use auto, or see `musichelper doctor` for what is here."),
        )
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The number type of matrix products: what is asked, or the best that the device is fast at."""
    import torch

    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name in named:
        return named[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32


def choose_training_precision(name: str, device: torch.device) -> torch.dtype:
    """As `choose_precision`, and bfloat16 for a CPU that multiplies it in hardware.

    There the products take half the time; weights, gradients and moments stay in float32.
    """
    import torch

    if name == "auto" and device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return choose_precision(name, device)


def cpu_has_bfloat16() -> bool:
    """Whether this CPU has products of bfloat16 (AVX512-BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return False
    return any(f" {name} " in f" {flags.replace(chr(10), ' ')} " for name in ("avx512_bf16", "amx_bf16"))


def choose_clip_precision(name: str, device: torch.device) -> str:
    """The number type of the weights while clips are made: what is asked; else float32 on a CPU, and on a
    GPU float16, which is what Meta's weights are kept in."""
    if name != "auto":
        return name
    return "float32" if device.type == "cpu" else "float16"


def computed_on(device: str, precision: str) -> str:
    """The kind of device and the number type that these settings mean here, as `cpu float32`."""
    place = choose_device(device)
    return f"{place.type} {choose_clip_precision(precision, place)}"


def keep_freed_memory() -> None:
    """Let this process use again what it freed, where glibc would give large pieces back to the system.

    A training step on a CPU frees and takes the same pieces again and again; each new one costs a
    page fault for every 4 KiB. Of what it takes, the first part comes in pages of 2 MiB, where the system
    lends them on request, so that products wait less for addresses to be looked up.
    """
    try:
        library = ctypes.CDLL(None)
        mallopt, malloc, free, madvise = library.mallopt, library.malloc, library.free, library.madvise
    except (OSError, AttributeError):
        return  # another C library
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = malloc(_LARGE_PAGES_BYTES)  # of addresses; memory follows with their first use
    if block:
        first = -(-block // _LARGE_PAGE) * _LARGE_PAGE
        madvise(first, _LARGE_PAGES_BYTES - _LARGE_PAGE, _MADV_HUGEPAGE)
        free(block)


def machine_memory() -> int:
    """The memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usable_threads() -> int:
    """CPU threads for large products: the cores this process may use, at most eight."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0))
    return max(1, min(8, cores, int(allowed) if allowed.isdigit() and int(allowed) else cores))


def worth_threads(parameters: int) -> bool:
    """Whether decoding steps that read so many weights go faster with several CPU threads."""
    return parameters >= _WORTH_THREADS


def decoding_threads(parameters: int) -> int:
    """CPU threads for decoding steps that read so many weights.

    A step of a small model is a hundred products of some ten microseconds, and at the end of each the
    threads would wait for one another: one thread is faster alone, and far faster on a busy machine.
    """
    return usable_threads() if worth_threads(parameters) else 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use this many threads inside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
