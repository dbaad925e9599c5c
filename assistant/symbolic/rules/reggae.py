"""Reggae: the skank off the beat, the bubble of the organ, a heavy bass, and drums that drop the one."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, voice
from assistant.symbolic.rules.melody import Theme, harmony_line, key_scale, perform, plain_scale, sing
from assistant.symbolic.rules.song import Part, Song

_MAJOR = (
    "I | I | IV | IV",
    "I | IV | V | IV",
    "I | V | vi | IV",
    "I | ii | I | ii",
    "I | bVII | IV | I",
    "I | iii | IV | V",
)
_MINOR = (
    "i | i | iv | iv",
    "i | bVII | i | bVII",
    "i | iv | bVII | bIII",
    "i | bVI | bVII | i",
    "i7 | iv7 | i7 | v7",
)
_BRIDGE = ("IV | I | IV | V", "vi | IV | vi | V")
_BRIDGE_MINOR = ("iv | i | iv | bVII", "bVI | bVII | i | i")
_TUNES = ("x-x-x---", "..xxx-x-", ".xx-x---", "x--xx---", "..x-xxx-", "x-xxx---")
_CLOSES = ("x-x-----", "x-------", ".xx-----")
# A bass phrase: offset, length, and which tone (0 root, 1 third, 2 fifth, 3 octave).
_BASSES = (
    ((0.0, 0.9, 0), (1.5, 0.45, 0), (2.0, 0.9, 2), (3.0, 0.45, 1), (3.5, 0.45, 0)),
    ((0.5, 0.45, 0), (1.0, 0.45, 0), (1.5, 0.9, 2), (3.0, 0.45, 3), (3.5, 0.45, 2)),
    ((0.0, 1.4, 0), (2.0, 0.45, 0), (2.5, 0.45, 1), (3.0, 0.9, 2)),
    ((1.0, 0.45, 0), (1.5, 0.45, 0), (2.0, 1.4, 0), (3.5, 0.45, 2)),
    ((0.0, 0.6, 0), (0.75, 0.6, 2), (1.5, 0.9, 0), (2.5, 0.45, 0), (3.0, 0.45, 1), (3.5, 0.45, 2)),
)  # fmt: skip


def _bass(song: Song, part: Part, rng: random.Random) -> None:
    one, other = rng.sample(_BASSES, 2)
    before = 36.0
    for section, bar, span in song.walk():
        if section.name == "intro" and bar == section.bar:
            continue
        root = nearest(span.chord.root, before, 28, 43)
        before = (root + 35) / 2
        tones = (0, 3 if span.chord.minor else 4, 7, 12)
        for offset, length, which in one if bar % 2 == 0 else other:
            if offset < span.length:
                part.play(
                    span.start + offset,
                    min(length, span.length - offset),
                    root + tones[which],
                    104 if offset == 0 else 96,
                )


def _skank(song: Song, guitar: Part, organ: Part | None, double: bool) -> None:
    high: tuple[int, ...] = ()
    low: tuple[int, ...] = ()
    for section, _bar, span in song.walk():
        high = voice(span.chord, 60, 76, 3, high)
        low = voice(span.chord, 52, 67, 3, low)
        for beat in range(int(span.length)):
            when = span.start + beat + 0.5
            guitar.chord(when, 0.16, high, 88 if beat % 2 else 82, strum=0.012)
            if double:
                guitar.chord(when + 0.25, 0.1, high, 62)
            if organ and section.name != "intro":  # the bubble: left hand around the right hand's off-beat
                organ.play(when - 0.25, 0.18, low[0] - 12 if low[0] - 12 >= organ.low else low[0], 58)
                organ.chord(when, 0.2, low, 72)
                organ.play(when + 0.25, 0.18, low[0], 56)


def compose(seed: int, seconds: float) -> Piece:
    """A reggae tune."""
    rng = random.Random(f"musichelper reggae {seed} frame")
    # Counted with the skank on the "and" of each beat.
    tempo = rng.randint(66, 92)
    minor = rng.random() < 0.45
    key = Key(
        rng.choice(("A", "D", "E", "G", "C", "B") if minor else ("C", "G", "D", "A", "F", "Bb")),
        "minor" if minor else "major",
    )
    swing = rng.choice((0.5, 0.56, 0.6))
    song = Song(
        "reggae",
        seed,
        seconds,
        tempo=tempo,
        key=key,
        letters=rng.choice(("AAB", "AABA")),
        swing=swing,
        swing_beats=0.5,
    )
    song.harmonise(
        {"A": rng.choice(_MINOR if minor else _MAJOR), "B": rng.choice(_BRIDGE_MINOR if minor else _BRIDGE)},
        cadence=rng.choice(("iv", "bVII") if minor else ("IV", "V", "IV V")),
    )
    guitar = song.part(
        rng.choice(("clean guitar", "muted guitar", "jazz guitar")), volume=96, pan=90, name="Skank"
    )
    organ = (
        song.part(
            rng.choice(("drawbar organ", "percussive organ", "rock organ")), volume=84, pan=34, name="Bubble"
        )
        if rng.random() < 0.8
        else None
    )
    piano = None if organ else song.part("piano", volume=84, pan=34)
    _skank(song, guitar, organ or piano, rng.random() < 0.3)
    bass = song.part(
        rng.choice(("finger bass", "fretless bass", "deep synth bass", "finger bass")), volume=118
    )
    _bass(song, bass, rng)

    kit = song.kit(rng.choice(("standard", "room")))
    side = rng.choice(("rim", "snare"))
    hats = rng.choice(("x.o.x.o.x.o.x.o.", "xo.oxo.oxo.oxo.o", "o.x.o.x.o.x.o.x."))
    drop = {"hat": hats, "kick": "....X.......X...", side: "....X.......X..?"}
    groove = rng.choice((
        drop, drop,
        {"hat": hats, "kick": "x...x...x...x...", side: "....X..?....X..."},
        {"hat": hats, "kick": "x.......x..x....", side: "....X.......X..?"},
    ))  # fmt: skip
    bridge = {**groove, "ride": "x...x...x...x...", "hat": "..o...o...o...o."}
    drums.accompany(
        song,
        kit,
        [groove, bridge],
        drums.FILLS["reggae"],
        intro={"rim": "....x.......x.x.", "hat": hats},
        crash="splash",
    )
    if rng.random() < 0.5:
        shaken = song.kit("standard", volume=84)
        shaken.name = "Percussion"
        drums.accompany(
            song,
            shaken,
            [
                {
                    "high bongo": "x..o..x.x..o....",
                    "low bongo": "..........x.x.x.",
                    "shaker": "o.g.o.g.o.g.o.g.",
                }
            ],
            (),
            crash="",
        )

    lead = song.part(
        rng.choice(("accordion", "trombone", "trumpet", "brass section", "tenor sax", "flute", "harmonica")),
        low=55,
        high=84,
        volume=100,
        pan=60,
        name="Tune",
    )
    theme = Theme(song.rng("theme"), 4, _TUNES, _CLOSES, reach=3)
    scale = key_scale(song, "dorian") if minor and rng.random() < 0.4 else key_scale(song)
    if rng.random() < 0.4:
        scale = plain_scale(song, f"{key.mode} pentatonic")
    second = (
        song.part(
            rng.choice(("trombone", "tenor sax")), low=48, high=74, volume=84, pan=78, name="Second horn"
        )
        if rng.random() < 0.5
        else None
    )
    low, high = (57, 72) if lead.program in (57, 66) else (62, 79)
    for section in song.body():
        tones = sing(
            song,
            theme,
            section,
            low,
            high,
            scale=scale,
            closing=section.last,
            ornament=0.5 * (section.number > 0),
        )
        perform(lead, tones, 90, legato=0.85)
        if second:
            perform(second, harmony_line(song, tones, 50, 72), 80, legato=0.85)
    final = voice(song.at(song.beat(song.ending.bar)), 55, 74, 3)
    song.last_chord(guitar, final, 84, strum=0.03)
    if organ or piano:
        song.last_chord(organ or guitar, final, 74)
    song.final_bass(bass, 104, low=28, high=40)
    start = song.beat(song.ending.bar)
    lead.play(start, 2.5, nearest(key.tonic, (low + high) / 2 + 3, lead.low, lead.high), 88)
    drums.final_hit(song, kit, crash="splash")
    return song.finish()
