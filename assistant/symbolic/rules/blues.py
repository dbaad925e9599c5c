"""Blues: twelve (or eight, or four) bars of shuffle, walking bass, and a lead that calls and is answered."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Chord, Key, nearest, pitches, voice
from assistant.symbolic.rules.melody import Theme, Tone, perform, plain_scale, sing
from assistant.symbolic.rules.song import Part, Section, Song

_TWELVE = (
    "I7 | I7 | I7 | I7 | IV7 | IV7 | I7 | I7 | V7 | IV7 | I7 | I7 V7",
    "I7 | IV7 | I7 | I7 | IV7 | IV7 | I7 | VI7 | ii7 | V7 | I7 | I7 V7",
    "I7 | IV7 | I7 | I7 | IV7 | IV7 | I7 | I7 | V7 | IV7 | I7 | I7 V7",
)
_TWELVE_MINOR = (
    "i7 | i7 | i7 | i7 | iv7 | iv7 | i7 | i7 | bVI7 | V7 | i7 | i7 V7",
    "i7 | iv7 | i7 | i7 | iv7 | iv7 | i7 | i7 | v7 | iv7 | i7 | V7",
)
_EIGHT = (
    "I7 | V7 | IV7 | IV7 | I7 | V7 | I7 IV7 | I7 V7",
    "I7 | I7 | IV7 | IV7 | I7 | V7 | I7 | I7 V7",
)
_EIGHT_MINOR = ("i7 | i7 | iv7 | iv7 | i7 | V7 | i7 iv7 | i7 V7",)
_FOUR = ("V7 | IV7 | I7 | I7 V7", "I7 | IV7 | I7 | V7")
_FOUR_MINOR = ("bVI7 | V7 | i7 | iv7 V7", "i7 | iv7 | i7 | V7")
_CALLS = ("x-xx--..", "xxx-x-..", ".xx-xx--", "x.xxx---", "xx.xx---", "..xxxx--")
_ANSWERS = (".xxx----", "x-x-----", "xxxx----", ".x-x----")
_TURNS = ("xxxx.xx-", "x-xxx---", ".xxxxx--")


def _sections(bars: int) -> tuple[list[Section], int]:
    """Choruses as near to the wanted length as whole lines allow, and their size."""
    size = 12 if bars >= 11 else 8 if bars >= 8 else 4
    count = max(1, round((bars - 1) / size))
    sections: list[Section] = []
    for chorus in range(count):
        for line in range(size // 4):
            last = chorus == count - 1 and line == size // 4 - 1
            place = chorus * size + line * 4
            # AAB: the second line repeats the first, the third answers both.
            name = "B" if line == size // 4 - 1 and size > 4 else "A"
            sections.append(Section(name, place, 4, sum(s.name == name for s in sections), last))
    sections.append(Section("ending", count * size, 1, 0))
    return sections, size


def _turnaround(song: Song, part: Part, start: float, velocity: float) -> None:
    """The descending sixths of a blues turnaround, over the bar before the last."""
    root = nearest(song.key.tonic, (part.low + part.high) / 2, part.low + 10, part.high - 8)
    for i, (upper, lower) in enumerate(((4, -2), (3, -3), (2, -4), (0, -5))):
        when = start + i
        part.chord(when, 0.45, (root + upper, root + lower), velocity)
        part.chord(when + 0.5, 0.4, (root + upper, root + lower), velocity - 10)


def _bass(song: Song, part: Part, rng: random.Random, walking: bool) -> None:
    before = 38.0
    spans = list(song.walk())
    for place, (_section, _bar, span) in enumerate(spans):
        after = spans[place + 1][2].chord if place + 1 < len(spans) else song.at(song.end - 1)
        root = nearest(span.chord.root, before, 28, 43)
        if walking:
            third = 3 if span.chord.minor else 4
            line = [root, root + third, root + 7, root + 9 if rng.random() < 0.7 else root + 10]
            if rng.random() < 0.35 and root <= 38:
                line = [root, root + 12, root + 10, root + 7]
            count = int(span.length)
            line = line[:count]
            if after.root != span.chord.root and count > 1:
                goal = nearest(after.root, line[-2], 28, 50)
                line[-1] = goal + rng.choice((-1, 1))
            for i, pitch in enumerate(line):
                part.play(span.start + i, 0.92, pitch, 92 if i % 2 == 0 else 86)
                if rng.random() < 0.18:
                    part.play(span.start + i + 0.5, 0.4, pitch, 66)
        else:
            steps = (0, 0, 7, 7, 9, 9, 7, 7)
            for i in range(int(span.length * 2)):
                part.play(span.start + i / 2, 0.42, root + steps[i % 8], 92 if i % 2 == 0 else 76)
        before = min(max(root, 33), 43)


def _boogie(song: Song, part: Part) -> None:
    """The guitar's fifth and sixth over the root."""
    for _section, _bar, span in song.walk():
        root = nearest(span.chord.root, 45, 40, 52)
        for i in range(int(span.length * 2)):
            upper = (7, 7, 9, 9, 10 if span.chord.minor else 9, 9, 7, 7)[i % 8] if i % 8 < 6 else 7
            part.chord(span.start + i / 2, 0.4, (root, root + upper), 78 if i % 2 == 0 else 62)


def _comp(song: Song, part: Part, rng: random.Random, slow: bool) -> None:
    before: tuple[int, ...] = ()
    hits = rng.choice(((1.0, 3.0), (0.5, 2.5), (1.5, 3.5), (0.0, 1.5, 3.0)))
    for _section, _bar, span in song.walk():
        rich = Chord(
            span.chord.root,
            {"7": "9", "m7": "m7"}.get(span.chord.quality, span.chord.quality),
            span.chord.bass,
        )
        before = voice(rich, 50, 70, 3, before)
        if slow:
            for third in range(int(span.length) * 3):
                part.chord(song.straight(span.start + third / 3), 0.22, before, 70 if third % 3 == 0 else 56)
            continue
        for hit in hits:
            if hit < span.length:
                part.chord(span.start + hit, 0.4 if hit % 1 else 0.7, before, 74)


def compose(seed: int, seconds: float) -> Piece:
    """A blues."""
    rng = random.Random(f"musichelper blues {seed} frame")
    slow = rng.random() < 0.2
    tempo = rng.randint(60, 74) if slow else rng.randint(92, 144)
    minor = rng.random() < 0.25
    key = Key(
        rng.choice(("A", "E", "D", "C", "G") if minor else ("E", "A", "G", "C", "D", "Bb", "F")),
        "minor" if minor else "major",
    )
    sections, size = _sections(round(seconds * tempo / 240))
    song = Song(
        "blues", seed, seconds, tempo=tempo, key=key, sections=sections, swing=2 / 3 if tempo < 120 else 0.63
    )
    forms = {12: (_TWELVE, _TWELVE_MINOR), 8: (_EIGHT, _EIGHT_MINOR), 4: (_FOUR, _FOUR_MINOR)}
    text = rng.choice(forms[size][minor])
    bars = text.split("|")
    for bar in range(song.ending.bar):
        song.harmonise_bar(bar, bars[bar % size])
    song.harmonise_bar(song.ending.bar, "i7" if minor else "I7")

    lead_name = rng.choice(
        ("harmonica", "overdriven guitar", "tenor sax", "clean guitar", "jazz guitar", "alto sax")
    )
    answer_name = rng.choice(
        [n for n in ("piano", "clean guitar", "honky-tonk piano", "tenor sax") if n != lead_name]
    )
    lead = song.part(lead_name, low=57, high=84, volume=108, pan=58)
    answer = song.part(
        answer_name, low=55, high=88, volume=94, pan=88, name=f"{answer_name.capitalize()} answer"
    )
    bass = song.part(rng.choice(("acoustic bass", "finger bass", "finger bass")), volume=108)
    _bass(song, bass, rng, walking=slow or rng.random() < 0.6)
    if not slow and rng.random() < 0.6:
        _boogie(
            song,
            song.part(
                rng.choice(("clean guitar", "steel guitar", "overdriven guitar")),
                volume=84,
                pan=40,
                name="Rhythm guitar",
            ),
        )
    comp = song.part(
        rng.choice(("piano", "honky-tonk piano", "percussive organ", "drawbar organ")),
        volume=80,
        pan=78,
        name="Comping",
    )
    _comp(song, comp, rng, slow)

    kit = song.kit(rng.choice(("standard", "room", "brush" if slow else "standard")))
    ride = rng.choice(("ride", "hat"))
    grooves = [
        {
            ride: "X.xxX.xx",
            "kick": "x..?x...",
            "snare": "..X...X?",
            "pedal hat": "..o...o." if ride == "ride" else "........",
        },
        {"ride": "XoxoXoxo", "kick": "x...x..x", "snare": "..X?..X."},
    ]
    if not slow:
        grooves[0][ride] = rng.choice(("xoxoxoxo", "x.xox.xo", "xoxoxoxo"))
    drums.accompany(song, kit, grooves, drums.FILLS["shuffle"])

    # The call takes two bars of each line, the answer the next two.
    scale = plain_scale(song, "blues" if minor or rng.random() < 0.6 else "major blues")
    theme = Theme(song.rng("theme"), 4, _CALLS, _ANSWERS, reach=4)
    turn = Theme(song.rng("turn"), 4, _CALLS, _TURNS, reach=3)
    for section in song.body():
        call = Section(section.name, section.bar, 2, section.number, section.last)
        source = theme if section.name == "A" else turn
        tones = sing(
            song,
            source,
            call,
            60,
            79,
            scale=scale,
            closing=section.name == "B",
            lift=section.number % 3 - 1,
            name="call",
        )
        perform(lead, tones, 94, grace=0.5, rng=song.rng(f"grace {section.bar}"))
        if section.bars > 2:
            _respond(song, answer, tones, section)
    if not minor:
        _turnaround(song, answer, song.beat(song.ending.bar - 1), 82)
    _end(song, lead, bass, comp, kit)
    return song.finish()


def _respond(song: Song, part: Part, tones: list[Tone], section: Section) -> None:
    """The call's rhythm answered from below, closing on the chord."""
    rng = song.rng(f"answer {section.bar}")
    ladder = pitches(song.key.scale("blues"), max(part.low, 57), min(part.high, 76))
    start = song.beat(section.bar + 2)
    first = song.beat(section.bar)
    place = len(ladder) - 3
    for tone in tones:
        if tone.start - first > 6.0 or rng.random() < 0.15:
            continue
        place = min(max(place + rng.choice((-2, -1, -1, 1)), 0), len(ladder) - 1)
        part.play(tone.start - first + start + 0.5, min(tone.length, 1.0) * 0.9, ladder[place], 76)


def _end(song: Song, lead: Part, bass: Part, comp: Part, kit: Part) -> None:
    start = song.beat(song.ending.bar)
    over = song.at(start)
    song.last_chord(comp, voice(over, 50, 70, 4), 80, strum=0.04)
    song.final_bass(bass)
    lead.play(start, song.bar_beats - 0.5, nearest(song.key.tonic, 72, lead.low, lead.high), 96)
    drums.final_hit(song, kit)
