"""SoundFont 2 files (.sf2, and .sf3 with Vorbis samples): presets, zones and samples.

After "SoundFont Technical Specification" 2.04. What a zone means is worked out once, here; effects,
modulators and the modulation envelope are left out.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import MusicHelperError
from assistant.i18n import _

Array = np.ndarray[Any, Any]
DRUM_BANK = 128

# Generator numbers of section 8.1.2.
_START, _END, _LOOP_START, _LOOP_END = 0, 1, 2, 3
_COARSE = {4: _START, 12: _END, 45: _LOOP_START, 50: _LOOP_END}
_CUTOFF, _PAN = 8, 17
_ATTACK, _HOLD, _DECAY, _SUSTAIN, _RELEASE = 34, 35, 36, 37, 38
_INSTRUMENT, _KEYS, _VELOCITIES, _ATTENUATION = 41, 43, 44, 48
_COARSE_TUNE, _FINE_TUNE, _SAMPLE, _MODES, _SCALE = 51, 52, 53, 54, 56
_EXCLUSIVE, _ROOT = 57, 58
_DEFAULTS = {
    _CUTOFF: 13500, _ATTACK: -12000, _HOLD: -12000, _DECAY: -12000, _RELEASE: -12000, _SCALE: 100, _ROOT: -1,
}  # fmt: skip
_COMPRESSED = 0x10


@dataclass(frozen=True)
class Zone:
    """One sample under a range of keys and velocities, with how it is to sound."""

    number: int
    keys: tuple[int, int]
    velocities: tuple[int, int]
    sample: int
    start: int
    end: int
    loop: tuple[int, int] | None
    rate: int
    root: float
    """The key at which the sample plays as recorded, tuning included."""
    scale: float
    """Semitones a key."""
    gain: float
    pan: float
    """-0.5 left to 0.5 right."""
    attack: float
    hold: float
    decay: float
    """Seconds to fall by 100 dB."""
    sustain: float
    """dB below full."""
    release: float
    """Seconds to fall by 100 dB."""
    cutoff: float | None
    """Low-pass frequency in Hz; None where it is open."""
    exclusive: int
    """Class in which a new note ends the old one (a closed hi-hat the open one), or 0."""


class SoundFont:
    """An opened soundfont. Sample data stays in the file until it is played."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            chunks = _chunks(path)
            self._data = chunks["smpl"]
            self._samples = np.frombuffer(chunks["shdr"].tobytes(), _HEADER)
            self._presets = _presets(chunks, self._samples)
        except (OSError, KeyError, ValueError, IndexError, struct.error) as error:
            raise MusicHelperError(
                _("The soundfont {path} cannot be read.").format(path=path),
                _("Name another .sf2 or .sf3 file as intake.soundfont in the configuration."),
            ) from error
        if not self._presets:
            raise MusicHelperError(_("The soundfont {path} has no instruments.").format(path=path))

    def zones(self, bank: int, program: int) -> list[Zone]:
        """The zones of a preset; of the nearest that there is where the font lacks it."""
        for key in ((bank, program), (bank, program // 8 * 8), (bank, 0), (0, program), (0, 0)):
            if key in self._presets:
                return self._presets[key]
        return next(iter(self._presets.values()))

    def wave(self, zone: Zone) -> Array:
        """The samples of a zone as int16 or float32; loop points count from its first."""
        if int(self._samples[zone.sample]["kind"]) & _COMPRESSED:
            return self._decoded(zone.sample)
        return self._data[2 * zone.start : 2 * zone.end].view("<i2")

    @lru_cache(maxsize=64)  # noqa: B019 - a font lives as long as the process
    def _decoded(self, sample: int) -> Array:
        import soundfile

        header = self._samples[sample]
        data = self._data[int(header["start"]) : int(header["end"])].tobytes()
        try:
            wave, _rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        except soundfile.SoundFileError as error:
            raise MusicHelperError(
                _("The soundfont {path} cannot be read.").format(path=self.path)
            ) from error
        mono: Array = wave[:, 0]
        return mono


_HEADER = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
        ("rate", "<u4"), ("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2"),
    ]
)  # fmt: skip
_PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "S12")])
_INST = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAG = np.dtype([("generators", "<u2"), ("modulators", "<u2")])
_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])


def _chunks(path: Path) -> dict[str, Array]:
    """The sub-chunks of the three lists, mapped from the file."""
    data: Array = np.memmap(path, np.uint8, "r")
    if data[:4].tobytes() != b"RIFF" or data[8:12].tobytes() != b"sfbk":
        raise ValueError("not a soundfont")
    found: dict[str, Array] = {}

    def walk(position: int, end: int) -> None:
        while position + 8 <= end:
            kind, size = struct.unpack("<4sI", data[position : position + 8].tobytes())
            body = position + 8
            if kind == b"LIST":
                walk(body + 4, min(end, body + size))
            else:
                found[kind.decode("latin-1")] = data[body : body + size]
            position = body + size
            # Compressed fonts come with and without the byte that makes a size even.
            if size % 2 and data[position : position + 4].tobytes() != b"LIST":
                position += 1

    walk(12, len(data))
    return found


def _presets(chunks: dict[str, Array], samples: Array) -> dict[tuple[int, int], list[Zone]]:
    def table(name: str, kind: np.dtype[Any]) -> Array:
        data = chunks[name].tobytes()
        return np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)

    heads, instruments = table("phdr", _PRESET), table("inst", _INST)
    preset_bags, instrument_bags = table("pbag", _BAG), table("ibag", _BAG)
    preset_generators, instrument_generators = table("pgen", _GENERATOR), table("igen", _GENERATOR)
    presets: dict[tuple[int, int], list[Zone]] = {}
    number = 0
    for head, following in itertools.pairwise(heads):
        zones: list[Zone] = []
        outer = _bags(preset_bags, preset_generators, head["bag"], following["bag"], _INSTRUMENT)
        for preset in outer:
            index = preset[_INSTRUMENT]
            if not 0 <= index < len(instruments) - 1:
                continue
            first, last = instruments[index]["bag"], instruments[index + 1]["bag"]
            for inner in _bags(instrument_bags, instrument_generators, first, last, _SAMPLE):
                zone = _zone(number, preset, inner, samples)
                if zone is not None:
                    zones.append(zone)
                    number += 1
        if zones:
            presets.setdefault((int(head["bank"]), int(head["program"])), zones)
    return presets


def _bags(bags: Array, generators: Array, first: int, last: int, terminal: int) -> list[dict[int, int]]:
    """Zones as generator amounts, with those of the global zone (the first, without a target) under them."""
    common: dict[int, int] = {}
    zones: list[dict[int, int]] = []
    for bag in range(int(first), int(last)):
        rows = generators[int(bags[bag]["generators"]) : int(bags[bag + 1]["generators"])]
        values = {int(row["kind"]): int(row["amount"]) for row in rows}
        if terminal in values:
            zones.append({**common, **values})
        elif bag == int(first):
            common = values
    return zones


def _zone(number: int, preset: dict[int, int], inner: dict[int, int], samples: Array) -> Zone | None:
    index = inner[_SAMPLE]
    keys, velocities = (
        _overlap(_range(preset.get(kind)), _range(inner.get(kind))) for kind in (_KEYS, _VELOCITIES)
    )
    if not 0 <= index < len(samples) or keys is None or velocities is None:
        return None

    def value(kind: int) -> int:  # a preset's amounts are added to its instrument's
        return inner.get(kind, _DEFAULTS.get(kind, 0)) + preset.get(kind, 0)

    header = samples[index]
    offset = {kind: inner.get(kind, 0) for kind in (_START, _END, _LOOP_START, _LOOP_END)}
    for coarse, fine in _COARSE.items():
        offset[fine] += 32768 * inner.get(coarse, 0)
    start, end = int(header["start"]) + offset[_START], int(header["end"]) + offset[_END]
    origin = 0 if int(header["kind"]) & _COMPRESSED else start
    loop = (
        int(header["loop_start"]) + offset[_LOOP_START] - origin,
        int(header["loop_end"]) + offset[_LOOP_END] - origin,
    )
    looped = value(_MODES) & 1 and loop[1] - loop[0] >= 8 and loop[0] >= 0
    root = inner.get(_ROOT, -1) if inner.get(_ROOT, -1) >= 0 else int(header["root"])
    if end <= start or not header["rate"] or root > 127:
        return None
    cents = 100 * value(_COARSE_TUNE) + value(_FINE_TUNE) + int(header["correction"])
    cutoff = 8.176 * 2 ** (value(_CUTOFF) / 1200)
    return Zone(
        number=number,
        keys=keys,
        velocities=velocities,
        sample=index,
        start=start,
        end=end,
        loop=loop if looped else None,
        rate=int(header["rate"]),
        root=root - cents / 100,
        scale=value(_SCALE) / 100,
        gain=10 ** (-0.4 * max(0, value(_ATTENUATION)) / 200),  # the 0.4 is of the original hardware
        pan=max(-0.5, min(0.5, value(_PAN) / 1000)),
        attack=_seconds(value(_ATTACK)),
        hold=_seconds(value(_HOLD)),
        decay=_seconds(value(_DECAY)),
        sustain=max(0.0, min(100.0, value(_SUSTAIN) / 10)),
        release=_seconds(value(_RELEASE)),
        cutoff=cutoff if cutoff < 16000 else None,
        exclusive=inner.get(_EXCLUSIVE, 0),
    )


def _seconds(timecents: int) -> float:
    return math.pow(2.0, max(-12000, min(8000, timecents)) / 1200)


def _range(amount: int | None) -> tuple[int, int]:
    return (0, 127) if amount is None else (amount & 0xFF, amount >> 8 & 0xFF)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int] | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None
