"""A player for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Recorder:
    """A player that plays nothing and remembers all."""

    kind, heard, sentence, problem, link, command = "device", True, "", "", "", ""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, float, bool, str]] = []
        self.now: Path | None = None
        self.at = 0.0

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        self.calls.append((path.name, round(start, 2), round(gain, 1), loop, title))
        self.now, self.at = path, start

    def stop(self) -> None:
        self.now = None

    def playing(self) -> Path | None:
        return self.now

    def position(self) -> float:
        return self.at

    def close(self) -> None:
        self.now = None


def recorder(pilot: Any) -> Recorder:
    player = Recorder()
    pilot.app.bridge.listening._player = player
    return player
