"""Notes through a soundfont: pitch, velocity, envelope, pan, pitch bend and swells, in plain numpy."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.audio.soundfont import DRUM_BANK, SoundFont, Zone

Array = np.ndarray[Any, Any]

RATE = 44100
_AUDIBLE = 70.0
"""dB below a note of full velocity down to which its decay and release are followed."""
_LEAST_RELEASE = 20.0  # dB that are followed at any rate, so that nothing ends with a click
_CACHE_BYTES = 192 << 20
_PLACES = 32  # of the stereo picture
_RAMP = RATE // 200  # a change of volume takes 5 ms


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
    """Times in frames from the note's start, and semitones from then on."""
    swell: tuple[Array, Array] | None = None
    """Times in frames from the note's start, and gains from then on, relative to `gain`."""


class Mix:
    """Sums of notes by their place between left and right; stereo is made of them at the end."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._lines: dict[int, Array] = {}

    def line(self, pan: float, frames: int) -> Array:
        """The sum for a place (-0.5 left to 0.5 right), at least `frames` long."""
        place = round((0.5 + max(-0.5, min(0.5, pan))) * _PLACES)
        line = self._lines.get(place)
        if line is None or len(line) < frames:
            longer = np.zeros(max(frames, self._frames) + 2 * RATE, np.float32)
            if line is not None:
                longer[: len(line)] = line
            line = self._lines[place] = longer
        return line

    def stereo(self, frames: int) -> Array:
        """The first frames as [frames, 2]; what rings on behind the chunk stays for the next."""
        sides = np.zeros((2, frames), np.float32)
        for place, line in self._lines.items():
            angle = place / _PLACES * math.pi / 2
            here = line[:frames]
            for side, gain in zip(sides, (math.cos(angle), math.sin(angle)), strict=True):
                side[: len(here)] += np.float32(gain) * here
        rest = {place: line[self._frames :] for place, line in self._lines.items()}
        self._lines = {place: line.copy() for place, line in rest.items() if line.any()}
        return sides.T


class Synthesizer:
    """Plays notes into a mix. Waves of a key are kept, because music repeats itself."""

    def __init__(self, font: SoundFont) -> None:
        self._font = font
        self._waves: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._bytes = 0
        self._chosen: dict[tuple[int, bool, int, int], list[Zone]] = {}
        self._sources: OrderedDict[int, Array] = OrderedDict()
        self._falls: dict[float, Array] = {}
        self._scratch = np.zeros(0, np.float32)

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

    def add(self, note: Note, mix: Mix, begin: int) -> None:
        """Add a note to a mix whose first frame is `begin`."""
        for zone in self.zones(note):
            level = note.gain * zone.gain * (note.velocity / 127) ** 2
            below = -20 * math.log10(max(level, 1e-9)) - 12.0 * (note.swell is not None)
            if below > _AUDIBLE + 12:
                continue
            release = self._release(zone, note, below)
            wave = self._wave(zone, note, note.length + release)
            held, frames = min(len(wave), note.length), len(wave)
            if not frames:
                continue
            if len(self._scratch) < frames:
                self._scratch = np.empty(frames * 2, np.float32)
            scratch = self._scratch[:frames]
            np.multiply(wave, np.float32(level), out=scratch)
            if frames > held:
                scratch[held:] *= self._fall(zone.release, frames - held)
            if note.swell is not None:
                scratch *= _swell(note.swell, frames)
            place = note.start - begin
            line = mix.line(zone.pan + note.pan, place + frames)
            line[place : place + frames] += scratch

    @staticmethod
    def _release(zone: Zone, note: Note, below: float) -> int:
        """Frames for which the release is heard."""
        if zone.loop is None and zone.release > 20:  # it plays to its end whatever the key does
            return round(60 * RATE)
        sounding = note.length / RATE - zone.attack - zone.hold
        fallen = max(0.0, min(zone.sustain, sounding * 100 / max(zone.decay, 1e-3)))
        heard = max(_LEAST_RELEASE, _AUDIBLE - max(0.0, below) - fallen)
        return max(1, round(RATE * max(0.01, zone.release * heard / 100)))

    def _fall(self, release: float, frames: int) -> Array:
        """The gain after a key is let go: 100 dB in the time of the release."""
        fall = self._falls.get(release)
        if fall is None or len(fall) < frames:
            slope = -5.0 * math.log(10) / (RATE * max(0.01, release))
            fall = np.exp(slope * np.arange(-(-frames // RATE) * RATE)).astype(np.float32)
            self._falls[release] = fall
        return fall[:frames]

    def _wave(self, zone: Zone, note: Note, length: int) -> Array:
        """The wave of a key up to `length` frames, without its release."""
        if zone.sustain > _AUDIBLE:  # it dies away by itself
            length = min(length, round(RATE * (zone.attack + zone.hold + zone.decay * _AUDIBLE / 100)) + 1)
        if note.bend is not None:
            return self._shaped(zone, self._resampled(zone, note.key, length, note.bend))
        known = self._waves.get((zone.number, note.key))
        if known is None or (len(known) < length and zone.loop is not None):
            # Rounded up, so that slightly longer notes of the key find it long enough.
            wanted = max(length, 0 if known is None else len(known) * 3 // 2)
            wave = self._resampled(zone, note.key, -(-wanted // (RATE // 2)) * (RATE // 2), None)
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

    def _source(self, zone: Zone) -> Array:
        """The sample of a zone as float32 with a frame before it, and after it what it goes on with."""
        if zone.number in self._sources:
            self._sources.move_to_end(zone.number)
            return self._sources[zone.number]
        wave = self._font.wave(zone).astype(np.float32)
        wave *= np.float32(1 / 32768)
        if zone.loop is not None:
            first, last = _loop(zone, len(wave))
            after = np.resize(wave[first:last], 4)
            wave = wave[:last]
        else:
            after = np.zeros(4, np.float32)
        source: Array = np.concatenate([wave[:1], wave, after])
        self._sources[zone.number] = source
        if len(self._sources) > 256:
            self._sources.popitem(last=False)
        return source

    def _resampled(self, zone: Zone, key: int, length: int, bend: tuple[Array, Array] | None) -> Array:
        """The sample at the key's pitch, looped, by four-point Hermite interpolation."""
        source = self._source(zone)
        frames = len(source) - 5
        step = 2 ** ((key - zone.root) * zone.scale / 12) * zone.rate / RATE
        # Scale tuning turns about key 60 where it is not a semitone a key; the root key is near enough.
        if bend is None:
            if zone.loop is None:
                length = int(min(length, (frames - 1) / step + 1))
            position = np.arange(max(0, length)) * step
        else:
            at, amount = bend
            spans = np.diff(np.append(np.minimum(at, length), length))
            steps = np.repeat(step * 2 ** (amount / 12), np.maximum(spans, 0))
            position = np.cumsum(steps) - steps[:1]
            if zone.loop is None:
                position = position[: int(np.searchsorted(position, frames - 1))]
        if zone.loop is not None:
            first, last = _loop(zone, self._length(zone))
            beyond = int(np.searchsorted(position, last))
            around = position[beyond:]
            around -= first
            around -= (last - first) * np.floor(around * (1 / (last - first)))
            np.clip(around, 0, last - first - 1e-6, out=around)
            around += first
        index = position.astype(np.int64)
        position -= index
        fraction = position.astype(np.float32)
        before, here, after, further = (np.take(source[shift:], index, mode="clip") for shift in (0, 1, 2, 3))
        slope, slope_after, rise = after - before, further - here, after - here
        slope *= np.float32(0.5)
        slope_after *= np.float32(0.5)
        curve: Array = slope + slope_after
        curve -= rise
        curve -= rise
        rise -= slope
        rise -= curve
        for coefficient in (rise, slope, here):  # Horner's scheme
            curve *= fraction
            curve += coefficient
        return curve

    def _length(self, zone: Zone) -> int:
        return len(self._font.wave(zone))

    def _shaped(self, zone: Zone, wave: Array) -> Array:
        """The wave under its low-pass and its volume envelope up to the release."""
        if zone.cutoff is not None and len(wave):
            from scipy.signal import butter, lfilter

            low_pass = butter(2, min(zone.cutoff, 0.45 * RATE), fs=RATE)
            wave = lfilter(*low_pass, wave).astype(np.float32)
        start = round((zone.attack + zone.hold) * RATE)
        if zone.sustain > 0 and len(wave) > start:
            slope = 100 / max(zone.decay, 1e-3) / RATE  # dB a frame
            falling = min(len(wave), start + int(zone.sustain / slope) + 1)
            fall = np.arange(falling - start, dtype=np.float32)
            fall *= np.float32(-slope * math.log(10) / 20)
            np.exp(fall, out=fall)
            wave[start:falling] *= fall
            wave[falling:] *= np.float32(0 if zone.sustain >= 100 else 10 ** (-zone.sustain / 20))
        rising = min(len(wave), round(zone.attack * RATE))
        if zone.attack > 0.002:
            wave[:rising] *= np.arange(rising, dtype=np.float32) * np.float32(1 / (zone.attack * RATE))
        return wave


def _loop(zone: Zone, frames: int) -> tuple[int, int]:
    assert zone.loop is not None
    first = min(zone.loop[0], frames - 2)
    return first, max(first + 1, min(zone.loop[1], frames))


def _swell(swell: tuple[Array, Array], frames: int) -> Array:
    """Gains of each frame, with a short ramp at every change."""
    at, gain = swell
    times = np.repeat(at, 2).astype(np.float64)
    times[1::2] += _RAMP
    values = np.repeat(gain, 2)
    values[0] = gain[0]
    values[2::2] = gain[:-1]
    curve: Array = np.interp(np.arange(frames), np.maximum.accumulate(times), values).astype(np.float32)
    return curve
