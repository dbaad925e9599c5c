"""Country: boom-chick or train beat, alternating bass, strummed strings, and a fiddle, banjo or guitar."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, harmony_line, key_scale, perform, plain_scale, sing
from assistant.symbolic.rules.song import Part, Song

_CHANGES = (
    "I | I | IV | I",
    "I | IV | V | I",
    "I | IV | I | V",
    "I | vi | IV | V",
    "I | I | V | V",
    "I | II7 | V7 | I",
    "I | V | IV | I",
)
_BRIDGE = ("IV | I | II7 | V7", "IV | IV | I | V", "vi | IV | I | V7")
_TUNES = ("x-x-xxx-", "x-xxx-x-", "xxx-x-x-", "x--xx-xx", "x-x-x-xx", "xx-xxx--")
_TUNES_3 = ("x---x-", "x-x-x-", "x-xxx-", "x--xx-", "xx--x-")
_CLOSES = ("x-x-x---", "x-------", "xxx-x---")
_CLOSES_3 = ("x-----", "x---..", "x-x---")


def _bass(song: Song, part: Part, rng: random.Random) -> None:
    """Root and fifth in turn, with a walk up or down into the next chord."""
    before = 40.0
    waltz = song.bar_beats == 3
    spans = list(song.walk())
    for place, (_section, bar, span) in enumerate(spans):
        after = spans[place + 1][2].chord.root if place + 1 < len(spans) else song.key.tonic
        root = nearest(span.chord.root, before, 31, 44)
        fifth = root - 5 if root - 5 >= 28 else root + 7
        before = (root + 39) / 2
        if waltz:
            same = place > 0 and spans[place - 1][2].chord.root == span.chord.root
            part.play(span.start, 0.9, fifth if same and bar % 2 else root, 94)
            if after != span.chord.root and span.length == 3 and rng.random() < 0.5:
                goal = nearest(after, root, 31, 44)
                ladder = pitches(song.key.scale("major"), 28, 50)
                step = (
                    max(p for p in ladder if p < goal) if goal > root else min(p for p in ladder if p > goal)
                )
                part.play(span.start + 2, 0.9, step, 80)
            continue
        part.play(span.start, 0.9, root, 96)
        if span.length >= 4 and after != span.chord.root and rng.random() < 0.6:
            goal = nearest(after, root, 28, 50)
            up = goal > root
            ladder = [p for p in pitches(song.key.scale("major"), 28, 52) if (p < goal if up else p > goal)]
            steps = ladder[-2:] if up else list(reversed(ladder[:2]))
            part.play(span.start + 1, 0.9, fifth, 84)
            for i, pitch in enumerate(steps):
                part.play(span.start + 2 + i, 0.9, pitch, 90)
        elif span.length >= 4:
            part.play(span.start + 2, 0.9, fifth, 92)


def _strum(song: Song, part: Part, lively: bool) -> None:
    before: tuple[int, ...] = ()
    for _section, _bar, span in song.walk():
        before = voice(span.chord, 52, 72, 4, before)
        beats = range(int(span.length))
        for beat in beats:
            back = beat > 0 if song.bar_beats == 3 else beat % 2 == 1
            if back:
                part.chord(span.start + beat, 0.5, before, 84, strum=0.02)
                if lively:
                    part.chord(span.start + beat + 0.5, 0.35, tuple(reversed(before))[:3], 60, strum=0.015)
            elif not back:
                part.play(span.start + beat, 0.5, before[0], 70)


def _roll(song: Song, part: Part, rng: random.Random) -> None:
    """A banjo's roll: eighths (in fast tempo) across three strings, the high drone in between."""
    order = rng.choice(((0, 1, 3, 2, 1, 3, 0, 2), (0, 2, 3, 1, 2, 3, 0, 3), (2, 1, 3, 2, 1, 3, 2, 1)))
    before: tuple[int, ...] = ()
    for section, _bar, span in song.walk():
        if section.name == "intro":
            continue
        before = voice(span.chord, 55, 71, 3, before)
        drone = nearest(
            song.key.tonic if song.key.tonic in span.chord.tones else span.chord.fifth, 74, 67, 80
        )
        strings = (*before, drone)
        for i in range(int(span.length * 4)):
            if i % 2 == 0 or song.tempo < 108:
                part.play(
                    span.start + i / 4, 0.3, strings[order[i % 8] % len(strings)], 76 if i % 4 == 0 else 64
                )


def compose(seed: int, seconds: float) -> Piece:
    """A country song."""
    rng = random.Random(f"musichelper country {seed} frame")
    waltz = rng.random() < 0.2
    tempo = rng.randint(96, 132) if waltz else rng.randint(88, 132)
    key = Key(rng.choice(("G", "D", "A", "C", "E", "F")), "major")
    song = Song(
        "country",
        seed,
        seconds,
        tempo=tempo,
        key=key,
        meter=(3, 4) if waltz else (4, 4),
        letters=rng.choice(("AAB", "ABA", "AABA")),
        swing=rng.choice((0.5, 0.5, 0.58)),
    )
    song.harmonise({"A": rng.choice(_CHANGES), "B": rng.choice(_BRIDGE)}, cadence="V7")
    bass = song.part(rng.choice(("acoustic bass", "finger bass", "acoustic bass")), volume=104)
    _bass(song, bass, rng)
    guitar = song.part(
        "steel guitar" if rng.random() < 0.8 else "nylon guitar", volume=96, pan=40, name="Acoustic guitar"
    )
    _strum(song, guitar, rng.random() < 0.7)
    if rng.random() < 0.45:
        _roll(song, song.part("banjo", volume=88, pan=94), rng)
    elif rng.random() < 0.5:
        pad = song.part(
            rng.choice(("honky-tonk piano", "piano", "accordion", "drawbar organ")), volume=76, pan=88
        )
        before: tuple[int, ...] = ()
        for _section, _bar, span in song.walk():
            before = voice(span.chord, 55, 74, 3, before)
            pad.chord(span.start, span.length * 0.92, before, 66, strum=0.03)

    kit_kind = rng.choice(("brush", "standard", "brush", "none"))
    kit = song.kit("standard" if kit_kind == "none" else kit_kind, volume=92)
    if waltz:
        grooves = [
            {"kick": "x.....", "snare": "..o.o.", "hat": "x.o.o."},
            {"kick": "x.....", "snare": "..x.x.", "ride": "x.x.x."},
        ]
    elif rng.random() < 0.5:  # the train: sixteenths on the snare with accents
        train = {"snare": "googgoxggoogxogo", "kick": "x.......x......."}
        train["snare"] = "g.oxg.oxg.oxg.ox" if rng.random() < 0.5 else "ggxgggxgggxgggxg"
        grooves = [train, {**train, "hat": "..x...x...x...x."}]
    else:
        grooves = [
            {"kick": "x...x...", "rim" if rng.random() < 0.4 else "snare": "..x...x.", "hat": "x.x.x.x."},
            {"kick": "x...x..?", "snare": "..X...X.", "ride": "x.x.x.x."},
        ]
    if kit_kind != "none":
        drums.accompany(
            song,
            kit,
            grooves,
            drums.FILLS["light"],
            intro={"rim": "..x...x." if not waltz else "..x.x."},
            crash="",
        )
    else:  # no drummer: a foot and a shaker
        drums.accompany(
            song,
            kit,
            [
                {"kick": "o.......", "shaker": "o.x.o.x."}
                if not waltz
                else {"kick": "o.....", "shaker": "o.x.x."}
            ],
            (),
            crash="",
        )

    lead = song.part(
        rng.choice(("fiddle", "fiddle", "steel guitar", "harmonica", "clean guitar", "violin", "banjo")),
        low=58,
        high=86,
        volume=104,
        pan=66,
        name="Lead",
    )
    theme = Theme(
        song.rng("theme"),
        song.bar_beats,
        _TUNES_3 if waltz else _TUNES,
        _CLOSES_3 if waltz else _CLOSES,
        reach=4,
    )
    scale = plain_scale(song, "major pentatonic") if rng.random() < 0.5 else key_scale(song)
    double = lead.program in (110, 40, 27, 25)
    for section in song.body():
        tones = sing(
            song,
            theme,
            section,
            64,
            81,
            scale=scale,
            closing=section.last,
            ornament=0.5 * (section.number > 0),
            lift=section.name == "B",
        )
        perform(lead, tones, 90, grace=0.3, rng=song.rng(f"grace {section.bar}"))
        if double and section.number:  # double stops when the tune returns
            perform(lead, [t for t in harmony_line(song, tones, 58, 78) if t.length >= 1], 76)
    steel = (
        song.part("clean guitar", low=55, high=84, volume=74, pan=100, name="Steel")
        if rng.random() < 0.4
        else None
    )
    if steel:
        for section in song.body():
            start = song.beat(section.bar + section.bars - 1) + song.bar_beats - 2
            target = nearest(song.at(start).fifth, 74, 62, 82)
            for i, step in enumerate((-5, -3, 0)):
                steel.play(start + i / 2, 0.5 if i < 2 else 0.9, target + step, 72)
    start = song.beat(song.ending.bar)
    song.last_chord(guitar, voice(song.at(start), 50, 72, 5), 88, strum=0.03)
    song.final_bass(bass)
    lead.play(start, song.end - start - 0.5, nearest(key.tonic, 76, lead.low, lead.high), 88)
    drums.final_hit(song, kit, crash="")
    return song.finish()
