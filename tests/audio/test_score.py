"""What a MIDI file says of its tempo and key, and when its key signature is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.audio.render import open_midi
from tests.made_sounds import midi

SCALE = (0, 2, 4, 5, 7, 9, 11)
WEIGHTS = (4, 1, 3, 2, 4, 1, 1)  # of the steps: a clear major key


def facts(path: Path, tonic: int, *, signature: tuple[int, int] | None = None) -> dict[str, Any]:
    notes, now = [], 0
    for step, weight in zip(SCALE, WEIGHTS, strict=True):
        notes.append((now, now + 96 * weight, tonic + step))
        now += 96 * weight
    extra = b""
    if signature is not None:
        extra = b"\x00\xff\x59\x02" + bytes([signature[0] % 256, signature[1]])
    path.write_bytes(midi(notes, extra=extra))
    return open_midi(path, "", 600)[1]


@pytest.mark.parametrize(
    ("tonic", "signature", "key", "source"),
    [
        (62, (2, 0), "D major", "file"),
        (62, None, "D major", "notes"),
        (62, (0, 0), "D major", "notes"),  # C major by habit
        (60, (0, 0), "C major", "file"),
        (62, (2, 1), "B minor", "file"),  # the same notes, and the file says minor
        (62, (-5, 0), "D major", "notes"),  # nothing like its notes
    ],
)
def test_the_key(
    tmp_path: Path, tonic: int, signature: tuple[int, int] | None, key: str, source: str
) -> None:
    found = facts(tmp_path / "a.mid", tonic, signature=signature)["key"]
    assert (found["value"], found["source"]) == (key, source)


def test_a_file_without_a_tempo_has_the_formats_own(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    data = midi([(0, 96, 60), (96, 192, 64)])
    tempo = b"\x00\xff\x51\x03\x07\xa1\x20"
    assert tempo in data
    length = int.from_bytes(data[18:22], "big") - len(tempo)
    path.write_bytes(data[:18] + length.to_bytes(4, "big") + data[22:].replace(tempo, b""))
    bpm = open_midi(path, "", 600)[1]["bpm"]
    assert bpm == {"value": 120.0, "source": "file", "confidence": 0.5}


def test_a_file_that_counts_film_frames_has_no_tempo(tmp_path: Path) -> None:
    data = bytearray(midi([(0, 960, 60), (960, 1920, 64)]))
    data[12:14] = bytes([256 - 25, 40])  # a thousand ticks a second
    (tmp_path / "a.mid").write_bytes(data)
    assert "bpm" not in open_midi(tmp_path / "a.mid", "", 600)[1]
