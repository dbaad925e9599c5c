"""Arrays kept on the disk by a key: many in few files, added one by one, read through memory maps."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from assistant.files import sync

ARRAYS_IN_SHARD = 256


@dataclass(frozen=True)
class _Place:
    shard: int
    first: int
    """Its first byte."""
    frames: int
    crc: int | None


class Arrays:
    """Arrays `[rows, frames]` of one kind: shards of a few hundred, each with an index beside it.

    `00000.bin` holds the arrays one after the other; each line of `00000.jsonl` says where one begins. A
    line is written after its array, so an interruption leaves bytes that no line names, and the next array
    overwrites them.
    """

    def __init__(self, folder: Path, rows: int, number: DTypeLike) -> None:
        self.folder, self.rows, self.number = folder, rows, np.dtype(number)
        self._places: dict[str, _Place] = {}
        self._ends: dict[int, int] = {}  # of each shard, in bytes
        self._counts: dict[int, int] = {}
        self._read_until: dict[int, int] = {}  # of its index
        self._maps: dict[int, NDArray[Any]] = {}
        self.refresh()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def frames(self, key: str) -> int:
        """The length of an array."""
        return self._places[key].frames

    def read(self, key: str) -> NDArray[Any]:
        """An array `[rows, frames]`, not yet read from the disk."""
        place = self._places[key]
        last = place.first + self._size(place.frames)
        if place.shard not in self._maps or self._maps[place.shard].nbytes < last:
            self._maps[place.shard] = np.memmap(self._data(place.shard), self.number, "r")
        start = place.first // self.number.itemsize
        part = self._maps[place.shard][start : start + self.rows * place.frames]
        return part.reshape(self.rows, place.frames)

    def intact(self, key: str) -> bool:
        """Whether an array is what was added; a power cut may lose one that was not `durable`."""
        place = self._places.get(key)
        return place is not None and place.crc in (None, zlib.crc32(self.read(key).tobytes()))

    def lock(self) -> FileLock:
        """To be held while adding: one process at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def refresh(self) -> None:
        """Take note of what another process has added."""
        for path in sorted(self.folder.glob("*.jsonl")):
            self._read_index(path, int(path.stem))

    def add(self, key: str, array: NDArray[Any], *, durable: bool = True) -> None:
        """Append an array `[rows, frames]`; where it is `durable` it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shard, first = self._end()
        data = np.ascontiguousarray(array, self.number)
        raw = data.tobytes()
        with self._data(shard).open("r+b" if self._data(shard).exists() else "wb") as file:
            file.seek(first)
            file.truncate()
            file.write(raw)
            _settle(file, durable)
        place = _Place(shard, first, data.shape[1], zlib.crc32(raw))
        entry = {"content": key, "first": first, "frames": place.frames, "crc": place.crc}
        with self._index(shard).open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # ends a line that was being written when the power went
            file.write(json.dumps(entry).encode() + b"\n")
            _settle(file, durable)
            self._read_until[shard] = file.tell()
        if first == 0 and durable:
            sync(self.folder)
        self._note(key, place)

    def _note(self, key: str, place: _Place) -> None:
        self._places[key] = place
        self._counts[place.shard] = self._counts.get(place.shard, 0) + 1
        end = place.first + self._size(place.frames)
        self._ends[place.shard] = max(self._ends.get(place.shard, 0), end)

    def _end(self) -> tuple[int, int]:
        """The shard and the byte where the next array goes."""
        shard = max(self._ends, default=0)
        if self._counts.get(shard, 0) >= ARRAYS_IN_SHARD:
            return shard + 1, 0
        return shard, self._ends.get(shard, 0)

    def _read_index(self, path: Path, shard: int) -> None:
        try:
            size = self._data(shard).stat().st_size
        except FileNotFoundError:
            return
        with path.open("rb") as file:
            file.seek(self._read_until.get(shard, 0))
            lines = file.readlines()
        for line in lines:
            if not line.endswith(b"\n"):
                break  # it is being written, or never was to its end
            self._read_until[shard] = self._read_until.get(shard, 0) + len(line)
            try:
                entry = json.loads(line)
                place = _Place(shard, int(entry["first"]), int(entry["frames"]), entry.get("crc"))
                key = str(entry["content"])
            except (ValueError, KeyError, TypeError):
                continue
            if place.first + self._size(place.frames) <= size:
                self._note(key, place)

    def _size(self, frames: int) -> int:
        return self.number.itemsize * self.rows * frames

    def _data(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.bin"

    def _index(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.jsonl"


def _settle(file: Any, durable: bool) -> None:
    file.flush()
    if durable:
        os.fsync(file.fileno())
