"""The engine's hold on a GPU: the lock that runs take too, let go as soon as a run asks for it."""

from __future__ import annotations

import os
from typing import Any

from assistant.runs.lock import ProcessLock, device_lock, device_wish


class DeviceHold:
    """At most one device at a time; a CPU needs no lock, because it is shared well."""

    def __init__(self) -> None:
        self._device = ""
        self._lock: ProcessLock | None = None

    def take(self, device: str) -> dict[str, Any] | None:
        """Take the device. Returns nothing, or what its holder says of itself where it is held."""
        if self._lock is not None and self._device == device:
            return None
        self.release()
        if not needs_lock(device):
            return None
        lock = device_lock(device)
        if not lock.acquire({"engine": os.getpid()}):
            return lock.note() or {"run": ""}
        self._device, self._lock = device, lock
        return None

    def release(self) -> None:
        """Let it go."""
        if self._lock is not None:
            self._lock.release()
        self._device, self._lock = "", None

    @property
    def device(self) -> str:
        """What is held; empty where nothing is."""
        return self._device

    def wished(self) -> dict[str, Any] | None:
        """What the process that waits for the held device says of itself; None where nobody waits."""
        return wish_for(self._device) if self._device else None


def needs_lock(device: str) -> bool:
    """Whether only one process at a time may compute on a device."""
    return device.startswith("cuda")


def wish_for(device: str) -> dict[str, Any] | None:
    """What the process that waits for a device says of itself; None where nobody waits."""
    wish = device_wish(device)
    if wish.acquire():
        wish.release()
        return None
    return wish.note()
