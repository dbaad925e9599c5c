"""Standard MIDI files, read tolerantly: what each note is to sound like, and the file's own facts.

After "Standard MIDI Files 1.0" and "General MIDI System Level 1". Channels are followed through all
tracks at once, as a sound module would hear them. Runs in the decoder process.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from assistant.audio.decode import cut_off
from assistant.errors import MusicHelperError
from assistant.i18n import _

MAX_BYTES = 32 << 20
MAX_EVENTS = 1_000_000
DRUM_CHANNEL = 9
_DRUM_BANKS = (120, 127)  # of General MIDI 2 and of XG
_VOLUME, _PAN, _EXPRESSION, _PEDAL = 7, 10, 11, 64
_KEPT = (_VOLUME, _PAN, _EXPRESSION)
_DEFAULT_TEMPO = 500_000  # microseconds a quarter
_BEND_RANGE = 2.0  # semitones
_LEAST_TEMPO = 5_000

Event = tuple[int, int, int, int]
"""Tick, status, and two data bytes; of a tempo the microseconds, of a meter numerator and denominator, of a
key its sharps (flats below zero) and 1 for minor."""
_TEMPO, _METER, _KEY, _END = 0x151, 0x158, 0x159, 0x12F


@dataclass
class Played:
    """A note as played; times in seconds."""

    start: float
    end: float
    channel: int
    program: int
    drums: bool
    key: int
    velocity: int


@dataclass
class Channel:
    """Controllers over time, as (seconds, value)."""

    controls: dict[int, list[tuple[float, int]]] = field(
        default_factory=lambda: {number: [] for number in _KEPT}
    )
    bends: list[tuple[float, float]] = field(default_factory=list)
    """Semitones."""


@dataclass
class Performance:
    """Everything that a MIDI file plays."""

    notes: list[Played]
    channels: list[Channel]
    tempos: list[tuple[float, float]]
    """Seconds, and quarters a minute from then on."""
    meters: list[tuple[int, int]]
    keys: list[tuple[float, int, int]]
    """Seconds, and from then on the sharps (flats below zero) and 1 for minor."""
    end: float
    """Seconds to the last event."""
    in_beats: bool = True
    """Whether time is counted in quarters; a file that counts film frames has no tempo."""


def read_midi(path: Path) -> Performance:
    """Read a MIDI file, also in a RIFF (RMID).

    Wrong data bytes, unknown chunks and notes that never end are put up with. Raises `MusicHelperError`
    for a file that is no MIDI, is cut off, or has more events than music has.
    """
    if path.stat().st_size > MAX_BYTES:
        raise not_music()
    data = path.read_bytes()
    data = data[max(0, data.find(b"MThd")) :]
    if len(data) < 14:
        raise damaged()
    size, _form, _count, division = struct.unpack(">IHHH", data[4:14])
    if division == 0 or (division & 0x8000 and not division & 0xFF):
        raise damaged()
    events = _events(data, 8 + max(6, size))
    events.sort(key=lambda event: event[0])
    return _Player(division).play(events)


def damaged() -> MusicHelperError:
    """The error for a file that is no MIDI inside."""
    return MusicHelperError(
        _("The MIDI file is damaged and cannot be read."),
        _("Export it again from the program that made it."),
    )


def not_music() -> MusicHelperError:
    """The error for a file that would keep a machine busy for hours."""
    return MusicHelperError(
        _("The MIDI file has more notes than music has, and is not played."),
        _("Check the file in the program that made it."),
    )


def _events(data: bytes, position: int) -> list[Event]:
    events: list[Event] = []
    tracks = 0
    while position + 8 <= len(data):
        kind, length = struct.unpack(">4sI", data[position : position + 8])
        position += 8
        if kind == b"MTrk":
            tracks += 1
            ended = _track(data, position, min(len(data), position + length), events)
            if not ended and position + length > len(data):
                raise cut_off()
        position += length
    if not tracks:
        raise damaged()
    return events


def _track(data: bytes, at: int, end: int, events: list[Event]) -> bool:
    """Add the events of a track; whether its last one says that it is the end."""
    tick = status = 0
    try:
        while at < end:
            delta, at = _variable(data, at)
            tick += delta
            first = data[at]
            if first == 0xFF:
                kind = data[at + 1]
                length, at = _variable(data, at + 2)
                body = data[at : at + length]
                at += length
                if kind == 0x2F:
                    events.append((tick, _END, 0, 0))
                    return True
                if kind == 0x51 and len(body) >= 3:
                    events.append((tick, _TEMPO, int.from_bytes(body[:3], "big"), 0))
                elif kind == 0x58 and len(body) >= 2:
                    events.append((tick, _METER, body[0], 1 << min(body[1], 8)))
                elif kind == 0x59 and len(body) >= 2:
                    events.append((tick, _KEY, body[0] - 256 if body[0] > 127 else body[0], body[1]))
                continue
            if first in (0xF0, 0xF7):
                length, at = _variable(data, at + 1)
                at += length
                continue
            if first >= 0xF0:  # of a wire, not of a file
                at += {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(first, 1)
                continue
            if first >= 0x80:
                status = first
                at += 1
            elif not status:
                raise damaged()
            if at >= end:
                return False
            one = min(data[at], 127)
            if 0xC0 <= status < 0xE0:
                two = 0
                at += 1
            else:
                if at + 1 >= end:
                    return False
                two = min(data[at + 1], 127)
                at += 2
            events.append((tick, status, one, two))
            if len(events) > MAX_EVENTS:
                raise not_music()
    except IndexError:
        return False
    return False


def _variable(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    while True:
        byte = data[at]
        at += 1
        number = (number << 7) | (byte & 0x7F)
        if byte < 0x80:
            return number, at


class _Player:
    """The state of sixteen channels while the events pass by."""

    def __init__(self, division: int) -> None:
        if division & 0x8000:  # ticks of a film frame; tempo means nothing
            frames = 256 - (division >> 8)
            self._tick = 1 / ((29.97 if frames == 29 else frames) * (division & 0xFF))
            self._ticks_a_quarter = 0
        else:
            self._ticks_a_quarter = division
            self._tick = _DEFAULT_TEMPO / 1e6 / division
        self._program = [0] * 16
        self._bank = [0] * 16
        self._pedal = [False] * 16
        self._range = [_BEND_RANGE] * 16
        self._parameter = [(127, 127)] * 16
        self._held: list[dict[int, Played]] = [{} for _channel in range(16)]
        self._let_go: list[dict[int, Played]] = [{} for _channel in range(16)]
        self._notes: list[Played] = []
        self._channels = [Channel() for _channel in range(16)]

    def play(self, events: list[Event]) -> Performance:
        tempos: list[tuple[float, float]] = []
        meters: list[tuple[int, int]] = []
        keys: list[tuple[float, int, int]] = []
        now, last = 0.0, 0
        for tick, status, one, two in events:
            now += (tick - last) * self._tick
            last = tick
            if status >= 0x100:
                if status == _TEMPO and self._ticks_a_quarter and one >= _LEAST_TEMPO:
                    self._tick = one / 1e6 / self._ticks_a_quarter
                    tempos.append((now, 6e7 / one))
                elif status == _METER:
                    meters.append((one, two))
                elif status == _KEY:
                    keys.append((now, one, two))
                continue
            kind, channel = status & 0xF0, status & 0x0F
            if kind == 0x90 and two:
                self._on(now, channel, one, two)
            elif kind in (0x80, 0x90):
                self._off(now, channel, one)
            elif kind == 0xB0:
                self._control(now, channel, one, two)
            elif kind == 0xC0:
                self._program[channel] = one
            elif kind == 0xE0:
                bend = ((two << 7 | one) - 8192) / 8192 * self._range[channel]
                self._channels[channel].bends.append((now, bend))
        for channel in range(16):
            self._silence(now, channel)
        in_beats = self._ticks_a_quarter > 0
        return Performance(self._notes, self._channels, tempos, meters, keys, now, in_beats)

    def _on(self, now: float, channel: int, key: int, velocity: int) -> None:
        self._end(now, self._held[channel].pop(key, None))
        self._end(now, self._let_go[channel].pop(key, None))
        drums = channel == DRUM_CHANNEL or self._bank[channel] in _DRUM_BANKS
        note = Played(now, now, channel, self._program[channel], drums, key, velocity)
        self._notes.append(note)
        self._held[channel][key] = note

    def _off(self, now: float, channel: int, key: int) -> None:
        note = self._held[channel].pop(key, None)
        if note is None:
            return
        if self._pedal[channel]:
            self._let_go[channel][key] = note
        else:
            note.end = now

    @staticmethod
    def _end(now: float, note: Played | None) -> None:
        if note is not None:
            note.end = now

    def _silence(self, now: float, channel: int) -> None:
        for sounding in (self._held[channel], self._let_go[channel]):
            for note in sounding.values():
                note.end = now
            sounding.clear()

    def _control(self, now: float, channel: int, number: int, value: int) -> None:
        if number in _KEPT:
            self._channels[channel].controls[number].append((now, value))
        elif number == _PEDAL:
            self._pedal[channel] = value >= 64
            if value < 64:
                for note in self._let_go[channel].values():
                    note.end = now
                self._let_go[channel].clear()
        elif number == 0:
            self._bank[channel] = value
        elif number in (100, 101):
            coarse, fine = self._parameter[channel]
            self._parameter[channel] = (value, fine) if number == 101 else (coarse, value)
        elif number in (98, 99):
            self._parameter[channel] = (127, 127)
        elif number == 6 and self._parameter[channel] == (0, 0):
            self._range[channel] = min(24.0, float(value))
        elif number == 121:
            self._control(now, channel, _PEDAL, 0)
            self._channels[channel].controls[_EXPRESSION].append((now, 127))
            self._channels[channel].bends.append((now, 0.0))
        elif number == 120:
            self._silence(now, channel)
        elif number >= 123:  # all notes off; the pedal holds them as if let go by hand
            for key in list(self._held[channel]):
                self._off(now, channel, key)
