"""Pop: four chords that go round, a hook that repeats, and a bright steady beat."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, voice
from assistant.symbolic.rules.melody import Theme, harmony_line, key_scale, perform, plain_scale, sing
from assistant.symbolic.rules.song import Part, Song

_LOOPS = (
    "I | V | vi | IV", "vi | IV | I | V", "I | vi | IV | V", "IV | I | V | vi", "I | IV | vi | V",
    "I | iii | IV | V", "Imaj7 | vi7 | IV | Vsus4", "I | V/3 | vi | IV",
)  # fmt: skip
_MINOR = ("i | bVI | bIII | bVII", "i | bVII | bVI | bVII", "i | iv | bVI | V", "bVI | bVII | i | i")
_BRIDGE = ("IV | V | iii | vi", "ii | IV | I | V", "IV | IV | V | V")
_HOOKS = ("x-xx-xx-", "xxx-x-x-", "x-x-x-xx", ".xxxx-x-", "x--x--x-", "xx-xx-x-", "x-xxx---", "..xxxxx-")
_CLOSES = ("x-x-x---", "x---x---", "xx-x----", "x-------")


def _keys(song: Song, part: Part, style: str) -> None:
    before: tuple[int, ...] = ()
    for section, _bar, span in song.walk():
        before = voice(span.chord, 55, 74, 3, before)
        if section.name == "intro" or style == "pad":
            part.chord(span.start, span.length * 0.97, before, 70, strum=0.02)
        elif style == "quarters":
            for i in range(int(span.length)):
                part.chord(span.start + i, 0.8, before, 78 if i % 2 == 0 else 70)
        elif style == "push":
            for hit, length in ((0.0, 1.4), (1.5, 1.4), (3.0, 0.9)):
                if hit < span.length:
                    part.chord(span.start + hit, length, before, 76)
        elif style == "arpeggio":
            order = (0, 1, 2, 1)
            for i in range(int(span.length * 2)):
                part.play(
                    span.start + i / 2, 0.8, before[order[i % 4] % len(before)], 74 if i % 4 == 0 else 64
                )
        else:  # a strummed guitar: down, down-up, up-down-up
            for hit, down in (
                (0.0, True),
                (1.0, True),
                (1.5, False),
                (2.5, False),
                (3.0, True),
                (3.5, False),
            ):
                if hit < span.length:
                    notes = (*(p - 12 for p in before[:1]), *before) if down else tuple(reversed(before))
                    part.chord(span.start + hit, 0.55, notes, 78 if down else 64, strum=0.02)


def _bass(song: Song, part: Part, style: str) -> None:
    before = 38.0
    for section, _bar, span in song.walk():
        root = nearest(span.chord.bass, before, 28, 43)
        before = (root + 37) / 2
        if section.name == "intro":
            continue
        if style == "long":
            part.play(span.start, min(span.length, 2.4), root, 90)
            if span.length >= 4:
                part.play(span.start + 2.5, 1.4, root, 84)
        elif style == "eighths":
            for i in range(int(span.length * 2)):
                part.play(span.start + i / 2, 0.44, root, 92 if i % 2 == 0 else 80)
        else:
            for hit, jump in ((0.0, 0), (1.5, 0), (2.0, 12), (3.0, 7), (3.5, 0)):
                if hit < span.length:
                    part.play(span.start + hit, 0.45, root + jump, 90)


def compose(seed: int, seconds: float) -> Piece:
    """A pop song."""
    rng = random.Random(f"musichelper pop {seed} frame")
    tempo = rng.randint(92, 132)
    minor = rng.random() < 0.25
    key = Key(
        rng.choice(("A", "E", "D", "B", "F#", "C") if minor else ("C", "G", "D", "F", "A", "Bb", "Eb", "E")),
        "minor" if minor else "major",
    )
    song = Song("pop", seed, seconds, tempo=tempo, key=key, letters=rng.choice(("AAB", "AAB", "ABA", "AABB")))
    song.harmonise(
        {
            "A": rng.choice(_MINOR if minor else _LOOPS),
            "B": "bVI | bVII | i | bIII" if minor else rng.choice(_BRIDGE),
        },
        cadence=rng.choice(("bVI bVII", "bVII") if minor else ("IV V", "V", "ii V")),
    )
    style = rng.choice(("quarters", "push", "arpeggio", "strum"))
    names = {
        "quarters": ("piano", "bright piano", "electric piano"),
        "push": ("piano", "FM piano", "polysynth"),
        "arpeggio": ("FM piano", "polysynth", "clean guitar", "bright piano"),
        "strum": ("steel guitar", "nylon guitar", "clean guitar"),
    }
    chords = song.part(rng.choice(names[style]), volume=90, pan=44, name="Chords")
    _keys(song, chords, style)
    pad = song.part(
        rng.choice(("warm pad", "synth strings", "new age pad", "strings")), volume=70, pan=84, name="Pad"
    )
    _keys(song, pad, "pad")
    bass = song.part(
        rng.choice(("finger bass", "synth bass", "deep synth bass", "fretless bass")), volume=104
    )
    _bass(song, bass, rng.choice(("long", "eighths", "bounce")))

    kit = song.kit(rng.choice(("standard", "electronic", "room", "standard")))
    backbeat = rng.choice(("snare", "clap"))
    four = rng.random() < 0.4
    kick = (
        "x...x...x...x..."
        if four
        else rng.choice(("x.....x.x.......", "x......xx.x.....", "x.....x..xx....."))
    )
    grooves = [
        {
            "hat": rng.choice(
                ("x.o.x.o.x.o.x.o.", "xooxxooxxooxxoox" if tempo < 108 else "x.o.x.o.x.o.x.o.")
            ),
            backbeat: "....X.......X...",
            "kick": kick,
        },
        {
            "hat": "x.x.x.x.x.x.x...",
            "open hat": "..............x.",
            "snare": "....X.......X..g",
            "clap": "....x.......x...",
            "kick": kick,
            "tambourine": "o.o.x.o.o.o.x.o.",
        },
    ]
    drums.accompany(
        song,
        kit,
        grooves,
        drums.FILLS["rock"][:2] if rng.random() < 0.6 else drums.FILLS["hiphop"],
        intro={"hat": "x.......x.......", "shaker": "o.g.o.g.o.g.o.g."},
    )

    lead = song.part(
        rng.choice(
            (
                "square lead",
                "saw lead",
                "voices",
                "synth voice",
                "calliope lead",
                "flute",
                "bright piano",
                "alto sax",
            )
        ),
        low=60,
        high=86,
        volume=106,
        pan=64,
        name="Hook",
    )
    theme = Theme(song.rng("theme"), 4, _HOOKS, _CLOSES, reach=3)
    pentatonic = plain_scale(song, f"{key.mode} pentatonic")
    scale = pentatonic if rng.random() < 0.6 else key_scale(song)
    double = (
        song.part(rng.choice(("voices", "glockenspiel", "synth voice")), volume=76, pan=90, name="Double")
        if rng.random() < 0.5
        else None
    )
    for section in song.body():
        lift = 2 if section.name == "B" else 0
        tones = sing(
            song,
            theme,
            section,
            62,
            81,
            scale=scale,
            closing=section.last,
            ornament=0.35 * (section.number > 0),
            lift=lift,
        )
        perform(lead, tones, 92)
        if double and section.number + (section.name == "B") > 0:
            perform(double, harmony_line(song, tones, 57, 79), 74)
    final = voice(song.at(song.beat(song.ending.bar)), 55, 74, 3)
    song.last_chord(chords, final, 84, strum=0.03)
    song.last_chord(pad, final, 70)
    song.final_bass(bass, 92)
    start = song.beat(song.ending.bar)
    lead.play(start, song.end - start - 0.5, nearest(key.tonic, 74, lead.low, lead.high), 90)
    drums.final_hit(song, kit, velocity=100)
    return song.finish()
