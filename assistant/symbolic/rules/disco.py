"""Disco: four on the floor, open hats between, a bass in octaves, strings above and a scratching guitar."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, harmony_line, key_scale, perform, sing
from assistant.symbolic.rules.song import Part, Song

_MINOR = (
    "i7 | iv7 | bVII | bIIImaj7",
    "i7 | i7 | iv7 | iv7",
    "i7 | bVImaj7 | iv7 | V7",
    "i7 | bVII | bVImaj7 | V7",
    "i7 | IV7 | i7 | IV7",
)
_MAJOR = (
    "Imaj7 | vi7 | ii7 | V7",
    "ii7 | V7 | Imaj7 | vi7",
    "Imaj7 | iii7 | IVmaj7 | V7sus4",
    "IVmaj7 | iii7 | ii7 | V7",
)
_BRIDGE = ("IVmaj7 | V | iii7 | vi7", "ii7 | iii7 | IVmaj7 | V7")
_BRIDGE_MINOR = ("bVImaj7 | bVII | i7 | i7", "iv7 | bVII | bIIImaj7 | V7")
_TUNES = ("x-x-xx-x", "xx-xx-x-", "..x-xxx-", "x--x--x-", "x-xxx-x-", "xxxx-xx-")
_CLOSES = ("x-x-x---", "x---x---", "xx-x----")
_SCRATCHES = ("..x...x...x...x.", "x.xx.xx.x.xx.xx.", "..xx..x...xx..xx", "x..x..x.x..x..x.")


def _bass(song: Song, part: Part, rng: random.Random) -> None:
    style = rng.choice(("octaves", "octaves", "run"))
    before = 36.0
    spans = list(song.walk())
    for place, (section, bar, span) in enumerate(spans):
        root = nearest(span.chord.root, before, 28, 42)
        before = (root + 35) / 2
        if section.name == "intro" and bar == section.bar:
            continue
        after = spans[place + 1][2].chord.root if place + 1 < len(spans) else song.key.tonic
        for i in range(int(span.length * 2)):
            pitch = root + 12 * (i % 2)
            last_beat = i >= span.length * 2 - 2
            if last_beat and after != span.chord.root and rng.random() < 0.6:
                goal = nearest(after, root + 3, 28, 48)
                pitch = goal + (-2 if i % 2 == 0 else -1)
            elif style == "run" and i % 8 in (3, 6):
                pitch = root + (10 if span.chord.minor else 9)
            part.play(span.start + i / 2, 0.34, pitch, 98 if i % 2 == 0 else 86)


def _scratch(song: Song, part: Part, steps: str) -> None:
    before: tuple[int, ...] = ()
    for section, _bar, span in song.walk():
        before = voice(span.chord, 60, 79, 3, before)
        if section.name == "intro":
            continue
        for place in range(int(span.length * 4)):
            if steps[place % 16] == "x":
                part.chord(span.start + place / 4, 0.14, before, 100 if place % 4 == 2 else 86, strum=0.008)


def _strings(song: Song, part: Part, rng: random.Random) -> None:
    """Held chords above, with a run of sixteenths into each new section."""
    before: tuple[int, ...] = ()
    for section, bar, span in song.walk():
        before = voice(span.chord, 64, 84, 3, before)
        hold = span.length
        if (
            bar == section.bar + section.bars - 1
            and span.start + span.length >= song.beat(bar + 1)
            and span.length > 2
        ):
            hold = span.length - 2
            goal = nearest(song.key.tonic, 79, 72, 86)
            ladder = [p for p in pitches(song.key.scale(), 60, 90) if p < goal][-8:]
            for i, pitch in enumerate(ladder):
                part.play(song.beat(bar + 1) - 2 + i / 4, 0.24, pitch, 70 + 2 * i)
        if section.name == "B" and rng.random() < 0.5:
            for hit in (0.0, 0.75, 1.5):
                if hit < hold:
                    part.chord(span.start + hit, 0.4, before, 86)
        else:
            part.chord(span.start, hold * 0.97, before, 72)


def compose(seed: int, seconds: float) -> Piece:
    """A disco track."""
    rng = random.Random(f"musichelper disco {seed} frame")
    tempo = rng.randint(108, 128)
    minor = rng.random() < 0.65
    key = Key(
        rng.choice(("A", "D", "G", "C", "F", "E", "Bb") if minor else ("F", "C", "Bb", "Eb", "Ab", "G")),
        "minor" if minor else "major",
    )
    song = Song("disco", seed, seconds, tempo=tempo, key=key, letters=rng.choice(("AAB", "AABA", "ABA")))
    song.harmonise(
        {"A": rng.choice(_MINOR if minor else _MAJOR), "B": rng.choice(_BRIDGE_MINOR if minor else _BRIDGE)},
        cadence=rng.choice(("V7", "bVI bVII") if minor else ("V7sus4", "ii7 V7")),
        tonic="i7" if minor else "Imaj7",
    )
    bass = song.part(rng.choice(("finger bass", "slap bass", "synth bass", "finger bass")), volume=108)
    _bass(song, bass, rng)
    scratch = song.part(
        rng.choice(("muted guitar", "clean guitar", "clavinet", "muted guitar")),
        volume=86,
        pan=96,
        name="Scratch",
    )
    _scratch(song, scratch, rng.choice(_SCRATCHES))
    strings = song.part(rng.choice(("strings", "synth strings", "strings")), volume=88, pan=40)
    _strings(song, strings, rng)
    keys = song.part(
        rng.choice(("electric piano", "FM piano", "clavinet", "piano")), volume=80, pan=80, name="Keys"
    )
    before: tuple[int, ...] = ()
    pushes = rng.choice(((0.0, 1.5, 3.0), (0.0, 2.5), (0.5, 1.5, 2.5, 3.5)))
    for _section, _bar, span in song.walk():
        before = voice(span.chord, 52, 70, 4, before)
        for hit in pushes:
            if hit < span.length:
                keys.chord(span.start + hit, 0.6, before, 74)

    kit = song.kit(rng.choice(("standard", "electronic", "room", "standard")))
    base = {
        "kick": "X...X...X...X...",
        "open hat": "..x...x...x...x.",
        "hat": rng.choice(("x...x...x...x...", "xx..xx..xx..xx..", "x..ox..ox..ox..o")),
    }
    back = rng.choice(
        ({"snare": "....X.......X..."}, {"clap": "....X.......X...", "snare": "....o.......o..."})
    )
    extra = rng.choice(
        (
            {"tambourine": "o.o.x.o.o.o.x.o."},
            {"cowbell": "x...x...x.x.x..."},
            {"shaker": "ogogogogogogogog"},
            {},
        )
    )
    drums.accompany(
        song,
        kit,
        [{**base, **back}, {**base, **back, **extra}],
        drums.FILLS["disco"],
        intro={"kick": "X...X...X...X...", "hat": "..x...x...x...x."},
    )
    if rng.random() < 0.5:
        congas = song.kit("standard", volume=84)
        congas.name = "Congas"
        drums.accompany(
            song, congas, [{"high conga": "..x..x.x..x..x.x", "low conga": "x..o..o.x..o...."}], (), crash=""
        )

    lead = song.part(
        rng.choice(("brass section", "trumpet", "flute", "voices", "saw lead", "alto sax", "synth brass")),
        low=58,
        high=84,
        volume=98,
        pan=62,
        name="Hook",
    )
    theme = Theme(song.rng("theme"), 4, _TUNES, _CLOSES, reach=4)
    scale = key_scale(song, "dorian" if minor and rng.random() < 0.4 else "")
    second = (
        song.part("trombone", volume=80, pan=70, name="Low brass")
        if lead.program in (56, 61, 65) and rng.random() < 0.6
        else None
    )
    for section in song.body():
        tones = sing(
            song,
            theme,
            section,
            62,
            80,
            scale=scale,
            closing=section.last,
            ornament=0.3 * (section.number > 0),
            lift=2 * (section.name == "B"),
        )
        perform(lead, tones, 90, legato=0.8)
        if second:
            perform(second, harmony_line(song, tones, 50, 70), 80, legato=0.8)
    start = song.beat(song.ending.bar)
    final = song.at(start)
    song.last_chord(strings, voice(final, 64, 84, 4), 84)
    song.last_chord(keys, voice(final, 52, 70, 4), 80)
    song.final_bass(bass, 98)
    lead.play(start, 1.0, nearest(key.tonic, 72, lead.low, lead.high), 96)
    drums.final_hit(song, kit)
    return song.finish()
