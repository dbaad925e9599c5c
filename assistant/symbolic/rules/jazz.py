"""Jazz: walking bass, ride and comping; a head from a motif, then a solo line from the chord scales."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Chord, Key, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, Tone, key_scale, perform, sing
from assistant.symbolic.rules.song import Part, Section, Song

_MAJOR = (
    "ii7 | V7 | Imaj7 | VI7", "Imaj7 VI7 | ii7 V7 | iii7 VI7 | ii7 V7", "Imaj7 | vi7 | ii7 | V7",
    "ii7 | V13 | Imaj7 | Imaj7",
    "Imaj7 | iv7 bVII7 | iii7 VI7 | ii7 V7", "iii7 | VI7 | ii7 | V7",
)  # fmt: skip
_MINOR = (
    "ii7b5 | V7b9 | i7 | i7",
    "i7 | iv7 | ii7b5 | V7b9",
    "iv7 | bVII7 | bIIImaj7 | bVImaj7",
    "i6 | ii7b5 V7b9 | i6 | ii7b5 V7b9",
)
_BRIDGE = ("IVmaj7 | iv7 bVII7 | Imaj7 | ii7 V7", "III7 | VI7 | II7 | V7", "vi7 | II7 | ii7 | V7")
_BRIDGE_MINOR = ("iv7 | bVII7 | bIIImaj7 | V7b9", "bVImaj7 | ii7b5 | V7b9 | i7")
_HEADS = ("x-xx-x-.", ".xxx-x-.", "x--xxx--", ".x-xx-x-", "x-x--x-x", "xx.x--x-")
_HEADS_3 = ("x-xx-x", ".xx-x-", "x--xxx", "x-x-xx")
_CLOSES = ("xx------", ".x-x----", "x--x----")
_CLOSES_3 = ("xx----", "x-----")


def _walk(song: Song, part: Part, rng: random.Random) -> None:
    """Quarter notes: the root on the chord, chord or scale tones between, a step into the next root."""
    place = 40
    spans = list(song.walk())
    for i, (_section, _bar, span) in enumerate(spans):
        after = spans[i + 1][2].chord if i + 1 < len(spans) else song.at(song.end - 0.5)
        root = nearest(span.chord.root, (place + 36) / 2, part.low, 46)
        beats = int(span.length)
        goal = nearest(after.root, (root + 38) / 2, part.low, 46)
        line = [root]
        inner = (
            pitches(span.chord.tones, part.low, 51)
            if rng.random() < 0.6
            else pitches(span.chord.scale(), part.low, 51)
        )
        direction = 1 if goal >= root else -1
        if rng.random() < 0.3 and part.low + 5 < root < 42:
            direction = -direction
        while len(line) < beats - 1:
            onward = [p for p in inner if 0 < (p - line[-1]) * direction <= 5]
            if not onward:
                direction = -direction
                onward = [p for p in inner if 0 < (p - line[-1]) * direction <= 5] or [line[-1]]
            line.append(rng.choice(onward[:2] if direction > 0 else onward[-2:]))
        if beats > 1:
            line.append(goal + rng.choice((-1, 1, -1, 2 if goal < 50 else -2)))
        for beat, pitch in enumerate(line):
            part.play(span.start + beat, 0.92, pitch, 92 if beat % 2 == 0 else 96)
            if rng.random() < 0.08:
                part.play(span.start + beat + 0.5, 0.35, pitch, 60)
        place = line[-1]


def _bossa_bass(song: Song, part: Part) -> None:
    before = 40.0
    for _section, _bar, span in song.walk():
        root = nearest(span.chord.root, before, 31, 46)
        fifth = root + (nearest(span.chord.fifth, root + 7, root, root + 12) - root)
        before = (root + 39) / 2
        for hit, length, pitch in ((0.0, 1.4, root), (1.5, 0.5, fifth), (2.0, 1.4, fifth), (3.5, 0.5, root)):
            if hit < span.length:
                part.play(span.start + hit, length, pitch, 90)


def _comp(song: Song, part: Part, rng: random.Random, bossa: bool) -> None:
    before: tuple[int, ...] = ()
    cells = ((0.0, 1.5), (1.5,), (0.0, 2.5), (0.5, 3.0), (1.0, 2.5), (1.5, 3.5))
    for section, _bar, span in song.walk():
        richer = {"7": "9", "m7": "m9", "maj7": "maj9"}.get(span.chord.quality, span.chord.quality)
        over = Chord(span.chord.root, richer, span.chord.bass)
        before = voice(over, 52, 70, 4 if section.name != "intro" else 3, before)
        hits = (0.0, 1.0, 2.5, 3.5) if bossa else rng.choice(cells)
        for hit in hits:
            if hit < span.length:
                part.chord(
                    span.start + hit,
                    rng.choice((0.35, 0.35, 1.2)),
                    before,
                    66 + 6 * (hit % 1 > 0),
                    strum=0.01,
                )


def solo(song: Song, section: Section, low: int, high: int, rng: random.Random) -> list[Tone]:
    """Phrases of eighths that run through the chord scales and reach a chord tone on each strong beat."""
    tones: list[Tone] = []
    now = song.beat(section.bar) + rng.choice((0.0, 0.5, 1.0))
    end = song.beat(section.bar + section.bars)
    pitch = nearest(song.at(now).third, (low + high) / 2, low, high)
    direction = rng.choice((1, -1))
    while now < end - 0.5:
        notes = rng.choice((5, 7, 8, 9, 11, 12))
        for count in range(notes):
            if now >= end - 0.5:
                break
            long = count == notes - 1
            tones.append(
                Tone(
                    now,
                    rng.choice((0.5, 1.0)) if long else 0.5,
                    pitch,
                    0.8 if now % 2 == 0 else 0.3 if now % 1 else 0.0,
                )
            )
            upcoming = song.at(now + 0.5)
            strong = (now + 0.5) % 2 == 0
            if pitch >= high - 3:
                direction = -1
            elif pitch <= low + 3:
                direction = 1
            elif rng.random() < 0.12:
                direction = -direction
            ladder = pitches(upcoming.tones if strong or rng.random() < 0.25 else upcoming.scale(), low, high)
            ahead = [p for p in ladder if 0 < (p - pitch) * direction <= (5 if strong else 7)]
            if not ahead:
                direction = -direction
                ahead = [p for p in ladder if 0 < (p - pitch) * direction <= 7] or ladder
            step = min(ahead, key=lambda p: (abs(p - pitch), p)) if rng.random() < 0.8 else rng.choice(ahead)
            # A chromatic approach from the other side, now and then, just before a strong beat.
            if (now + 1.0) % 2 == 0 and rng.random() < 0.3:
                goal = min(pitches(song.at(now + 1.0).tones, low, high), key=lambda p: (abs(p - step), p))
                step = goal - direction
            pitch = min(max(step, low), high)
            now += 0.5
        now += rng.choice((0.5, 1.0, 1.5, 1.5, 2.0))
    return tones


def compose(seed: int, seconds: float) -> Piece:
    """A jazz tune: swing, waltz or bossa nova."""
    rng = random.Random(f"musichelper jazz {seed} frame")
    kind = rng.choice(("swing", "swing", "swing", "swing", "waltz", "bossa"))
    tempo = {"swing": rng.randint(112, 208), "waltz": rng.randint(120, 176), "bossa": rng.randint(112, 148)}[
        kind
    ]
    minor = rng.random() < 0.35
    key = Key(
        rng.choice(("C", "D", "G", "F", "A", "Bb") if minor else ("F", "Bb", "Eb", "C", "Ab", "G", "Db")),
        "minor" if minor else "major",
    )
    waltz, bossa = kind == "waltz", kind == "bossa"
    swing = 0.5 if bossa else 0.66 if tempo < 150 else 0.6
    song = Song(
        "jazz",
        seed,
        seconds,
        tempo=tempo,
        key=key,
        meter=(3, 4) if waltz else (4, 4),
        letters=rng.choice(("AAB", "AABA")),
        swing=swing,
    )
    song.harmonise(
        {"A": rng.choice(_MINOR if minor else _MAJOR), "B": rng.choice(_BRIDGE_MINOR if minor else _BRIDGE)},
        cadence="ii7b5 V7b9" if minor else "ii7 V7",
        tonic=rng.choice(("i6", "m9")).replace("m9", "i9")
        if minor
        else rng.choice(("Imaj9", "6")).replace("6", "I6"),
    )
    bass = song.part("acoustic bass", volume=98)
    if bossa:
        _bossa_bass(song, bass)
    else:
        _walk(song, bass, rng)
    comp_name = rng.choice(
        ("nylon guitar",) if bossa else ("piano", "piano", "jazz guitar", "vibraphone", "electric piano")
    )
    comp = song.part(comp_name, volume=84, pan=84, name="Comping")
    _comp(song, comp, rng, bossa)

    kit = song.kit("brush" if tempo < 132 and rng.random() < 0.6 else "jazz", volume=104)
    if bossa:
        grooves = [{"hat": "oooooooo", "rim": "x..x..x...x..x..", "kick": "x..xx..x"}]
    elif waltz:
        grooves = [
            {"ride": "x.xox.", "pedal hat": "..x...", "kick": "o.....", "snare": "...?.g"},
            {"ride": "x.x.xo", "pedal hat": "..x.x.", "snare": ".?...g"},
        ]
    else:
        grooves = [
            {"ride": "x.xox.xo", "pedal hat": "..x...x.", "kick": "o...?...", "snare": "...?...?"},
            {"ride": "x.xox.xo", "pedal hat": "..x...x.", "snare": ".?.g.?.g", "kick": "?..?...?"},
        ]
    drums.accompany(
        song,
        kit,
        grooves,
        drums.FILLS["light"] if bossa or waltz else drums.FILLS["shuffle"],
        intro={
            "pedal hat": "..x...x." if not waltz else "..x...",
            "ride": "x...x..." if not waltz else "x.....",
        },
        crash="",
    )

    names = (
        "tenor sax",
        "alto sax",
        "trumpet",
        "muted trumpet",
        "clarinet",
        "flute",
        "vibraphone",
        "jazz guitar",
        "soprano sax",
        "piano",
    )
    lead = song.part(rng.choice([n for n in names if n != comp_name]), volume=104, pan=58, name="Soloist")
    low, high = {66: (52, 74), 65: (56, 79), 56: (58, 80), 59: (60, 80), 71: (55, 80)}.get(
        lead.program, (60, 84)
    )
    theme = Theme(
        song.rng("theme"),
        song.bar_beats,
        _HEADS_3 if waltz else _HEADS,
        _CLOSES_3 if waltz else _CLOSES,
        reach=4,
    )
    body = song.body()
    head_from = 1 if len(body) <= 2 else 2
    for i, section in enumerate(body):
        if i < head_from or (section.last and len(body) > 3):
            tones = sing(
                song,
                theme,
                section,
                low,
                high,
                scale=key_scale(song),
                closing=section.last,
                ornament=0.3 * section.number,
                name="head",
            )
        else:
            tones = solo(song, section, low, high, song.rng(f"solo {section.bar}"))
        perform(lead, tones, 86, legato=0.9, grace=0.15, rng=song.rng(f"grace {section.bar}"))
    start = song.beat(song.ending.bar)
    final = song.at(start)
    song.last_chord(comp, voice(final, 52, 74, 4), 76, strum=0.06)
    song.final_bass(bass, 90, low=28, high=41)
    lead.play(
        start, song.end - start - 0.5, nearest(final.tones[-1], (low + high) / 2 + 4, lead.low, lead.high), 84
    )
    drums.final_hit(song, kit, crash="ride", velocity=88)
    return song.finish()
