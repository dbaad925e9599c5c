"""Rock: a riff on the overdriven guitar, power chords, a driving bass and a loud backbeat."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, perform, plain_scale, rhythm, sing
from assistant.symbolic.rules.song import Part, Song

_MAJOR = ("I | I | bVII | IV", "I | IV | V | IV", "I | bVII | IV | I", "I | I | IV | V", "I | vi | IV | V")
_MINOR = (
    "i | bVI | bVII | i",
    "i | i | bIII bVII | IV",
    "i | bVII | bVI | bVII",
    "i | bIII | bVII | iv",
    "i | i | bVI bVII | i",
)
_BRIDGE = ("IV | IV | V | V", "vi | IV | I | V")
_BRIDGE_MINOR = ("bVI | bVII | i | i", "iv | bVI | bVII | V")
_RIFFS = ("x-xx-xx-", "x.xx.xx.", "xx.xx-xx", "x--xx-x-", "xxx-xxx-", "x-x-xxxx")
_HOOKS = ("x-x-x-x-", "x--xx---", "..xxx-x-", "x-xxx---", ".xx-x-xx", "x---xxx-")
_CLOSES = ("x-x-x---", "xx--x---", "x-------")


def _riff(song: Song, part: Part, second: Part | None, rng: random.Random) -> None:
    """A pentatonic figure low on the guitar, the same rhythm on each chord's root."""
    steps = rhythm(rng.choice(_RIFFS), 4)
    contour = [0] + [rng.choice((0, 0, 3, 5, 7, 10, 12, -2)) for _ in steps[1:]]
    for section in song.body():
        chug = section.name == "B"
        for bar in range(section.bar, section.bar + section.bars):
            for span in song.spans(bar):
                root = nearest(span.chord.root, 43, 40, 52)
                if chug:
                    for i in range(int(span.length * 2)):
                        power = (root, root + 7, root + 12) if i % 4 == 0 else (root, root + 7)
                        part.chord(span.start + i / 2, 0.46, power, 94 if i % 2 == 0 else 80)
                        if second:
                            second.chord(span.start + i / 2, 0.46, power, 88 if i % 2 == 0 else 74)
                    continue
                for (offset, length), step in zip(steps, contour, strict=True):
                    if offset >= span.length:
                        continue
                    when = span.start + offset
                    scale = song.key.scale(
                        "minor pentatonic" if song.key.mode == "minor" else "major pentatonic"
                    )
                    if step in (0, 12):
                        part.chord(when, length * 0.9, (root, root + 7), 96 if offset == 0 else 86)
                    else:
                        near = min(
                            pitches(scale, root - 3, root + 14), key=lambda p: (abs(p - root - step), p)
                        )
                        part.play(when, length * 0.9, near, 90)
                if second:  # the second guitar lets the chords ring
                    second.chord(span.start, span.length * 0.95, (root, root + 7, root + 12), 86, strum=0.02)


def _bass(song: Song, part: Part, rng: random.Random) -> None:
    before = 38.0
    style = rng.choice(("eighths", "push", "root and fifth"))
    for section, _bar, span in song.walk():
        root = nearest(span.chord.root, before, 28, 41)
        before = (root + 35) / 2
        if section.name == "intro":
            part.play(span.start, span.length * 0.9, root, 88)
            continue
        for i in range(int(span.length * 2)):
            if style == "push" and i % 4 == 1:
                continue
            pitch = root
            if style == "root and fifth" and i % 8 in (5, 6):
                pitch = root + 7
            if i == 7 and rng.random() < 0.4:
                pitch = root - 2 if root - 2 >= 26 else root + 10
            part.play(span.start + i / 2, 0.46, pitch, 96 if i % 2 == 0 else 84)


def _organ(song: Song, part: Part) -> None:
    before: tuple[int, ...] = ()
    for section, _bar, span in song.walk(ending=True):
        before = voice(span.chord, 55, 74, 3, before)
        if section.name != "intro":
            part.chord(span.start, span.length * 0.97, before, 78)


def compose(seed: int, seconds: float) -> Piece:
    """A rock song."""
    rng = random.Random(f"musichelper rock {seed} frame")
    tempo = rng.randint(104, 156)
    minor = rng.random() < 0.45
    key = Key(
        rng.choice(("E", "A", "D", "B", "G", "F#") if minor else ("E", "A", "D", "G", "C", "B")),
        "minor" if minor else "major",
    )
    song = Song("rock", seed, seconds, tempo=tempo, key=key, letters=rng.choice(("AAB", "ABA", "AABA")))
    song.harmonise(
        {"A": rng.choice(_MINOR if minor else _MAJOR), "B": rng.choice(_BRIDGE_MINOR if minor else _BRIDGE)},
        cadence=rng.choice(("bVI bVII", "bVII") if minor else ("IV V", "bVII IV", "V")),
    )
    rhythm_name = rng.choice(("overdriven guitar", "overdriven guitar", "distortion guitar"))
    guitar = song.part(rhythm_name, volume=92, pan=30, name="Riff guitar")
    second = song.part(
        rng.choice(("overdriven guitar", "clean guitar", "steel guitar")),
        volume=78,
        pan=98,
        name="Rhythm guitar",
    )
    _riff(song, guitar, second, rng)
    bass = song.part(rng.choice(("pick bass", "finger bass")), volume=104)
    _bass(song, bass, rng)
    keys = None
    if rng.random() < 0.5:
        keys = song.part(rng.choice(("rock organ", "piano", "drawbar organ")), volume=78, pan=76)
        _organ(song, keys)

    kit = song.kit(rng.choice(("room", "standard", "power")), volume=110)
    kick = rng.choice(("x...x..x", "x..xx...", "x..x.x..", "x...xx.."))
    grooves = [
        {"hat": "xoxoxoxo", "snare": "..X...X.", "kick": kick},
        {rng.choice(("ride", "crash 2")): "x.x.x.x.", "snare": "..X...X.", "kick": "x.xxx..x"},
    ]
    drums.accompany(
        song,
        kit,
        grooves,
        drums.FILLS["rock"],
        intro={"hat": "x.x.x.x.", "kick": "x...x...", "snare": "......x."},
    )

    lead = song.part(
        rng.choice(("overdriven guitar", "distortion guitar", "saw lead", "synth voice", "tenor sax")),
        low=60,
        high=86,
        volume=100,
        pan=64,
        name="Lead",
    )
    theme = Theme(song.rng("theme"), 4, _HOOKS, _CLOSES, reach=4)
    scale = plain_scale(song, "minor pentatonic" if minor else "major pentatonic")
    for section in song.body():
        tones = sing(
            song,
            theme,
            section,
            62,
            81,
            scale=scale,
            closing=section.last,
            ornament=0.4 * min(section.number, 2),
            lift=2 * (section.name == "B"),
        )
        perform(lead, tones, 92, grace=0.25, rng=song.rng(f"grace {section.bar}"))
    start = song.beat(song.ending.bar)
    root = nearest(key.tonic, 43, 40, 52)
    for part in (guitar, second):
        song.last_chord(part, (root, root + 7, root + 12), 98, strum=0.02)
    song.final_bass(bass, 98)
    lead.play(start, song.end - start - 0.5, nearest(key.tonic, 74, lead.low, lead.high), 96)
    drums.final_hit(song, kit)
    return song.finish()
