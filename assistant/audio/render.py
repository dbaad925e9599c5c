"""MIDI to sound through a soundfont, in chunks, with what the file says about its own music.

Runs in the decoder process.
"""

from __future__ import annotations

import importlib.util
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.decode import Samples, Sound
from assistant.audio.midi import Channel, Performance, not_music, read_midi
from assistant.audio.score import score_facts
from assistant.audio.soundfont import SoundFont
from assistant.audio.synthesizer import RATE, Mix, Note, Synthesizer
from assistant.errors import MusicHelperError
from assistant.i18n import _

CHUNK_SECONDS = 10
TAIL_SECONDS = 2.0
MAX_NOTES = 300_000
MAX_TOGETHER = 2_000
"""Notes that may begin within a tenth of a second."""
MAX_NOTE_SECONDS = 60.0

Array = np.ndarray[Any, Any]


def open_midi(path: Path, soundfont: str, max_seconds: float) -> tuple[Sound, dict[str, Any]]:
    """A MIDI file as a stereo stream, and its facts: bpm, key, meter, instruments.

    Raises `MusicHelperError` for a file that is no MIDI, has no notes, or asks for too much.
    """
    performance = read_midi(path)
    if not performance.notes:
        raise MusicHelperError(
            _("The MIDI file has no notes."), _("Export it again from the program that made it.")
        )
    if len(performance.notes) > MAX_NOTES:
        raise not_music()
    if performance.end > max_seconds:
        raise too_long(performance.end, max_seconds)
    notes = _notes(performance)
    starts = np.array([note.start for note in notes])
    if len(starts) > MAX_TOGETHER and (starts[MAX_TOGETHER:] - starts[:-MAX_TOGETHER]).min() < RATE // 10:
        raise not_music()
    end = max(note.start + note.length for note in notes) / RATE
    font = find_soundfont(soundfont)
    sound = Sound(
        rate=RATE,
        channels=2,
        source_channels=2,
        codec="MIDI",
        declared=None,
        blocks=lambda: _blocks(notes, end + TAIL_SECONDS, font),
    )
    return sound, score_facts(performance, notes, end, RATE)


def too_long(seconds: float, limit: float) -> MusicHelperError:
    """The error for a file over the limit of duration."""
    return MusicHelperError(
        _("The file is {minutes:.0f} minutes long, more than the {limit:.0f} allowed.").format(
            minutes=min(seconds, 1e9) / 60, limit=limit / 60
        ),
        _("Cut it into pieces, or raise intake.max_minutes in the configuration."),
    )


def find_soundfont(named: str) -> Path:
    """The soundfont to play with: the configured one, or TimGM6mb that comes with pretty_midi."""
    if named:
        path = Path(named).expanduser()
        if path.is_file():
            return path
        raise MusicHelperError(
            _("The soundfont {path} does not exist.").format(path=path),
            _("Correct intake.soundfont in the configuration, or leave it empty to use the default."),
        )
    package = importlib.util.find_spec("pretty_midi")  # found, not imported
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "TimGM6mb.sf2"
        if path.is_file():
            return path
    raise MusicHelperError(
        _("No soundfont was found to play MIDI with."),
        _("Name a .sf2 or .sf3 file as intake.soundfont in the configuration."),
    )


def _notes(performance: Performance) -> list[Note]:
    volumes = [_Steps.of_volume(channel) for channel in performance.channels]
    pans = [_Steps.of_control(channel, 10, 64) for channel in performance.channels]
    bends = [_Steps(channel.bends, 0.0) for channel in performance.channels]
    notes = []
    for played in sorted(performance.notes, key=lambda note: note.start):
        channel, start = played.channel, played.start
        end = min(max(played.end, start + 0.02), start + MAX_NOTE_SECONDS)
        gain, swell = volumes[channel].under(start, end + 1.0)
        bent, bend = bends[channel].under(start, end + 1.0)
        if bend is None and bent:
            bend = (np.zeros(1, np.int64), np.array([bent]))
        if swell is not None:
            loudest = float(swell[1].max())
            gain, swell = loudest, (swell[0], swell[1] / max(loudest, 1e-9))
        notes.append(
            Note(
                start=round(start * RATE),
                length=round((end - start) * RATE),
                program=played.program,
                drums=played.drums,
                key=played.key,
                velocity=played.velocity,
                gain=gain,
                pan=(pans[channel].at(start) - 64) / 127,
                bend=bend,
                swell=swell,
            )
        )
    return notes


class _Steps:
    """A value that changes in steps over time."""

    def __init__(self, changes: list[tuple[float, float]], default: float) -> None:
        # A change within a tenth of a millisecond of a note was meant for it.
        self._times = [-1.0, *(time - 1e-4 for time, _value in changes)]
        self._values = [default, *(value for _time, value in changes)]

    @classmethod
    def of_control(cls, channel: Channel, number: int, default: float) -> _Steps:
        return cls([(time, float(value)) for time, value in channel.controls[number]], default)

    @classmethod
    def of_volume(cls, channel: Channel) -> _Steps:
        """Volume and expression together: 40 log10 of each, as velocity."""
        volume, expression = cls.of_control(channel, 7, 100), cls.of_control(channel, 11, 127)
        times = sorted({time for time, _value in (*channel.controls[7], *channel.controls[11])})
        both = [(time, (volume.at(time) / 127 * expression.at(time) / 127) ** 2) for time in times]
        return cls(both, (100 / 127) ** 2)

    def at(self, time: float) -> float:
        return self._values[bisect_right(self._times, time) - 1]

    def under(self, start: float, end: float) -> tuple[float, tuple[Array, Array] | None]:
        """The value at `start`, and all of them up to `end` in frames from there where it changes."""
        first = bisect_right(self._times, start) - 1
        last = bisect_right(self._times, end)
        values = self._values[first:last]
        if min(values) == max(values):
            return values[0], None
        times = np.rint((np.array(self._times[first:last]) - start) * RATE).astype(np.int64)
        times[0] = 0
        return values[0], (np.maximum(times, 0), np.array(values))


def _blocks(notes: list[Note], end: float, font: Path) -> Iterator[Samples]:
    synthesizer = _synthesizer(font)
    notes = _choked(notes, synthesizer)
    total, size = round(end * RATE), CHUNK_SECONDS * RATE
    mix = Mix(size)
    place = 0
    for begin in range(0, total, size):
        while place < len(notes) and notes[place].start < begin + size:
            synthesizer.add(notes[place], mix, begin)
            place += 1
        yield mix.stereo(min(size, total - begin))


def _choked(notes: list[Note], synthesizer: Synthesizer) -> list[Note]:
    """The notes with those shortened that another of their exclusive class ends."""
    from dataclasses import replace

    result = list(notes)
    sounding: dict[tuple[int, int], int] = {}
    for i, note in enumerate(notes):
        if not note.drums:
            continue
        for exclusive in {zone.exclusive for zone in synthesizer.zones(note) if zone.exclusive}:
            key = (note.program, exclusive)
            if key in sounding and notes[sounding[key]].start < note.start:
                before = result[sounding[key]]
                length = min(before.length, note.start - before.start)
                result[sounding[key]] = replace(before, length=length)
            sounding[key] = i
    return result


@lru_cache(maxsize=1)
def _synthesizer(font: Path) -> Synthesizer:
    return Synthesizer(SoundFont(font))
