"""The NVIDIA GPUs of this machine, asked through NVML; no torch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_lock = threading.Lock()
_nvml: Any = None
_absent = False


@dataclass(frozen=True)
class Gpu:
    """One GPU now: memory in bytes (0: unknown), utilisation in percent, °C; None where it is not told."""

    index: int
    name: str
    memory_total: int
    memory_used: int
    utilisation: int | None
    temperature: int | None
    power: int | None = None
    """Milliwatts."""
    power_limit: int | None = None
    processes: tuple[tuple[int, int], ...] = ()
    """Process ids that compute on it, with the bytes they hold (0: unknown)."""


def gpus() -> list[Gpu]:
    """The GPUs in NVML's order; empty where there is no GPU, no driver, or it does not answer."""
    with _lock:
        nvml = _open()
        if nvml is None:
            return []
        try:
            return [_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
        except nvml.NVMLError:
            return []


def driver() -> tuple[str, int] | None:
    """The driver's version and the newest CUDA it can run (13000 is 13.0); None without a driver."""
    with _lock:
        nvml = _open()
        if nvml is None:
            return None
        try:
            return _text(nvml.nvmlSystemGetDriverVersion()), int(nvml.nvmlSystemGetCudaDriverVersion())
        except nvml.NVMLError:
            return None


def device_for(wanted: str) -> str:
    """The device that `auto`, `cpu`, `cuda` or `cuda:1` means on this machine, as `cpu` or `cuda:N`.

    N counts all GPUs of the machine, so that two programs with different `CUDA_VISIBLE_DEVICES`
    mean the same card by the same name.
    """
    if wanted != "auto" and not wanted.startswith("cuda"):
        return wanted
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = None if visible is None else [card.strip() for card in visible.split(",") if card.strip()]
    hidden = cards is not None and (not cards or cards[0] == "-1")
    if wanted == "auto" and (hidden or not gpus()):
        return "cpu"
    number = wanted.partition(":")[2] or "0"
    if cards and number.isdigit() and int(number) < len(cards):
        number = cards[int(number)]
    return f"cuda:{number}"


def _open() -> Any:
    """NVML, opened once; kept open because opening takes long on a machine with many GPUs."""
    global _nvml, _absent
    if _nvml is None and not _absent:
        try:
            import pynvml

            pynvml.nvmlInit()
            _nvml = pynvml
        except Exception:  # no library, no driver, or a driver that does not match its library
            _absent = True
    return _nvml


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def asked(question: Callable[[], int]) -> int | None:
        try:
            return int(question())
        except nvml.NVMLError:
            return None  # a partitioned GPU, or one without memory of its own, does not tell

    def memory(part: str) -> int:
        return asked(lambda: getattr(nvml.nvmlDeviceGetMemoryInfo(handle), part)) or 0

    return Gpu(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_total=memory("total"),
        memory_used=memory("used"),
        utilisation=asked(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        temperature=asked(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        power=asked(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
        power_limit=asked(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        processes=_processes(nvml, handle),
    )


def _processes(nvml: Any, handle: Any) -> tuple[tuple[int, int], ...]:
    try:
        found = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLError:
        return ()
    return tuple((int(one.pid), int(one.usedGpuMemory or 0)) for one in found)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
