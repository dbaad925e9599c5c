"""Drum patterns written as steps, with variation, fills and crashes."""

from __future__ import annotations

import random
from collections.abc import Sequence

from assistant.symbolic.rules.song import Part, Section, Song

# One bar a string: X accent, x stroke, o light, g ghost, ? perhaps, . rest.
Groove = dict[str, str]
_STROKES = {"X": 114.0, "x": 96.0, "o": 74.0, "g": 44.0, "?": 52.0}


def play_bar(
    part: Part,
    rng: random.Random,
    start: float,
    beats: float,
    groove: Groove,
    *,
    until: float = 1e9,
    level: float = 1.0,
) -> None:
    """One bar of a groove, up to `until` beats into it."""
    for drum, steps in groove.items():
        step = beats / len(steps)
        for place, sign in enumerate(steps):
            if sign == "." or place * step >= until or (sign == "?" and rng.random() < 0.5):
                continue
            part.hit(start + place * step, drum, _STROKES[sign] * level)


# Fills over the last two beats: each string is one drum on sixteenths (or triplets, by its length).
FILLS: dict[str, tuple[Groove, ...]] = {
    "rock": (
        {"snare": "xxxx....", "high tom": "....xx..", "floor tom": "......xx"},
        {"snare": "x.xx..x.", "high tom": "....x...", "mid tom": ".....x..", "floor tom": "......xX"},
        {"snare": "X.x.xxxX"},
        {"high tom": "xx......", "mid tom": "..xx....", "low tom": "....xx..", "floor tom": "......xx",
            "kick": "x...x..."},
    ),
    "shuffle": (
        {"snare": "x.xxxX"},
        {"snare": "xx....", "high tom": "..xx..", "floor tom": "....xx"},
        {"snare": "o.xo.X", "kick": "x..x.."},
    ),
    "light": ({"rim": "..x.x.x."}, {"snare": "....g.oo"}, {"snare": "..g.o.x.", "kick": "x......."}),
    "disco": (
        {"snare": "x.xxx.xx", "kick": "x...x...", "open hat": "......x."},
        {"snare": "....xxxx", "kick": "x...x...", "clap": "....x..."},
        {"high tom": "x.x.....", "mid tom": "....x.x.", "kick": "x...x...", "snare": ".......x"},
    ),
    "hiphop": ({"kick": "x..x....", "snare": "....x.gx"}, {"snare": "..x...xx"}, {"kick": "x.x.....",
    "snare": "....X..."}),
    "metal": (
        {"snare": "xxxxxxxx", "kick": "xxxxxxxx"},
        {"snare": "xx......xx......", "high tom": "..xx......xx....", "floor tom": "....xxxx....xxxx",
            "kick": "x.x.x.x.x.x.x.x."},
        {"high tom": "xx......", "mid tom": "..xx....", "floor tom": "....xxxx", "kick": "xxxxxxxx"},
    ),
    "reggae": (
        {"high timbale": "x..x....", "low timbale": "....x.x.", "kick": "......x."},
        {"snare": "xxx..x..", "high tom": "......x.", "floor tom": ".......x"},
        {"rim": "..xx.x..", "snare": "......xX"},
    ),
}  # fmt: skip


def accompany(
    song: Song,
    part: Part,
    grooves: Sequence[Groove],
    fills: Sequence[Groove],
    *,
    intro: Groove | None = None,
    crash: str = "crash",
    fill_beats: float = 2.0,
    only: Sequence[Section] | None = None,
) -> None:
    """Drums through the whole form but the ending: the first groove for A, the second for B, a fill at each
    section's end and a crash at the next one's beginning; the even bars keep the groove's light variation."""
    rng = song.rng("drums")
    beats = song.bar_beats
    for section in only if only is not None else song.sections:
        if section.name == "ending":
            continue
        groove = grooves[("ABC".find(section.name)) % len(grooves)] if section.name in "ABC" else grooves[0]
        if section.name == "intro" and intro is not None:
            groove = intro
        for bar in range(section.bar, section.bar + section.bars):
            start = song.beat(bar)
            is_last = bar == section.bar + section.bars - 1
            filled = is_last and bool(fills) and (section.last or rng.random() < 0.85)
            play_bar(part, rng, start, beats, groove, until=beats - fill_beats if filled else 1e9)
            if filled:
                fill(part, rng, start + beats - fill_beats, fill_beats, rng.choice(list(fills)), song)
            if crash and bar == section.bar and bar > 0 and section.name != "intro":
                part.hit(start, crash, 100)


def fill(part: Part, rng: random.Random, start: float, beats: float, steps: Groove, song: Song) -> None:
    """A fill that grows towards its end; steps in threes are triplets, which swing leaves alone."""
    for drum, signs in steps.items():
        step = beats / len(signs)
        triplets = len(signs) % 3 == 0
        for place, sign in enumerate(signs):
            if sign == ".":
                continue
            when = start + place * step
            growth = 0.84 + 0.2 * place / len(signs)
            part.hit(song.straight(when) if triplets else when, drum, _STROKES[sign] * growth)


def final_hit(song: Song, part: Part, *, crash: str = "crash", velocity: float = 108) -> None:
    """Kick and cymbal on the first beat of the ending."""
    start = song.beat(song.ending.bar)
    part.hit(start, "kick", velocity)
    if crash:
        part.play(
            start,
            song.end - start - 0.25,
            {"crash": 49, "ride": 51, "splash": 55, "china": 52}[crash],
            velocity,
        )
