"""A song in the making: form, changes, and parts whose notes are written in beats and made human at last."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from assistant.symbolic.midi import TICKS_PER_BEAT, Note, Track
from assistant.symbolic.piece import Piece
from assistant.symbolic.rules.harmony import Chord, Key, chord, nearest, progression
from assistant.symbolic.rules.instruments import DRUMS, INSTRUMENTS, KITS, LEVELS
from assistant.symbolic.rules.titles import title


@dataclass(frozen=True, slots=True)
class Section:
    """Some bars of the form. `number` counts the earlier sections of the same name."""

    name: str
    bar: int
    bars: int
    number: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A chord and the beats for which it sounds."""

    start: float
    length: float
    chord: Chord


def plan(rng: random.Random, bars: int, letters: str, ending: int = 1) -> list[Section]:
    """A form of exactly `bars` bars (at least five): intro, sections of four (or two) bars, tag, ending."""
    body = max(4, bars - ending)
    unit = 4 if body >= 6 else 2
    count, rest = divmod(body, unit)
    if unit == 4 and rest == 0 and count >= 3 and rng.random() < 0.5:
        count, rest = count - 1, 4
    wants_intro = rng.random() < 0.6
    # A lone section is worth repeating in part rather than announcing.
    intro = {0: 0, 1: 1, 2: 2 if wants_intro and count > 1 else 0, 3: 1, 4: 2}[rest]
    names = [("intro", intro)] if intro else []
    names += [(letters[i % len(letters)], unit) for i in range(count)]
    if rest - intro:
        names.append((names[-1][0], rest - intro))
    names.append(("ending", ending))
    sections: list[Section] = []
    bar = 0
    for place, (name, size) in enumerate(names):
        number = sum(earlier.name == name for earlier in sections)
        sections.append(Section(name, bar, size, number, last=place == len(names) - 2))
        bar += size
    return sections


@dataclass(slots=True)
class _Sound:
    start: float
    length: float
    pitch: int
    velocity: float


class Part:
    """One instrument of a song. Times are in beats of a quarter note; velocities 1–127."""

    def __init__(self, name: str, program: int, low: int, high: int, drums: bool = False) -> None:
        self.name, self.program, self.low, self.high, self.drums = name, program, low, high, drums
        self.volume, self.pan = 100, 64
        self.loose = 6.0  # milliseconds by which strikes scatter
        self.late = 0.0  # milliseconds behind (or, negative, ahead of) the beat
        self.touch = 6.0  # velocities scatter by this
        self.sounds: list[_Sound] = []

    def play(self, start: float, length: float, pitch: int, velocity: float = 84) -> None:
        """One note; a pitch out of the instrument's range is moved by octaves."""
        if not self.drums:
            while pitch < self.low:
                pitch += 12
            while pitch > self.high:
                pitch -= 12
        self.sounds.append(_Sound(start, length, pitch, velocity))

    def chord(
        self, start: float, length: float, notes: Iterable[int], velocity: float = 76, strum: float = 0.0
    ) -> None:
        """Several notes together, or `strum` beats apart."""
        for place, pitch in enumerate(notes):
            self.play(
                start + place * strum, max(length - place * strum, 0.05), pitch, velocity - 2 * (place % 2)
            )

    def hit(self, start: float, drum: str, velocity: float) -> None:
        """One stroke of a drum by its name."""
        self.play(
            start, 0.5 if drum in ("crash", "ride", "open hat", "china") else 0.2, DRUMS[drum], velocity
        )


class Song:
    """What a style fills: choose the frame, write parts, call `finish`."""

    def __init__(
        self,
        genre: str,
        seed: int,
        seconds: float,
        *,
        tempo: float,
        key: Key,
        meter: tuple[int, int] = (4, 4),
        letters: str = "AAB",
        swing: float = 0.5,
        swing_beats: float = 1.0,
        sections: Sequence[Section] | None = None,
    ) -> None:
        self.genre, self.seed = genre, seed
        self.tempo, self.key, self.meter = float(tempo), key, meter
        self.swing, self.swing_beats = swing, swing_beats
        self.bar_beats = meter[0] * 4 / meter[1]
        self.bar_seconds = self.bar_beats * 60 / tempo
        bars = max(5, round(seconds / self.bar_seconds))
        ending = 1 if self.bar_seconds >= 1.5 else 2
        self.sections = list(sections or plan(self.rng("form"), bars, letters, ending))
        self.bars = self.sections[-1].bar + self.sections[-1].bars
        self.parts: list[Part] = []
        self._changes: dict[int, list[Span]] = {}
        self.tempo_changes: list[tuple[int, float]] = []

    def rng(self, name: str) -> random.Random:
        """A stream of chance of its own, the same on every machine."""
        return random.Random(f"musichelper {self.genre} {self.seed} {name}")

    # Form and harmony

    @property
    def end(self) -> float:
        """The beat after the last bar."""
        return self.bars * self.bar_beats

    @property
    def ending(self) -> Section:
        """The last section."""
        return self.sections[-1]

    def beat(self, bar: int) -> float:
        """The first beat of a bar."""
        return bar * self.bar_beats

    def body(self) -> list[Section]:
        """The sections between intro and ending."""
        return [section for section in self.sections if section.name not in ("intro", "ending")]

    def harmonise(self, changes: dict[str, str], cadence: str = "", tonic: str = "") -> None:
        """Lay Roman-numeral progressions over the sections, repeated or cut to fit.

        An intro without changes of its own takes the first section's. `cadence` replaces the last bar before
        the ending, `tonic` is the chord of the ending.
        """
        first = self.body()[0].name
        place: dict[str, int] = {}
        for section in self.sections:
            name = section.name if section.name in changes else first
            bars = progression(changes[name], self.key)
            # Sections shorter than the progression go on where the last one stopped.
            offset = place.get(name, 0) if section.bars < len(bars) and section.name != "intro" else 0
            place[name] = offset + section.bars
            for i in range(section.bars):
                self.set_bar(section.bar + i, bars[(offset + i) % len(bars)])
        final = chord(tonic or ("I" if self.key.mode == "major" else "i"), self.key)
        for i in range(self.ending.bars):
            self.set_bar(self.ending.bar + i, [final])
        if cadence:
            self.harmonise_bar(self.ending.bar - 1, cadence)

    def set_bar(self, bar: int, chords: Sequence[Chord]) -> None:
        """The chords of one bar, of equal length each (whole beats where a bar does not divide)."""
        count = len(chords)
        step = self.bar_beats / count
        if step != int(step) and count == 2:
            cuts = [0.0, float(int(step) + 1), self.bar_beats]
        else:
            cuts = [i * step for i in range(count + 1)]
        start = self.beat(bar)
        self._changes[bar] = [
            Span(start + a, b - a, which) for a, b, which in zip(cuts, cuts[1:], chords, strict=False)
        ]

    def harmonise_bar(self, bar: int, numerals: str) -> None:
        """The chords of one bar from Roman numerals."""
        self.set_bar(bar, progression(numerals, self.key)[0])

    def spans(self, bar: int) -> list[Span]:
        """The chords of a bar."""
        return self._changes[bar]

    def at(self, beat: float) -> Chord:
        """The chord that sounds at a beat."""
        bar = min(int(beat // self.bar_beats), self.bars - 1)
        return next(span.chord for span in reversed(self.spans(bar)) if span.start <= beat + 1e-6)

    def walk(self, *, ending: bool = False) -> Iterator[tuple[Section, int, Span]]:
        """Every chord of the song in order, with its section and bar; the ending's only where asked."""
        for section in self.sections:
            if section.name == "ending" and not ending:
                continue
            for bar in range(section.bar, section.bar + section.bars):
                for span in self.spans(bar):
                    yield section, bar, span

    def straight(self, beat: float) -> float:
        """The written time that sounds at `beat` once swing is applied (for triplets in a swung song)."""
        whole, rest = divmod(beat / self.swing_beats, 1.0)
        rest = (
            rest * 0.5 / self.swing
            if rest < self.swing
            else 0.5 + (rest - self.swing) * 0.5 / (1 - self.swing)
        )
        return (whole + rest) * self.swing_beats

    def _swung(self, beat: float) -> float:
        whole, rest = divmod(beat / self.swing_beats, 1.0)
        rest = rest * 2 * self.swing if rest < 0.5 else self.swing + (rest - 0.5) * 2 * (1 - self.swing)
        return (whole + rest) * self.swing_beats

    # Parts

    def part(
        self,
        instrument: str,
        *,
        low: int = 0,
        high: int = 127,
        volume: int = 100,
        pan: int = 64,
        name: str = "",
    ) -> Part:
        """Add an instrument by its name, perhaps within a narrower range."""
        program, lowest, highest = INSTRUMENTS[instrument]
        volume = min(127, round(volume * 10 ** (LEVELS.get(instrument, 0) / 40)))
        part = Part(name or instrument.capitalize(), program, max(low, lowest), min(high, highest))
        part.volume, part.pan = volume, pan
        self.parts.append(part)
        return part

    def kit(self, name: str, *, volume: int = 104) -> Part:
        """Add a drum kit."""
        part = Part(f"Drums ({name})", KITS[name], 0, 127, drums=True)
        part.volume, part.loose, part.touch = volume, 4.0, 5.0
        self.parts.append(part)
        return part

    def last_chord(
        self, part: Part, notes: Iterable[int], velocity: float = 88, *, strum: float = 0.0, hold: float = 1.0
    ) -> None:
        """The final chord, held for a share of the ending and released before the end."""
        start = self.beat(self.ending.bar)
        part.chord(start, (self.end - start - 0.25) * hold, notes, velocity, strum)

    def final_bass(self, part: Part, velocity: float = 92, *, low: int = 28, high: int = 45) -> None:
        """The tonic in the bass under the final chord."""
        start = self.beat(self.ending.bar)
        root = self.at(start).root
        part.play(
            start,
            self.end - start - 0.25,
            nearest(root, (low + high) / 2, low, max(high, low + 12)),
            velocity,
        )

    def slow_down(self, bars: int = 2, to: float = 0.7) -> None:
        """A ritardando over the last bars before the ending, which stays at the slow tempo."""
        begin = self.beat(self.ending.bar - bars)
        beats = max(1, int(bars * self.bar_beats))
        for i in range(1, beats + 1):
            share = i / beats
            tempo = round(self.tempo * (1 - (1 - to) * share * share), 2)
            self.tempo_changes.append((round((begin + i) * TICKS_PER_BEAT), tempo))

    # From beats to ticks

    def _notes(self, part: Part) -> tuple[Note, ...]:
        rng = self.rng(f"hand {part.name}")
        per_ms = self.tempo / 60_000 * TICKS_PER_BEAT
        limit = round(self.end * TICKS_PER_BEAT)
        by_pitch: dict[int, list[Note]] = {}
        # Notes struck together scatter together, so that chords stay chords.
        scatter: dict[float, float] = {}
        for sound in sorted(part.sounds, key=lambda sound: (sound.start, sound.pitch, -sound.length)):
            place = round(sound.start * 16) / 16
            if place not in scatter:
                scatter[place] = rng.triangular(-part.loose, part.loose, 0.0)
            shift = (scatter[place] + rng.uniform(-1.5, 1.5) + part.late) * per_ms
            start = max(0, round(self._swung(sound.start) * TICKS_PER_BEAT + shift))
            end = round(self._swung(sound.start + sound.length) * TICKS_PER_BEAT + shift)
            velocity = round(sound.velocity + rng.triangular(-part.touch, part.touch, 0.0))
            if start >= limit - 10:
                continue
            duration = max(min(end, limit) - start, 20)
            note = Note(start, sound.pitch, duration, min(max(velocity, 8), 124))
            by_pitch.setdefault(sound.pitch, []).append(note)
        notes: list[Note] = []
        for same in by_pitch.values():
            same.sort()
            kept: list[Note] = []
            for note in same:
                if kept and note.start - kept[-1].start < 20:
                    continue  # the same key struck twice at once
                if kept and kept[-1].end > note.start - 5:
                    before = kept[-1]
                    kept[-1] = Note(
                        before.start, before.pitch, max(note.start - 5 - before.start, 10), before.velocity
                    )
                kept.append(note)
            notes += kept
        return tuple(sorted(notes))

    def finish(self) -> Piece:
        """The piece, with swing and a human hand."""
        tracks = []
        for part in self.parts:
            notes = self._notes(part)
            if notes:
                tracks.append(Track(part.name, part.program, notes, part.drums, part.volume, part.pan))
        letters: dict[str, str] = {}
        marks = []
        for section in self.sections:
            letters.setdefault(section.name, section.name.capitalize())
            marks.append(
                (
                    round(self.beat(section.bar) * TICKS_PER_BEAT),
                    letters[section.name] + "'" * min(section.number, 3),
                )
            )
        return Piece(
            genre=self.genre,
            title=title(self.genre, self.rng("title"), waltz=self.bar_beats == 3),
            tempo=self.tempo,
            key=self.key.name,
            mode=self.key.mode,
            fifths=self.key.fifths,
            time_signature=self.meter,
            tracks=tuple(tracks),
            sections=tuple(marks),
            length=round(self.end * TICKS_PER_BEAT),
            tempo_changes=tuple(self.tempo_changes),
        )
