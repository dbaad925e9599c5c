"""Melodies from motifs: a rhythm and a contour that return, move with the harmony, and close in a cadence."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.symbolic.rules.harmony import Chord, fitted, nearest, pitches
from assistant.symbolic.rules.song import Part, Section, Song


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a line, in beats."""

    start: float
    length: float
    pitch: int
    accent: float = 0.0


# Offset and length in beats, and scale steps from the bar's anchor.
Motif = tuple[tuple[float, float, int], ...]
Scale = Callable[[Chord], Sequence[int]]


def rhythm(text: str, bar_beats: float) -> list[tuple[float, float]]:
    """Onsets and lengths of a bar written as steps: "x" strikes, "-" holds, "." rests."""
    step = bar_beats / len(text)
    out: list[tuple[float, float]] = []
    for place, sign in enumerate(text):
        if sign == "x":
            out.append((place * step, step))
        elif sign == "-" and out:
            out[-1] = (out[-1][0], out[-1][1] + step)
    return out


def motif(rng: random.Random, text: str, bar_beats: float, reach: int = 4) -> Motif:
    """A contour over a rhythm: mostly steps; a leap is followed by a turn back."""
    degree, last = rng.choice((0, 0, 0, 1, 2, -1)), 0
    notes: list[tuple[float, float, int]] = []
    for offset, length in rhythm(text, bar_beats):
        if notes:
            if abs(last) > 1:
                move = -1 if last > 0 else 1
            else:
                move = rng.choice((-2, -1, -1, -1, 0, 1, 1, 1, 2, 3, -3))
            if abs(degree + move) > reach:
                move = -move
            degree, last = degree + move, move
        notes.append((offset, length, degree))
    return tuple(notes)


class Theme:
    """The motifs of a piece, from which its phrases are built."""

    def __init__(
        self,
        rng: random.Random,
        bar_beats: float,
        rhythms: Sequence[str],
        cadences: Sequence[str],
        *,
        reach: int = 4,
    ) -> None:
        cells = rng.sample(list(rhythms), 2) if len(rhythms) > 1 else [rhythms[0]] * 2
        self.bar_beats = bar_beats
        self.first = motif(rng, cells[0], bar_beats, reach)
        self.second = motif(rng, cells[1], bar_beats, reach)
        self.cadence = motif(rng, rng.choice(list(cadences)), bar_beats, reach)
        # A phrase of two bars cannot afford to rest for one of them.
        self.brief = motif(rng, max(cadences, key=lambda text: text.count("x")), bar_beats, reach)
        self.arch = rng.choice(((0, 2, 3, 0), (0, 0, 2, -1), (2, 1, 0, -2), (0, 1, 2, 0), (0, -1, 3, 1)))
        self.shape = rng.choice(("aab", "aba", "aab", "aac"))

    def bars(self, count: int, rng: random.Random, ornament: float) -> list[tuple[Motif, int]]:
        """Motifs and height (scale steps) for a phrase of some bars; the last bar is the cadence."""
        cells = {"a": self.first, "b": self.second, "c": self.first[: max(2, len(self.first) // 2)]}
        letters = (self.shape * (count // 4 + 1))[: count - 1] if count > 2 else "a" * (count - 1)
        out = [(cells[letter], self.arch[i % 4]) for i, letter in enumerate(letters)]
        out.append((self.cadence if count > 2 else self.brief, self.arch[-1]))
        if ornament <= 0:
            return out
        return [
            (ornamented(rng, cell, ornament) if i < count - 1 else cell, lift)
            for i, (cell, lift) in enumerate(out)
        ]


def ornamented(rng: random.Random, cell: Motif, chance: float) -> Motif:
    """The motif with some of its longer notes divided by a neighbour or a passing note."""
    out: list[tuple[float, float, int]] = []
    for offset, length, degree in cell:
        if length >= 1.0 and rng.random() < chance:
            half = length / 2
            turn = rng.choice((1, -1))
            out += [(offset, half, degree), (offset + half, half, degree + turn)]
        else:
            out.append((offset, length, degree))
    return tuple(out)


def key_scale(song: Song, name: str = "") -> Scale:
    """The song's scale, bent to each chord."""
    base = song.key.scale(name)
    return lambda over: fitted(base, over)


def plain_scale(song: Song, name: str) -> Scale:
    """A scale on the tonic whatever the chord (blues and pentatonic melodies)."""
    base = song.key.scale(name)
    return lambda over: base


def sing(
    song: Song,
    theme: Theme,
    section: Section,
    low: int,
    high: int,
    *,
    scale: Scale,
    closing: bool = False,
    ornament: float = 0.0,
    lift: int = 0,
    snap: bool = True,
    name: str = "melody",
) -> list[Tone]:
    """The theme over a section's chords: strong notes on chord tones; a closing phrase ends on the tonic."""
    rng = song.rng(f"{name} {section.name} {section.number}")
    centre = (low + high) / 2
    tones: list[Tone] = []
    for i, (cell, height) in enumerate(theme.bars(section.bars, rng, ornament)):
        start = song.beat(section.bar + i)
        ladder: list[int] = []
        over: Chord | None = None
        anchor = 0
        for offset, length, degree in cell:
            now = song.at(start + offset)
            if now != over:
                over = now
                ladder = pitches(scale(now), low, high)
                aim = centre + (height + lift) * 1.5
                heads = [p for p in ladder if p % 12 in now.tones] or ladder
                home = min(heads, key=lambda p: (abs(p - aim), p))
                anchor = ladder.index(home)
            place = anchor + degree
            top = len(ladder) - 1
            place = -place if place < 0 else 2 * top - place if place > top else place
            pitch = ladder[min(max(place, 0), top)]
            strong = offset % 2 == 0 or length >= 1.0
            if snap and strong and pitch % 12 not in over.tones:
                near = [p for p in ladder if p % 12 in over.tones]
                if near:
                    pitch = min(near, key=lambda p: (abs(p - pitch), p))
            if tones:
                pitch = _closer(pitch, tones[-1].pitch, low, high)
            tones.append(Tone(start + offset, length, pitch, 1.0 if offset == 0 else 0.4 if strong else 0.0))
    if tones:
        _cadence(song, tones, low, high, scale, closing)
    return tones


def _closer(pitch: int, before: int, low: int, high: int) -> int:
    """The same note in the octave nearer to the last one where the leap is more than a sixth."""
    if pitch - before > 9 and pitch - 12 >= low:
        return pitch - 12
    if before - pitch > 9 and pitch + 12 <= high:
        return pitch + 12
    return pitch


def _cadence(song: Song, tones: list[Tone], low: int, high: int, scale: Scale, closing: bool) -> None:
    last = tones[-1]
    over = song.at(last.start)
    before = tones[-2].pitch if len(tones) > 1 else last.pitch
    if closing and song.key.tonic in over.tones:
        goal = song.key.tonic
    else:
        # A half close stays open: the fifth or third of whatever chord is there.
        goal = (
            over.fifth if closing or abs(nearest(over.fifth, before, low, high) - before) <= 4 else over.third
        )
    pitch = nearest(goal, before, low, high)
    tones[-1] = Tone(last.start, last.length, pitch, 0.6)
    if len(tones) > 2 and tones[-2].pitch == pitch:
        ladder = pitches(scale(song.at(tones[-2].start)), low, high)
        beside = [p for p in ladder if p != pitch and abs(p - pitch) <= 3]
        if beside:
            second = min(beside, key=lambda p: (abs(p - tones[-3].pitch), p))
            tones[-2] = Tone(tones[-2].start, tones[-2].length, second, tones[-2].accent)


def perform(
    part: Part,
    tones: Sequence[Tone],
    velocity: float = 88,
    *,
    legato: float = 0.95,
    grace: float = 0.0,
    rng: random.Random | None = None,
) -> None:
    """Play a line; with `grace` some accented notes are approached by a short note a semitone below."""
    for tone in tones:
        level = velocity + 10 * tone.accent
        if grace and rng is not None and tone.accent > 0 and tone.length >= 0.5 and rng.random() < grace:
            part.play(tone.start, 0.12, tone.pitch - 1, level - 12)
            part.play(tone.start + 0.12, tone.length * legato - 0.12, tone.pitch, level)
        else:
            part.play(tone.start, tone.length * legato, tone.pitch, level)


def harmony_line(song: Song, tones: Sequence[Tone], low: int, high: int) -> list[Tone]:
    """A second voice below a line: the chord tone a third to a sixth under each note."""
    out = []
    for tone in tones:
        under = [p for p in pitches(song.at(tone.start).tones, low, high) if 3 <= tone.pitch - p <= 9]
        if under:
            out.append(Tone(tone.start, tone.length, max(under), tone.accent))
    return out
