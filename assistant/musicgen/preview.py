"""Sound of a clip that is still being made, in a file that grows."""

from __future__ import annotations

import threading
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Preview:
    """A WAV file whose header is true after each piece; made with the first one, removed at the end.

    Louder than full scale is clipped, for the level of a clip is only known when it is done.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.path, self._rate, self._channels = path, rate, channels
        self._file: wave.Wave_write | None = None
        self._lock = threading.Lock()
        self._frames = 0

    @property
    def seconds(self) -> float:
        """How much can be heard."""
        return self._frames / self._rate

    def add(self, piece: NDArray[np.float32]) -> None:
        """Append samples `[channels, samples]`."""
        with self._lock:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = wave.open(str(self.path), "wb")  # noqa: SIM115
                self._file.setnchannels(self._channels)
                self._file.setsampwidth(2)
                self._file.setframerate(self._rate)
            whole = np.clip(piece, -1.0, 1.0).T * 32767.0
            self._file.writeframes(np.ascontiguousarray(whole).astype("<i2").tobytes())
            self._frames += piece.shape[1]

    def remove(self) -> None:
        """Close and delete the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
        self.path.unlink(missing_ok=True)
