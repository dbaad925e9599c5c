"""The token cache: each track encoded once, whole, as int16, read through memory maps."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from assistant.files import sync
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.workers import Emit

TRACKS_IN_SHARD = 256


@dataclass(frozen=True)
class TokenSummary:
    """What the cache holds for the library's ready tracks."""

    tracks: int
    built: int
    """Of these, encoded now."""
    seconds: float
    """Of music."""
    failed: tuple[tuple[str, str], ...] = ()
    """Tracks that could not be encoded, each with the reason."""


def build_tokens(library: Library, model: str, on_event: Emit | None = None) -> TokenSummary:
    """Encode the ready tracks that are not encoded yet, in a process of its own.

    `on_event` gets {"event": "tokens", "done", "total"}. What was encoded before an interruption
    stays. Raises `CallError` for an unknown model and `MusicHelperError` for one that cannot be had.
    """
    from assistant.musicgen.client import heavy_worker
    from assistant.musicgen.models import model_folder

    model_folder(model, library.paths)  # a name that means nothing is told at once
    with heavy_worker() as worker:
        answer = worker.call(
            "tokens",
            {
                "library": os.fsdecode(library.root),
                "model": model,
                "device": library.settings.musicgen.device,
            },
            on_event=on_event,
        )
    return TokenSummary(
        tracks=answer["tracks"],
        built=answer["built"],
        seconds=answer["seconds"],
        failed=tuple((path, reason) for path, reason in answer["failed"]),
    )


def tracks_with_audio(library: Library) -> list[Track]:
    """The tracks that can be encoded: ready, each content once."""
    found: dict[str, Track] = {}
    for track in library.ledger.tracks(state="ready"):
        if track.wav is not None:
            found.setdefault(track.content, track)
    return list(found.values())


class TokenCache:
    """The tokens of one codec: shards of a few hundred tracks, each with an index beside it.

    `00000.bin` holds int16 `[codebooks, frames]` arrays one after the other; each line of
    `00000.jsonl` says where one begins. A line is written after its tokens are on the disk, so an
    interrupted track leaves bytes that no line names, and the next one overwrites them.
    """

    def __init__(self, root: Path, codec: str, codebooks: int) -> None:
        self.folder = root / codec
        self.codebooks = codebooks
        self._places: dict[str, tuple[int, int, int]] = {}  # content: shard, first byte, frames
        self._maps: dict[int, NDArray[np.int16]] = {}
        self._read_indexes()

    def __contains__(self, content: str) -> bool:
        return content in self._places

    def __len__(self) -> int:
        return len(self._places)

    def frames(self, content: str) -> int:
        """The length of a track in frames."""
        return self._places[content][2]

    def read(self, content: str) -> NDArray[np.int16]:
        """A track's tokens `[codebooks, frames]`, not yet read from the disk."""
        shard, first, frames = self._places[content]
        if shard not in self._maps or self._maps[shard].nbytes < first + 2 * self.codebooks * frames:
            self._maps[shard] = np.memmap(self._data(shard), np.int16, "r")
        start = first // 2
        return self._maps[shard][start : start + self.codebooks * frames].reshape(self.codebooks, frames)

    def lock(self) -> FileLock:
        """To be held while adding: one process at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def refresh(self) -> None:
        """Take note of what another process has added."""
        self._read_indexes()

    def add(self, content: str, tokens: NDArray[np.int16]) -> None:
        """Append a track's tokens `[codebooks, frames]`; on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shard, first = self._end()
        data = np.ascontiguousarray(tokens, np.int16)
        with self._data(shard).open("r+b" if self._data(shard).exists() else "wb") as file:
            file.seek(first)
            file.truncate()
            file.write(data.tobytes())
            file.flush()
            os.fsync(file.fileno())
        line = json.dumps({"content": content, "first": first, "frames": data.shape[1]}) + "\n"
        with self._index(shard).open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # ends a line that was being written when the power went
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        if first == 0:
            sync(self.folder)
        self._places[content] = (shard, first, data.shape[1])

    def _end(self) -> tuple[int, int]:
        if not self._places:
            return 0, 0
        shard = max(place[0] for place in self._places.values())
        inside = [place for place in self._places.values() if place[0] == shard]
        if len(inside) >= TRACKS_IN_SHARD:
            return shard + 1, 0
        return shard, max(first + 2 * self.codebooks * frames for _shard, first, frames in inside)

    def _read_indexes(self) -> None:
        for path in sorted(self.folder.glob("*.jsonl")):
            shard = int(path.stem)
            try:
                size = self._data(shard).stat().st_size
            except FileNotFoundError:
                continue
            for line in path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    place = (shard, int(entry["first"]), int(entry["frames"]))
                except (ValueError, KeyError, TypeError):
                    continue
                if place[1] + 2 * self.codebooks * place[2] <= size:
                    self._places[str(entry["content"])] = place

    def _data(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.bin"

    def _index(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.jsonl"
