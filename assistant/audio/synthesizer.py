"""Notes through a soundfont: pitch, velocity, envelope, pan and pitch bend, in plain numpy."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.audio.soundfont import DRUM_BANK, SoundFont, Zone

Array = np.ndarray[Any, Any]

RATE = 44100
_AUDIBLE = 0.65  # a release is followed for 65 of its 100 dB
_CACHE_BYTES = 192 << 20
_BEND_SEMITONES = 2.0  # the default range of General MIDI


@dataclass(frozen=True)
class Note:
    """One note; times in frames of 44.1 kHz."""

    start: int
    length: int
    program: int
    drums: bool
    key: int
    velocity: int
    gain: float
    pan: float
    """Of the channel, -0.5 to 0.5."""
    bend: tuple[Array, Array] | None = None
    """Times in frames from the note's start, and bends of -1 to 1 from then on."""


class Synthesizer:
    """Plays notes into a buffer. Waves of a key are kept, because music repeats itself."""

    def __init__(self, font: SoundFont) -> None:
        self._font = font
        self._waves: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._bytes = 0
        self._chosen: dict[tuple[int, bool, int, int], list[Zone]] = {}

    def zones(self, note: Note) -> list[Zone]:
        """The zones that a note sounds."""
        key = (note.program, note.drums, note.key, note.velocity)
        if key not in self._chosen:
            preset = self._font.zones(DRUM_BANK if note.drums else 0, note.program)
            self._chosen[key] = [
                zone
                for zone in preset
                if zone.keys[0] <= note.key <= zone.keys[1]
                and zone.velocities[0] <= note.velocity <= zone.velocities[1]
            ]
        return self._chosen[key]

    def add(self, note: Note, buffer: Array, begin: int) -> Array:
        """Add a note to `buffer` [frames, 2], whose first frame is `begin`; it grows as needed."""
        for zone in self.zones(note):
            release = max(1, round(RATE * max(0.01, zone.release * _AUDIBLE)))
            wave = self._wave(zone, note, note.length + release)
            if len(wave) > note.length:
                tail = wave[note.length : note.length + release]
                fall = -5.0 * math.log(10) / (RATE * max(0.01, zone.release))  # 100 dB in that time
                let_go = tail * np.exp(fall * np.arange(len(tail), dtype=np.float32))
                wave = np.concatenate([wave[: note.length], let_go])
            place = note.start - begin
            if place + len(wave) > len(buffer):
                more = place + len(wave) - len(buffer)
                buffer = np.concatenate([buffer, np.zeros((more, 2), np.float32)])
            angle = (0.5 + max(-0.5, min(0.5, zone.pan + note.pan))) * math.pi / 2
            gain = note.gain * zone.gain * (note.velocity / 127) ** 2
            part = buffer[place : place + len(wave)]
            part[:, 0] += np.float32(gain * math.cos(angle)) * wave
            part[:, 1] += np.float32(gain * math.sin(angle)) * wave
        return buffer

    def _wave(self, zone: Zone, note: Note, length: int) -> Array:
        """The wave of a key up to `length` frames, without its release."""
        if note.bend is not None:
            return self._shaped(zone, self._resampled(zone, note.key, length, note.bend))
        known = self._waves.get((zone.number, note.key))
        if known is None or (len(known) < length and zone.loop is not None):
            # Rounded up, so that slightly longer notes of the key find it long enough.
            wave = self._resampled(zone, note.key, -(-length // RATE) * RATE, None)
            self._keep((zone.number, note.key), self._shaped(zone, wave))
        else:
            self._waves.move_to_end((zone.number, note.key))
        return self._waves[zone.number, note.key][:length]

    def _keep(self, key: tuple[int, int], wave: Array) -> None:
        if key in self._waves:
            self._bytes -= self._waves.pop(key).nbytes
        self._waves[key] = wave
        self._bytes += wave.nbytes
        while self._bytes > _CACHE_BYTES and len(self._waves) > 1:
            self._bytes -= self._waves.popitem(last=False)[1].nbytes

    def _resampled(self, zone: Zone, key: int, length: int, bend: tuple[Array, Array] | None) -> Array:
        """The sample at the key's pitch, looped, by four-point Hermite interpolation."""
        wave = self._font.wave(zone)
        step = 2 ** ((key - zone.root) * zone.scale / 12) * zone.rate / RATE
        # Scale tuning turns about key 60 where it is not a semitone a key; the root key is near enough.
        if bend is None:
            if zone.loop is None:
                length = int(min(length, (len(wave) - 4) / step + 1))
            position = np.arange(max(0, length)) * step
        else:
            at, amount = bend
            place = np.maximum(np.searchsorted(at, np.arange(length), "right") - 1, 0)
            steps = step * 2 ** (amount * _BEND_SEMITONES / 12)
            position = np.concatenate([[0.0], np.cumsum(steps[place])[:-1]])
            if zone.loop is None:
                position = position[position < len(wave) - 4]
        if zone.loop is not None:
            first, last = zone.loop[0], min(zone.loop[1], len(wave) - 3)
            span = max(1, last - first)
            position = np.where(position < last, position, first + (position - first) % span)
        index = position.astype(np.int64)
        fraction = (position - index).astype(np.float32)
        before, here, after, beyond = (
            wave[np.clip(index + shift, 0, len(wave) - 1)].astype(np.float32) for shift in (-1, 0, 1, 2)
        )
        slope, slope_after = 0.5 * (after - before), 0.5 * (beyond - here)
        rise = after - here
        curve = slope + slope_after - 2 * rise
        bent: Array = here + fraction * (slope + fraction * (rise - slope - curve + fraction * curve))
        return bent * np.float32(1 / 32768)

    def _shaped(self, zone: Zone, wave: Array) -> Array:
        """The wave under its low-pass and its volume envelope up to the release."""
        if zone.cutoff is not None and len(wave):
            from scipy.signal import butter, lfilter

            low_pass = butter(2, min(zone.cutoff, 0.45 * RATE), fs=RATE)
            wave = lfilter(*low_pass, wave).astype(np.float32)
        time = np.arange(len(wave), dtype=np.float32) / RATE
        fallen = (time - zone.attack - zone.hold) * (100 / max(zone.decay, 1e-3))
        level = np.clip(fallen, 0, zone.sustain)
        envelope = np.exp(level * np.float32(-math.log(10) / 20))
        if zone.sustain >= 100:
            envelope[level >= 100] = 0
        if zone.attack > 0.002:
            envelope *= np.minimum(1, time / np.float32(zone.attack))
        shaped: Array = (wave * envelope).astype(np.float32)
        return shaped
