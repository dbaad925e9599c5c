"""Metal: low palm-muted riffs on two distorted guitars, double kick, and a fast lead in dark scales."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, fitted, nearest, pitches
from assistant.symbolic.rules.melody import Theme, harmony_line, key_scale, perform, sing
from assistant.symbolic.rules.song import Part, Section, Song

_RIFFS = (
    "i | i | bVI | bVII", "i | bII | i | bVII", "i | i | bIII bII | i", "i | bVI | bIII | bVII",
    "i | i bII | i | bVI bVII", "i | iv | bVI | V",
)  # fmt: skip
_SLOW = ("i | bVI | iv | V", "i | bII | bVII | i", "bVI | bVII | i | i")
# Sixteenths of the right hand: gallop, reverse gallop, straight, syncopated.
_CHUGS = (
    "x.xxx.xxx.xxx.xx",
    "xxx.xxx.xxx.xxx.",
    "xxxxxxxxxxxxxxxx",
    "x..x..x.x..x..xx",
    "xxx.x.xxx.xxx.x.",
    "x.x.xxx.x.x.xxxx",
)
_LINES = ("x-x-x-x-", "x--xx-x-", "xxxxx---", "x---x-x-")
_CLOSES = ("x---x---", "x-------", "x-x-x---")


def _guitars(song: Song, left: Part, right: Part, bass: Part, kit: Part, rng: random.Random) -> None:
    """Both guitars and the bass play one riff; the double kick goes with the right hand."""
    patterns = rng.sample(_CHUGS, 2)
    strokes = [place for place in range(2, 16) if patterns[0][place] == "x"]
    accents = sorted(rng.sample(strokes, 3))
    climb = [rng.choice((1, 3, 5, 6, 7, 10)) for _ in accents]
    lowest = nearest(song.key.tonic, 40, 36, 47)
    for section in song.sections:
        if section.name == "ending":
            continue
        steps = patterns[section.name == "B"]
        slow = section.name in ("B", "intro")
        for bar in range(section.bar, section.bar + section.bars):
            for span in song.spans(bar):
                root = nearest(span.chord.root, lowest + 3, 36, 48)
                if slow and section.name == "intro":
                    for part in (left, right):
                        part.chord(span.start, span.length * 0.96, (root, root + 7, root + 12), 100)
                    bass.play(
                        span.start, span.length * 0.95, root - 12 if root - 12 >= bass.low else root, 98
                    )
                    continue
                for place in range(int(span.length * 4)):
                    if steps[place % 16] != "x":
                        continue
                    when = span.start + place / 4
                    figure = place in accents and (bar - section.bar) % 2 == 1
                    power = place == 0 or figure
                    pitch = root + (climb[accents.index(place)] if figure else 0)
                    scale = fitted(song.key.scale("phrygian"), span.chord)
                    pitch = min(pitches(scale, 36, 62), key=lambda p: (abs(p - pitch), p))
                    for part in (left, right):
                        if power:
                            part.chord(when, 0.45, (pitch, pitch + 7), 104)
                        else:
                            part.play(when, 0.17, pitch, 86)
                    bass.play(
                        when, 0.22, pitch - 12 if pitch - 12 >= bass.low else pitch, 100 if power else 88
                    )
                    if not slow:
                        kit.hit(when, "kick", 106 if place % 4 == 0 else 90)


def _lead(
    song: Song, part: Part, second: Part | None, section: Section, theme: Theme, rng: random.Random
) -> None:
    if section.name == "B" and rng.random() < 0.7:
        # A run of sixteenths through the scale, turning at each chord.
        for bar in range(section.bar, section.bar + section.bars):
            for span in song.spans(bar):
                ladder = pitches(fitted(song.key.scale("harmonic"), span.chord), 62, 88)
                home = ladder.index(nearest(span.chord.root, 72, 62, 88))
                shape = rng.choice(((0, 1, 2, 3), (0, 2, 1, 3), (3, 2, 1, 0), (0, 2, 4, 2)))
                drift = rng.choice((1, -1))
                for place in range(int(span.length * 4) - 1):
                    step = home + shape[place % 4] + drift * (place // 4)
                    part.play(
                        span.start + place / 4, 0.24, ladder[step % len(ladder)], 94 if place % 4 == 0 else 82
                    )
        return
    tones = sing(
        song,
        theme,
        section,
        64,
        86,
        scale=key_scale(song, "harmonic" if rng.random() < 0.4 else "minor"),
        closing=section.last,
        ornament=0.3 * section.number,
    )
    perform(part, tones, 96)
    if second:
        perform(second, harmony_line(song, tones, 57, 82), 88)


def compose(seed: int, seconds: float) -> Piece:
    """A metal piece."""
    rng = random.Random(f"musichelper metal {seed} frame")
    tempo = rng.randint(132, 192)
    key = Key(rng.choice(("E", "D", "C", "F#", "B", "C#", "A")), "minor")
    song = Song("metal", seed, seconds, tempo=tempo, key=key, letters=rng.choice(("AAB", "AABA", "ABA")))
    song.harmonise(
        {"A": rng.choice(_RIFFS), "B": rng.choice(_SLOW)}, cadence=rng.choice(("bVI bVII", "V", "bII"))
    )
    left = song.part("distortion guitar", high=64, volume=92, pan=18, name="Guitar left")
    right = song.part(
        rng.choice(("distortion guitar", "distortion guitar", "overdriven guitar")),
        high=64,
        volume=92,
        pan=110,
        name="Guitar right",
    )
    bass = song.part("pick bass", volume=100)
    kit = song.kit("power" if rng.random() < 0.8 else "room", volume=110)
    _guitars(song, left, right, bass, kit, rng)
    cymbal = rng.choice(("hat", "ride", "china", "crash 2"))
    beat = rng.choice(({"snare": "..X...X."}, {"snare": "....X..."}, {"snare": ".x.x.x.x"}))
    grooves = [
        {cymbal: "x.x.x.x.", **beat},
        {"china": "x.x.x.x.", "snare": "....X...", "kick": "x..x.x.xx.xxx.xx"},
    ]
    drums.accompany(
        song,
        kit,
        grooves,
        drums.FILLS["metal"],
        intro={"crash 2": "X...x...", "kick": "x...x...", "floor tom": "..xx..xx"},
    )
    lead = song.part(
        rng.choice(("distortion guitar", "overdriven guitar", "saw lead")),
        low=60,
        high=90,
        volume=98,
        pan=60,
        name="Lead guitar",
    )
    twin = (
        song.part("distortion guitar", low=55, high=86, volume=84, pan=74, name="Second lead")
        if rng.random() < 0.4
        else None
    )
    choir = (
        song.part(rng.choice(("choir", "strings")), volume=76, name="Choir") if rng.random() < 0.25 else None
    )
    theme = Theme(song.rng("theme"), 4, _LINES, _CLOSES, reach=5)
    sections = song.body()
    # The first section belongs to the riff alone where there is room for it.
    for section in sections[1:] if len(sections) > 2 else sections:
        _lead(song, lead, twin, section, theme, song.rng(f"lead {section.bar}"))
    if choir:
        for _section, _bar, span in song.walk():
            choir.chord(
                span.start,
                span.length * 0.97,
                (nearest(span.chord.root, 57, 50, 62), nearest(span.chord.fifth, 62, 52, 68)),
                70,
            )
    root = nearest(key.tonic, 40, 36, 47)
    for part in (left, right):
        song.last_chord(part, (root, root + 7, root + 12), 110)
    song.final_bass(bass, 104, low=26, high=38)
    start = song.beat(song.ending.bar)
    lead.play(start, song.end - start - 0.5, nearest(key.tonic, 76, lead.low, lead.high), 98)
    drums.final_hit(song, kit, velocity=116)
    return song.finish()
