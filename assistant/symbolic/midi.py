"""Standard MIDI Files: a small reader and writer for notes, tempo, metre, key, programs and names.

Bytes follow the Standard MIDI Files 1.0 specification (MMA RP-001). Written files are format 1 with
one conductor track; read files may be format 0 or 1, with running status, unknown chunks and RIFF wrapping.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from assistant.errors import CallError, FileError
from assistant.files import write_bytes
from assistant.i18n import _

TICKS_PER_BEAT = 480
DRUM_CHANNEL = 9
_VOLUME, _PAN = 7, 10
_TEXT, _NAME, _MARKER, _END, _TEMPO, _TIME, _KEY = 0x01, 0x03, 0x06, 0x2F, 0x51, 0x58, 0x59


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One sounding note: times in ticks, pitch and velocity 0–127."""

    start: int
    pitch: int
    duration: int
    velocity: int

    @property
    def end(self) -> int:
        """The tick at which the note is released."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Track:
    """The notes of one instrument: a General MIDI program, or a drum kit where `drums` is set."""

    name: str
    program: int
    notes: tuple[Note, ...]
    drums: bool = False
    volume: int = 100
    pan: int = 64


@dataclass(frozen=True, slots=True)
class MidiFile:
    """What a MIDI file holds.

    Tempos are (tick, BPM), time signatures (tick, beats, unit), key signatures (tick, fifths, minor).
    """

    tracks: tuple[Track, ...]
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    time_signatures: tuple[tuple[int, int, int], ...] = ((0, 4, 4),)
    key_signatures: tuple[tuple[int, int, bool], ...] = ()
    markers: tuple[tuple[int, str], ...] = ()
    title: str = ""
    texts: tuple[str, ...] = ()
    ticks_per_beat: int = TICKS_PER_BEAT

    @property
    def end(self) -> int:
        """The tick at which the last note is released."""
        return max((note.end for track in self.tracks for note in track.notes), default=0)

    def to_midi(self) -> MidiFile:
        """The file itself, so that it can be written like a piece."""
        return self

    def seconds(self, tick: int) -> float:
        """The time of a tick under the file's tempos."""
        elapsed, last, tempo = 0.0, 0, 120.0
        for start, bpm in self.tempos:
            if start >= tick:
                break
            elapsed += (start - last) / self.ticks_per_beat * 60 / tempo
            last, tempo = start, bpm
        return elapsed + (tick - last) / self.ticks_per_beat * 60 / tempo


# An event waiting to be written: tick, order among events of one tick, bytes.
_Event = tuple[int, int, bytes]


def _length(value: int) -> bytes:
    """A variable-length quantity: seven bits a byte, most significant first."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _length(len(data)) + data


def _chunk(events: Iterable[_Event]) -> bytes:
    body = bytearray()
    now = 0
    for tick, _order, data in sorted(events):
        body += _length(tick - now) + data
        now = tick
    body += _length(0) + _meta(_END, b"")
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _conductor(midi: MidiFile) -> bytes:
    events: list[_Event] = [(0, 0, _meta(_NAME, midi.title.encode()))] if midi.title else []
    events += [(0, 1, _meta(_TEXT, text.encode())) for text in midi.texts]
    for tick, bpm in midi.tempos:
        events.append((tick, 2, _meta(_TEMPO, round(60_000_000 / bpm).to_bytes(3, "big"))))
    for tick, beats, unit in midi.time_signatures:
        # 24 clocks a quarter; one click a beat; 8 thirty-seconds a quarter.
        click = 96 // unit
        events.append((tick, 3, _meta(_TIME, bytes((beats, unit.bit_length() - 1, click, 8)))))
    for tick, fifths, minor in midi.key_signatures:
        events.append((tick, 4, _meta(_KEY, struct.pack("bB", fifths, minor))))
    events += [(tick, 5, _meta(_MARKER, name.encode())) for tick, name in midi.markers]
    return _chunk(events)


def _instrument(track: Track, channel: int) -> bytes:
    events: list[_Event] = [
        (0, 0, _meta(_NAME, track.name.encode())),
        (0, 1, bytes((0xC0 | channel, track.program))),
        (0, 2, bytes((0xB0 | channel, _VOLUME, track.volume))),
        (0, 3, bytes((0xB0 | channel, _PAN, track.pan))),
    ]
    for note in track.notes:
        # Releases go before strikes of the same tick, so that a repeated note is not cut off.
        events.append((note.start, 5, bytes((0x90 | channel, note.pitch, note.velocity))))
        events.append((note.end, 4, bytes((0x80 | channel, note.pitch, 64))))
    return _chunk(events)


def encode(midi: MidiFile) -> bytes:
    """The bytes of a format 1 file; a `CallError` over fifteen pitched tracks or a note out of range."""
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    chunks = [_conductor(midi)]
    for track in midi.tracks:
        for note in track.notes:
            if not (0 <= note.pitch < 128 and 0 < note.velocity < 128 and note.duration > 0 <= note.start):
                raise CallError(_("The note {note} cannot be written as MIDI.").format(note=note))
        if not track.drums and not channels:
            raise CallError(_("A MIDI file holds at most fifteen pitched instruments."))
        chunks.append(_instrument(track, DRUM_CHANNEL if track.drums else channels.pop(0)))
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(chunks), midi.ticks_per_beat)
    return header + b"".join(chunks)


class _Broken(ValueError):
    """The bytes are not a MIDI file that we can read."""


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


@dataclass
class _Reading:
    """What has been gathered so far from all chunks."""

    tempos: dict[int, float] = field(default_factory=dict)
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)
    keys: dict[int, tuple[int, bool]] = field(default_factory=dict)
    markers: list[tuple[int, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)

    def meta(self, tick: int, kind: int, data: bytes) -> None:
        if kind == _TEMPO and len(data) == 3 and (micros := int.from_bytes(data, "big")):
            self.tempos[tick] = 60_000_000 / micros
        elif kind == _TIME and len(data) >= 2 and data[0] and data[1] < 8:
            self.metres[tick] = (data[0], 1 << data[1])
        elif kind == _KEY and len(data) == 2:
            fifths, minor = struct.unpack("bB", data)
            if abs(fifths) <= 7:
                self.keys[tick] = (fifths, bool(minor))
        elif kind == _MARKER:
            self.markers.append((tick, _text(data)))
        elif kind == _TEXT:
            self.texts.append(_text(data))


class _TrackReader:
    """Reads the events of one chunk, and splits its notes by channel and program."""

    def __init__(self, data: bytes, found: _Reading) -> None:
        self.data = data
        self.place = 0
        self.found = found
        self.name = ""
        self.program = [0] * 16
        self.volume = [100] * 16
        self.pan = [64] * 16
        self.open: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.parts: dict[tuple[int, int], list[Note]] = {}

    def take(self, count: int) -> bytes:
        piece = self.data[self.place : self.place + count]
        if len(piece) < count:
            raise _Broken
        self.place += count
        return piece

    def quantity(self) -> int:
        value = 0
        for _byte in range(4):
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise _Broken

    def read(self) -> None:
        tick, status = 0, 0
        try:
            while self.place < len(self.data):
                tick += self.quantity()
                if self.data[self.place : self.place + 1] >= b"\x80":
                    status = self.take(1)[0]
                if status == 0xFF:
                    kind = self.take(1)[0]
                    data = self.take(self.quantity())
                    if kind == _END:
                        break
                    if kind == _NAME:
                        self.name = _text(data)
                    self.found.meta(tick, kind, data)
                elif status in (0xF0, 0xF7):
                    self.take(self.quantity())
                elif status >= 0x80:
                    self.voice(tick, status)
                else:
                    raise _Broken
        except _Broken:
            # A torn tail: what came before it is music all the same.
            if not self.parts and not self.open:
                raise
        for channel, pitch in list(self.open):
            while self.open[channel, pitch]:
                self.release(tick, channel, pitch)
        self.found.names.append(self.name)
        for (channel, program), notes in self.parts.items():
            self.found.tracks.append(
                Track(
                    name=self.name.strip(),
                    program=program,
                    notes=tuple(sorted(notes)),
                    drums=channel == DRUM_CHANNEL,
                    volume=self.volume[channel],
                    pan=self.pan[channel],
                )
            )

    def voice(self, tick: int, status: int) -> None:
        kind, channel = status & 0xF0, status & 0x0F
        if kind == 0xF0:
            raise _Broken
        data = self.take(1 if kind in (0xC0, 0xD0) else 2)
        if kind == 0x90 and data[1]:
            self.open.setdefault((channel, data[0]), []).append((tick, data[1]))
        elif kind in (0x80, 0x90):
            self.release(tick, channel, data[0])
        elif kind == 0xC0:
            self.program[channel] = data[0] & 0x7F
        elif kind == 0xB0 and data[0] == _VOLUME:
            self.volume[channel] = data[1] & 0x7F
        elif kind == 0xB0 and data[0] == _PAN:
            self.pan[channel] = data[1] & 0x7F

    def release(self, tick: int, channel: int, pitch: int) -> None:
        waiting = self.open.get((channel, pitch))
        if not waiting:
            return
        start, velocity = waiting.pop(0)
        note = Note(start, pitch & 0x7F, max(tick - start, 1), velocity & 0x7F)
        self.parts.setdefault((channel, self.program[channel]), []).append(note)


def _chunks(data: bytes) -> Iterable[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        (size,) = struct.unpack(">I", data[place + 4 : place + 8])
        yield data[place : place + 4], data[place + 8 : place + 8 + size]
        place += 8 + size


def decode(data: bytes) -> MidiFile:
    """Read the bytes of a MIDI file; `ValueError` where they are none or use SMPTE time."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    found = _Reading()
    division = 0
    for kind, body in _chunks(data):
        if not division and (kind != b"MThd" or len(body) < 6):
            raise _Broken
        if kind == b"MThd":
            form, _count, division = struct.unpack(">HHH", body[:6])
            if form not in (0, 1) or not 0 < division < 0x8000:
                raise _Broken
        elif kind == b"MTrk":
            _TrackReader(body, found).read()
    if not division or not found.names:
        raise _Broken
    return MidiFile(
        tracks=tuple(found.tracks),
        tempos=tuple(sorted(found.tempos.items())) or ((0, 120.0),),
        time_signatures=tuple((tick, *metre) for tick, metre in sorted(found.metres.items())) or ((0, 4, 4),),
        key_signatures=tuple((tick, *key) for tick, key in sorted(found.keys.items())),
        markers=tuple(found.markers),
        title=found.names[0],
        texts=tuple(found.texts),
        ticks_per_beat=division,
    )


def read_midi(path: Path) -> MidiFile:
    """Read a MIDI file; a `FileError` where it cannot be read."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise FileError(
            path, _("The file cannot be read: {reason}.").format(reason=error.strerror)
        ) from error
    except ValueError as error:
        raise FileError(
            path,
            _("This is not a MIDI file that can be read."),
            _("Standard MIDI Files of format 0 and 1 with time in beats are understood."),
        ) from error


class Music(Protocol):
    """Anything that can say what its MIDI file holds."""

    def to_midi(self) -> MidiFile:
        """The contents of the file."""


def write_midi(music: Music, path: Path) -> Path:
    """Write a Standard MIDI File, whole."""
    write_bytes(path, encode(music.to_midi()))
    return path
