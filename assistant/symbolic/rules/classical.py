"""Classical: no drums; Alberti bass, string quartet, broken-chord prelude, wind over strings, or a minuet."""

from __future__ import annotations

import random
from collections.abc import Sequence

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules.harmony import Key, chord, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, Tone, harmony_line, key_scale, perform, sing
from assistant.symbolic.rules.song import Part, Song

_MAJOR = (
    "I | V7/5 | I/3 | V",
    "I | IV | I V | I",
    "I | ii7/7 | V7/3 | I",
    "I | vi | ii/3 | V7",
    "I | V7/3 | I | IV V7",
    "I | IV/5 | V7/3 | I",
    "I | vi | IV | V",
)
_MINOR = (
    "i | V7/3 | i | V",
    "i | iv | V7 | i",
    "i | iv/5 | V7/3 | i",
    "i | bVI | iidim/3 | V7",
    "i | i/3 | iv | V",
    "i | bVII/3 | bIII | iv V",
)
_MIDDLE = ("vi | II7/3 | V | V7", "IV | I/3 | ii | V7", "ii | V7 | I | V", "vi | iii | IV | V7")
_MIDDLE_MINOR = ("bIII | bVII | i | V", "iv | bVII | bIII | V7", "bVI | bIII | iv | V7")
_TUNES_4 = ("x---x-x-", "x--xx-x-", "x-x-x-x-", "x---xxxx", "x-xxx---", "x--xxxxx")
_TUNES_3 = ("x---x-", "x-x-x-", "x-xxxx", "x--xx-", "xxx-x-")
_CLOSES_4 = ("x---x---", "x-x-x---", "x-------")
_CLOSES_3 = ("x---..", "x-----", "x-x---")


def _figure(song: Song, part: Part, kind: str, low: int, high: int, velocity: float = 66) -> None:
    """An accompaniment in broken or repeated chords, with the bass of the chord at the bottom."""
    before: tuple[int, ...] = ()
    step = 0.25 if kind == "prelude" else 0.5
    for _section, _bar, span in song.walk():
        before = voice(span.chord, low, high, 3, before)
        bottom = nearest(span.chord.bass, before[0], max(low - 9, part.low), low + 12)
        if bottom >= before[1]:
            bottom -= 12 if bottom - 12 >= part.low else 0
        notes = (bottom, *before[1:])
        if kind == "waltz":
            part.play(span.start, 0.95, bottom - 12 if bottom - 12 >= part.low + 5 else bottom, velocity + 4)
            for beat in range(1, int(span.length)):
                part.chord(span.start + beat, 0.6, notes[1:], velocity - 6)
            continue
        order = {"alberti": (0, 2, 1, 2), "prelude": (0, 1, 2, 3, 1, 2, 3, 2), "rolling": (0, 1, 2, 1)}[kind]
        strings = (*notes, notes[1] + 12) if kind == "prelude" else notes
        for i in range(round(span.length / step)):
            pitch = strings[order[i % len(order)] % len(strings)]
            part.play(
                span.start + i * step,
                step * (1.6 if kind == "prelude" else 1.0),
                pitch,
                velocity + 5 * (i % len(order) == 0),
            )


def _quartet(song: Song, parts: Sequence[Part], rng: random.Random) -> None:
    """Second violin, viola and cello: the inner voices held or in repeated eighths, the cello on the bass."""
    second, viola, cello = parts
    before: tuple[int, ...] = ()
    pulse = rng.random() < 0.5
    place = 46.0
    for section, bar, span in song.walk():
        before = voice(span.chord, 52, 72, 3, before)
        bass = nearest(span.chord.bass, place, 36, 57)
        place = (bass + 46) / 2
        moving = pulse and (section.name != "B")
        for part, pitch in (
            (viola, before[0]),
            (second, before[-1] if before[-1] != before[0] else before[1]),
        ):
            if moving:
                for i in range(int(span.length * 2)):
                    part.play(span.start + i / 2, 0.44, pitch, 68 if i % 2 == 0 else 60)
            else:
                part.play(span.start, span.length * 0.98, pitch, 68)
        if span.length >= 3 and (bar + section.bar) % 2 == 1:
            # The cello moves by step towards the next bar's bass.
            scale = pitches(song.key.scale(), 34, 60)
            after = nearest(song.at(span.start + span.length).bass, bass, 36, 57)
            between = [p for p in scale if min(bass, after) < p < max(bass, after)]
            cello.play(span.start, span.length - 1.05, bass, 76)
            middle = between[len(between) // 2] if between else nearest(span.chord.fifth, bass, 36, 60)
            cello.play(span.start + span.length - 1, 0.95, middle, 70)
        else:
            cello.play(span.start, span.length * 0.98, bass, 76)


def _trill(part: Part, tones: list[Tone], velocity: float) -> None:
    """A trill from the upper neighbour on the last note but one, where it is long enough."""
    perform(part, tones[:-2], velocity)
    if len(tones) < 2:
        return
    note, final = tones[-2], tones[-1]
    if note.length >= 1.0:
        for i in range(int(note.length * 6)):
            part.play(note.start + i / 6, 1 / 6, note.pitch + (2 if i % 2 == 0 else 0), velocity - 6)
    else:
        perform(part, [note], velocity)
    perform(part, [final], velocity)


def compose(seed: int, seconds: float) -> Piece:
    """A small piece in the classical manner."""
    rng = random.Random(f"musichelper classical {seed} frame")
    texture = rng.choice(("sonata", "quartet", "prelude", "winds", "minuet", "orchestra"))
    three = texture == "minuet" or (texture in ("winds", "quartet") and rng.random() < 0.25)
    tempo = {
        "sonata": rng.randint(96, 138),
        "quartet": rng.randint(76, 126),
        "prelude": rng.randint(66, 92),
        "winds": rng.randint(70, 104),
        "minuet": rng.randint(104, 138),
        "orchestra": rng.randint(84, 132),
    }[texture]
    minor = rng.random() < 0.4
    key = Key(
        rng.choice(
            ("A", "D", "G", "C", "E", "B", "F#") if minor else ("C", "G", "D", "F", "Bb", "A", "Eb", "E")
        ),
        "minor" if minor else "major",
    )
    song = Song(
        "classical",
        seed,
        seconds,
        tempo=tempo,
        key=key,
        meter=(3, 4) if three else (4, 4),
        letters=rng.choice(("AAB", "ABA", "AABA")),
    )
    song.harmonise(
        {"A": rng.choice(_MINOR if minor else _MAJOR), "B": rng.choice(_MIDDLE_MINOR if minor else _MIDDLE)},
        cadence="V7" if three else "iv V7" if minor else "ii7/3 V7",
    )
    if rng.random() < 0.3 and minor:  # the Picardy third
        song.set_bar(song.ending.bar, [chord("I", key)])
    song.slow_down(1 if song.bar_seconds > 2 else 2, 0.72)

    theme = Theme(
        song.rng("theme"),
        song.bar_beats,
        _TUNES_3 if three else _TUNES_4,
        _CLOSES_3 if three else _CLOSES_4,
        reach=4,
    )
    scale = key_scale(song)
    low, high = 62, 84
    second: Part | None = None
    if texture == "quartet":
        lead = song.part("violin", volume=104, pan=38, name="Violin I")
        parts = [
            song.part("violin", volume=90, pan=52, name="Violin II"),
            song.part("viola", volume=90, pan=78),
            song.part("cello", volume=100, pan=92),
        ]
        _quartet(song, parts, rng)
        chords, bass = parts[1], parts[2]
        low, high = 67, 89
    elif texture == "winds":
        lead = song.part(rng.choice(("flute", "oboe", "clarinet")), volume=106, pan=60)
        chords = song.part(
            rng.choice(("strings", "harp", "pizzicato strings", "slow strings")), volume=84, pan=50
        )
        bass = song.part(rng.choice(("bassoon", "cello")), volume=92, pan=84)
        if chords.program in (45, 46):
            _figure(song, chords, "rolling", 55, 74)
        else:
            before: tuple[int, ...] = ()
            for _section, _bar, span in song.walk():
                before = voice(span.chord, 53, 72, 3, before)
                chords.chord(span.start, span.length * 0.98, before, 62)
        for _section, _bar, span in song.walk():
            bass.play(span.start, span.length * 0.96, nearest(span.chord.bass, 45, 36, 57), 74)
        if lead.program == 71:
            low, high = 58, 80
    elif texture == "orchestra":
        lead = song.part(rng.choice(("strings", "violin")), low=55, volume=100, pan=44, name="First strings")
        second = song.part(rng.choice(("flute", "oboe", "horn", "clarinet")), volume=88, pan=72)
        chords = song.part(
            rng.choice(("strings", "horn", "brass section")), volume=80, pan=84, name="Inner voices"
        )
        bass = song.part("contrabass", volume=98, pan=92)
        before = ()
        for _section, _bar, span in song.walk():
            before = voice(span.chord, 50, 69, 3, before)
            for i in range(int(span.length)):
                chords.chord(span.start + i, 0.7, before, 66 if i == 0 else 58)
            bass.play(span.start, span.length * 0.95, nearest(span.chord.bass, 38, 30, 48), 84)
    else:
        keys = (
            "harpsichord"
            if rng.random() < 0.35
            else "church organ"
            if texture == "prelude" and rng.random() < 0.25
            else "piano"
        )
        lead = song.part(keys, low=55, volume=104, pan=70, name="Right hand")
        chords = song.part(keys, high=76, volume=94, pan=58, name="Left hand")
        bass = chords
        _figure(song, chords, {"sonata": "alberti", "minuet": "waltz", "prelude": "prelude"}[texture], 48, 67)
        low, high = (67, 86) if texture == "prelude" else (62, 86)
    if texture == "prelude":  # broken chords above long notes
        theme = Theme(
            song.rng("theme"), song.bar_beats, ("x---x---", "x-----x-", "x-------"), _CLOSES_4, reach=2
        )

    for section in song.body():
        ornament = 0.45 * min(section.number, 2)
        lift = 1 if section.name == "B" else 0
        tones = sing(
            song, theme, section, low, high, scale=scale, closing=section.last, ornament=ornament, lift=lift
        )
        loud = 84 if section.name == "A" else 92
        if section.last and texture != "prelude":
            _trill(lead, tones, loud)
        else:
            perform(lead, tones, loud)
        if second and section.number + (section.name == "B"):
            perform(second, harmony_line(song, tones, second.low, min(second.high, 76)), 72)
    intro = song.sections[0]
    if intro.name == "intro" and texture in ("quartet", "orchestra", "winds"):
        lead.play(
            song.beat(intro.bar),
            intro.bars * song.bar_beats * 0.9,
            nearest(key.tonic, (low + high) / 2, low, high),
            70,
        )
    start = song.beat(song.ending.bar)
    final = song.at(start)
    length = song.end - start - 0.3
    song.last_chord(
        chords, voice(final, 52, 71, 3), 74, strum=0.05 if texture in ("sonata", "minuet", "prelude") else 0.0
    )
    bass.play(start, length, nearest(key.tonic, 40, max(bass.low, 34), max(bass.low, 34) + 14), 82)
    lead.play(start, length, nearest(key.tonic, (low + high) / 2, low, high), 84)
    if texture == "quartet":
        parts[0].play(start, length, nearest(final.third, 67, 60, 72), 74)
    return song.finish()
