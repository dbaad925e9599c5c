"""MIDI to sound through a soundfont, in chunks, with what the file says about its own music.

Runs in the decoder process.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.decode import Samples, Sound
from assistant.audio.instruments import INSTRUMENTS
from assistant.audio.measure import key_of_profile
from assistant.audio.soundfont import SoundFont
from assistant.audio.synthesizer import RATE, Note, Synthesizer
from assistant.errors import MusicHelperError
from assistant.i18n import _

CHUNK_SECONDS = 30
TAIL_SECONDS = 2.0
MAX_BYTES = 32 << 20
MAX_NOTES = 300_000
MAX_TOGETHER = 2_000
"""Notes that may begin within a tenth of a second."""
MAX_NOTE_SECONDS = 60.0
_DEFAULTS = {7: 100.0, 10: 64.0, 11: 127.0}  # volume, pan, expression

Array = np.ndarray[Any, Any]


def open_midi(path: Path, soundfont: str, max_seconds: float) -> tuple[Sound, dict[str, Any]]:
    """A MIDI file as a stereo stream, and its facts: bpm, key, meter, instruments.

    Raises `MusicHelperError` for a file that is no MIDI, has no notes, or asks for too much.
    """
    score = _read(path)
    seconds = score.to("second")
    count = sum(len(track.notes) for track in seconds.tracks)
    if not count:
        raise MusicHelperError(
            _("The MIDI file has no notes."), _("Export it again from the program that made it.")
        )
    if count > MAX_NOTES:
        raise _not_music()
    end = float(seconds.end())
    if not math.isfinite(end) or end > max_seconds:
        raise too_long(end, max_seconds)
    notes = [note for track in seconds.tracks if len(track.notes) for note in _notes(track)]
    notes.sort(key=lambda note: note.start)
    starts = np.array([note.start for note in notes])
    if len(starts) > MAX_TOGETHER and (starts[MAX_TOGETHER:] - starts[:-MAX_TOGETHER]).min() < RATE // 10:
        raise _not_music()
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
    return sound, _facts(score, notes, end)


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


def _read(path: Path) -> Any:
    import symusic

    if path.stat().st_size > MAX_BYTES:
        raise _not_music()
    data = path.read_bytes()
    data = data[max(0, data.find(b"MThd")) :]  # RMID wraps the same file in RIFF
    if len(data) < 14 or struct.unpack(">H", data[12:14])[0] == 0:
        raise _bad_midi()
    try:
        try:
            return symusic.Score.from_midi(data)
        except RuntimeError:
            return symusic.Score.from_midi(data, sanitize_data=True)
    except (RuntimeError, ValueError) as error:
        raise _bad_midi() from error


def _bad_midi() -> MusicHelperError:
    return MusicHelperError(
        _("The MIDI file is damaged and cannot be read."),
        _("Export it again from the program that made it."),
    )


def _not_music() -> MusicHelperError:
    return MusicHelperError(
        _("The MIDI file has more notes than music has, and is not played."),
        _("Check the file in the program that made it."),
    )


def _notes(track: Any) -> list[Note]:
    notes = track.notes.numpy()
    order = np.argsort(notes["time"], kind="stable")
    start = notes["time"][order].astype(np.float64)
    pitch = np.clip(notes["pitch"][order].astype(np.int64), 0, 127)
    velocity = np.clip(notes["velocity"][order].astype(np.int64), 1, 127)
    controls = track.controls.numpy()
    duration = _sustained(start, notes["duration"][order].astype(np.float64), pitch, controls)
    duration = np.clip(duration, 0.02, MAX_NOTE_SECONDS)
    volume, pan, expression = (_control(controls, number, start) for number in (7, 10, 11))
    gain = np.square(volume / 127 * expression / 127)  # 40 log10 of each, as velocity
    bends = track.pitch_bends.numpy()
    return [
        Note(
            start=round(start[i] * RATE),
            length=round(duration[i] * RATE),
            program=int(track.program),
            drums=bool(track.is_drum),
            key=int(pitch[i]),
            velocity=int(velocity[i]),
            gain=float(gain[i]),
            pan=float((pan[i] - 64) / 127),
            bend=_bend(bends, start[i], duration[i]),
        )
        for i in range(len(start))
    ]


def _control(controls: dict[str, Array], number: int, times: Array) -> Array:
    """The value of a controller at each of the times."""
    chosen = controls["number"] == number
    if not chosen.any():
        return np.full(len(times), _DEFAULTS[number])
    at, value = controls["time"][chosen], controls["value"][chosen].astype(np.float64)
    order = np.argsort(at, kind="stable")
    place = np.searchsorted(at[order], times + 1e-4, "right") - 1
    return np.where(place < 0, _DEFAULTS[number], value[order][np.maximum(place, 0)])


def _bend(bends: dict[str, Array], start: float, duration: float) -> tuple[Array, Array] | None:
    """The bends under a note; None where it is not bent."""
    at, value = bends["time"], bends["value"]
    if not len(at):
        return None
    first = max(0, int(np.searchsorted(at, start + 1e-4, "right")) - 1)
    last = int(np.searchsorted(at, start + duration + 1.0, "right"))
    times = np.rint((at[first:last] - start) * RATE).astype(np.int64)
    amounts = value[first:last].astype(np.float64) / 8192
    if not amounts.any():
        return None
    if times[0] > 0:
        times, amounts = np.concatenate([[0], times]), np.concatenate([[0.0], amounts])
    return times, amounts


def _sustained(start: Array, duration: Array, pitch: Array, controls: dict[str, Array]) -> Array:
    """Durations with the pedal: a note let go under it sounds until it is lifted or struck again."""
    pedal = controls["number"] == 64
    if not pedal.any():
        return duration
    at, pressed = controls["time"][pedal].astype(np.float64), controls["value"][pedal] >= 64
    order = np.argsort(at, kind="stable")
    at, pressed = at[order], pressed[order]
    turns = np.flatnonzero(np.diff(pressed, prepend=False))
    down, up = at[turns[0::2]], at[turns[1::2]]
    if not len(down):
        return duration
    if len(up) < len(down):  # never lifted
        up = np.append(up, float((start + duration).max()))
    end = start + duration
    place = np.searchsorted(down, end, "right") - 1
    held = (place >= 0) & (end < up[np.maximum(place, 0)])
    end = np.where(held, up[np.maximum(place, 0)], end)
    order = np.lexsort((start, pitch))
    again = np.full(len(start), np.inf)
    same = pitch[order][1:] == pitch[order][:-1]
    again[order[:-1]] = np.where(same, start[order][1:], np.inf)
    sounding: Array = np.maximum(duration, np.minimum(end, again) - start)
    return sounding


def _blocks(notes: list[Note], end: float, font: Path) -> Iterator[Samples]:
    synthesizer = _synthesizer(font)
    notes = _choked(notes, synthesizer)
    total, size = round(end * RATE), CHUNK_SECONDS * RATE
    ringing = np.zeros((0, 2), np.float32)  # of notes that began in an earlier chunk
    place = 0
    for begin in range(0, total, size):
        buffer = np.zeros((max(size, len(ringing)), 2), np.float32)
        buffer[: len(ringing)] = ringing
        while place < len(notes) and notes[place].start < begin + size:
            buffer = synthesizer.add(notes[place], buffer, begin)
            place += 1
        yield buffer[: min(size, total - begin)]
        ringing = buffer[size:].copy()


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


def _facts(score: Any, notes: list[Note], end: float) -> dict[str, Any]:
    """What the file itself says; nothing is guessed from the sound."""
    shares: dict[str, float] = {}
    profile = np.zeros(12)
    for note in notes:
        seconds = note.length / RATE
        if note.drums:
            shares["drums"] = shares.get("drums", 0.0) + min(seconds, 0.2)
            continue
        name = INSTRUMENTS[note.program]
        shares[name] = shares.get(name, 0.0) + seconds
        if name != "sound effects":
            profile[note.key % 12] += seconds
    total = sum(shares.values())
    ranked = sorted(shares, key=lambda name: -shares[name])
    facts: dict[str, Any] = {
        "bpm": _tempo(score),
        "bpm_source": "file",
        "instruments": [name for name in ranked if shares[name] >= 0.03 * total],
        "meter": _meter(score),
        "notes_per_second": round(len(notes) / end, 2),
    }
    key = key_of_profile(profile)
    if key is not None:
        facts |= {"key": key[0], "key_source": "notes", "key_confidence": round(key[1], 3)}
    return facts


def _tempo(score: Any) -> float:
    """The tempo in force for the longest time, in quarters a minute."""
    tempos = sorted(((float(t.time), float(t.qpm)) for t in score.tempos), key=lambda pair: pair[0])
    spans: dict[float, float] = {}
    for (start, qpm), following in zip(tempos, [*tempos[1:], (float(score.end()), 0.0)], strict=True):
        if math.isfinite(qpm) and qpm > 0:
            spans[round(qpm, 1)] = spans.get(round(qpm, 1), 0.0) + max(0.0, following[0] - start) / qpm
    return max(spans, key=lambda qpm: spans[qpm]) if spans else 120.0  # the default of the format


def _meter(score: Any) -> str:
    """The meter where the piece has one only, as "3/4"; otherwise empty."""
    meters = {(int(meter.numerator), int(meter.denominator)) for meter in score.time_signatures}
    return "{}/{}".format(*next(iter(meters))) if len(meters) == 1 else ""
