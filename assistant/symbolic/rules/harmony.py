"""Keys, chords written as Roman numerals, scales, and voicings that move as little as they can."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "altered": (0, 1, 3, 4, 6, 8, 10),
    "diminished": (0, 2, 3, 5, 6, 8, 9, 11),
    "bebop": (0, 2, 4, 5, 7, 9, 10, 11),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "major blues": (0, 2, 3, 4, 7, 9),
}

# Intervals over the root, in the order in which they are stacked.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "13": (0, 4, 10, 14, 21),
    "7b9": (0, 4, 7, 10, 13),
    "7#9": (0, 4, 7, 10, 15),
    "add9": (0, 4, 7, 14),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
}

_CHORD_SCALES = {
    "maj7": "major", "maj9": "lydian", "6": "major", "": "major", "add9": "major",
    "m7": "dorian", "m9": "dorian", "m": "dorian", "m6": "dorian",
    "7": "bebop", "9": "mixolydian", "13": "mixolydian", "7sus4": "mixolydian",
    "7b9": "altered", "7#9": "altered", "m7b5": "locrian", "dim7": "diminished", "dim": "diminished",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """A key: the tonic's name ("Bb") and "major" or "minor"."""

    name: str
    mode: str

    @property
    def tonic(self) -> int:
        """The pitch class of the tonic."""
        shift = {"#": 1, "b": -1}.get(self.name[1:], 0)
        return (NATURALS[self.name[0]] + shift) % 12

    @property
    def fifths(self) -> int:
        """Sharps (positive) or flats (negative) of the key signature."""
        count = _FIFTHS[self.name[0]] + {"#": 7, "b": -7}.get(self.name[1:], 0)
        return count - 3 if self.mode == "minor" else count

    def scale(self, name: str = "") -> tuple[int, ...]:
        """The pitch classes of a scale on the tonic; of the mode's own scale where none is named."""
        return tuple((self.tonic + step) % 12 for step in SCALES[name or self.mode])


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord: pitch class of the root, quality (a key of `QUALITIES`), and pitch class of the bass."""

    root: int
    quality: str
    bass: int

    @property
    def intervals(self) -> tuple[int, ...]:
        """Semitones over the root."""
        return QUALITIES[self.quality]

    @property
    def tones(self) -> tuple[int, ...]:
        """The pitch classes, root first."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    @property
    def third(self) -> int:
        """Pitch class of the third (or of what stands for it)."""
        return self.tones[1]

    @property
    def fifth(self) -> int:
        """Pitch class of the fifth; a perfect one where the chord leaves it out."""
        return next(
            (self.tones[i] for i, step in enumerate(self.intervals) if step in (6, 7, 8)),
            (self.root + 7) % 12,
        )

    @property
    def minor(self) -> bool:
        """Whether the third is minor."""
        return 3 in self.intervals

    def essential(self, count: int) -> tuple[int, ...]:
        """The `count` pitch classes that matter most, from the third and seventh on; doubled where short."""
        if len(self.intervals) <= 3:
            tones = self.tones
        else:
            fifth = self.fifth
            colours = [tone for tone in self.tones[1:] if tone != fifth]
            tones = (*colours, self.root, fifth) if len(self.intervals) > 4 else (*colours, fifth, self.root)
            if count >= 4 and len(self.intervals) == 4:
                tones = self.tones
        return tuple(tones[i % len(tones)] for i in range(count))

    def scale(self) -> tuple[int, ...]:
        """The pitch classes of the chord's own scale, as a jazz player would choose it."""
        return tuple((self.root + step) % 12 for step in SCALES[_CHORD_SCALES.get(self.quality, "major")])


_NUMERAL = re.compile(r"(?P<shift>[b#]?)(?P<roman>[IViv]+)(?P<quality>[^/]*)(?:/(?P<bass>[357]))?")


@lru_cache(maxsize=2048)
def chord(numeral: str, key: Key) -> Chord:
    """Read a Roman numeral over the tonic's major scale: "ii7", "bVII", "V7/3" (third in the bass)."""
    match = _NUMERAL.fullmatch(numeral)
    if match is None or match["roman"].upper() not in _DEGREES:
        raise ValueError(numeral)
    roman = match["roman"]
    root = (key.tonic + _DEGREES[roman.upper()] + {"b": -1, "#": 1}.get(match["shift"], 0)) % 12
    quality = match["quality"]
    if roman.islower() and not quality.startswith("dim"):
        quality = "m" + quality
    intervals = QUALITIES[quality]
    bass = root
    if match["bass"]:
        bass = (root + intervals[(int(match["bass"]) - 1) // 2]) % 12
    return Chord(root, quality, bass)


def progression(text: str, key: Key) -> list[list[Chord]]:
    """Bars of chords from text such as "I | vi | ii7 V7 | I"."""
    return [[chord(numeral, key) for numeral in bar.split()] for bar in text.split("|")]


# Which interval over the root a foreign chord tone takes the place of: the other third, the other seventh…
_DISPLACED = {0: 1, 1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 7, 7: 6, 8: 7, 9: 8, 10: 11, 11: 10}


def fitted(scale: Sequence[int], over: Chord) -> tuple[int, ...]:
    """A scale bent to a chord: each foreign chord tone takes the place of the note that it alters."""
    foreign = [tone for tone in over.tones if tone not in scale]
    gone = set()
    for tone in foreign:
        interval = (tone - over.root) % 12
        # The fifth of a chord on a lowered degree is lowered too.
        other = 8 if interval == 7 and over.root in foreign else _DISPLACED[interval]
        gone.add((over.root + other) % 12)
    return tuple(sorted({*scale, *foreign} - (gone - set(over.tones))))


def pitches(classes: Sequence[int], low: int, high: int) -> list[int]:
    """All pitches of some pitch classes within a range, upwards."""
    wanted = set(classes)
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in wanted]


def nearest(pitch_class: int, around: float, low: int, high: int) -> int:
    """The pitch of a class nearest to a place, within a range (or beyond it where the range has none)."""
    choice = pitches((pitch_class,), low, high) or pitches((pitch_class,), low - 6, high + 6)
    return min(choice, key=lambda pitch: (abs(pitch - around), pitch))


def voice(
    over: Chord, low: int, high: int, count: int = 3, before: Sequence[int] = (), top: int = 127
) -> tuple[int, ...]:
    """A voicing of `count` notes within a range that moves least from the one before, with no bare cluster.

    `top` keeps the highest note below a melody where that is possible.
    """
    classes = tuple(sorted(over.essential(count), key=lambda tone: (tone - over.root) % 12))
    best: tuple[int, ...] = ()
    best_cost = 1e9
    centre = (low + high) / 2
    for turn in range(len(classes)):
        order = classes[turn:] + classes[:turn]
        for start in pitches(order[:1], low, high):
            notes = [start]
            for tone in order[1:]:
                notes.append(notes[-1] + ((tone - notes[-1]) % 12 or 12))
            for spread in (False, True):
                shape = notes
                if spread and len(notes) >= 4:  # drop the second voice from the top by an octave
                    shape = sorted([*notes[:-2], notes[-2] - 12, notes[-1]])
                elif spread:
                    continue
                if shape[0] < low or shape[-1] > high:
                    continue
                cost = 0.25 * abs(sum(shape) / len(shape) - centre)
                cost += 6.0 * sum(b - a == 1 for a, b in pairwise(shape)) + max(0, shape[-1] - top) * 2.0
                if before:
                    pairs = zip(sorted(before), shape, strict=False)
                    cost += sum(abs(a - b) for a, b in pairs)
                if cost < best_cost:
                    best, best_cost = tuple(shape), cost
    if best:
        return best
    return tuple(sorted({nearest(tone, centre, low, high) for tone in classes}))
