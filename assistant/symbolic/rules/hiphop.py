"""Hip-hop: boom-bap (or half-time) with swung sixteenths, a looped sample of keys, and a deep sparse bass."""

from __future__ import annotations

import random

from assistant.symbolic.piece import Piece
from assistant.symbolic.rules import drums
from assistant.symbolic.rules.harmony import Key, nearest, voice
from assistant.symbolic.rules.melody import Theme, perform, plain_scale, sing
from assistant.symbolic.rules.song import Part, Section, Song

_LOOPS = (
    "i9 | iv9", "i9 | bVImaj7", "i7 | v7", "i9 bVImaj7 | iv7 V7b9", "i9 | bIImaj7", "i7 | i7",
    "i9 | ii7b5 V7", "i7 bVII | bVImaj7", "i9 | iv9 bVII7",
)  # fmt: skip
_MAJOR = ("Imaj9 | ii9", "IVmaj7 | iii7", "ii9 | Imaj9", "Imaj7 vi7 | ii7 V9")
_HOOKS = ("..x.x-xx-...x---", "x-x.xx-.x---....", "x--x--x-..x-x...", ".xx-x-..xx-x....", "x..x..x-x...xx-.")
_CLOSES = ("x-x-x---........", "xx-x--..x-------", "x-..xx-x--......")
_KICKS = ("x.......x.x.....", "x..x......x.....", "x......x..x.....", "x.x.......x..x..", "x......x.xx.....")
_TRAP = ("x......x..x.....", "x..x..........x.", "x.....x.......x.")


def _loop(song: Song, part: Part, rng: random.Random, style: str) -> None:
    """Two bars of keys that return unchanged, as a sample would."""
    before: tuple[int, ...] = ()
    jitter = rng.choice((0.0, 0.25, 0.5))
    melody = [rng.randrange(4) for _ in range(16)]
    for section, bar, span in song.walk(ending=False):
        before = voice(span.chord, 53, 74, 4, before if bar % 2 else ())
        if style == "stabs":
            for hit, length in ((0.0, 0.7), (1.5 + jitter, 0.45), (2.5, 0.8)):
                if hit < span.length:
                    part.chord(span.start + hit, length, before, 78 if hit == 0 else 68, strum=0.015)
        elif style == "hold":
            part.chord(span.start, span.length * 0.95, before, 74, strum=0.04)
        else:
            for i in range(int(span.length * 2)):
                if i % 8 in (3, 6) and section.name != "B":
                    continue
                part.play(
                    span.start + i / 2,
                    0.9,
                    before[melody[(i + bar % 2 * 8) % 16] % len(before)],
                    76 if i % 4 == 0 else 64,
                )


def _bass(song: Song, part: Part, kick: str, rng: random.Random) -> None:
    before = 34.0
    for section, _bar, span in song.walk():
        if section.name == "intro":
            continue
        root = nearest(span.chord.root, before, 26, 40)
        before = (root + 33) / 2
        hits = [place / 4 for place, sign in enumerate(kick) if sign == "x" and place / 4 < span.length]
        for hit, after in zip(hits, [*hits[1:], span.length], strict=True):
            pitch = root
            if hit >= 2 and rng.random() < 0.3:
                pitch = root + rng.choice((7, 12, 10))
            part.play(span.start + hit, min(after - hit, 1.75) * 0.9, pitch, 104)


def _beat(song: Song, kit: Part, kick: str, trap: bool, rng: random.Random) -> None:
    if trap:
        hats = rng.choice(("x.x.x.x.x.x.x.x.", "x.xxx.x.x.x.xxx.", "x.x.x.xxx.x.x.x."))
        groove = {
            "kick": kick,
            "clap": "........X.......",
            "snare": "........x.......",
            "hat": hats,
            "open hat": "..............?.",
        }
    else:
        hats = rng.choice(("x.o.x.o.x.o.x.o.", "x.oox.o.x.oox.oo", "x.x.x.x.x.x.x.x."))
        groove = {"kick": kick, "snare": "....X..g.g..X...", "hat": hats}
    bridge = {**groove, "open hat": "..x...........x.", "rim": "...?......?....."}
    drums.accompany(song, kit, [groove, bridge], drums.FILLS["hiphop"], intro={"hat": hats}, crash="")
    if trap:  # rolls of the hat
        for section in song.body():
            for bar in range(section.bar + 1, section.bar + section.bars, 2):
                start = song.beat(bar) + rng.choice((1.5, 2.5, 3.0))
                for i in range(6):
                    kit.hit(start + i / 12, "hat", 60 + 6 * i)


def compose(seed: int, seconds: float) -> Piece:
    """A hip-hop instrumental."""
    rng = random.Random(f"musichelper hiphop {seed} frame")
    trap = rng.random() < 0.3
    tempo = rng.randint(128, 148) if trap else rng.randint(80, 100)
    minor = rng.random() < 0.8
    key = Key(
        rng.choice(
            ("A", "C", "D", "E", "F", "G", "F#", "Bb", "C#") if minor else ("C", "F", "Eb", "Ab", "G")
        ),
        "minor" if minor else "major",
    )
    swing = 0.5 if trap else rng.choice((0.54, 0.58, 0.62))
    song = Song(
        "hiphop",
        seed,
        seconds,
        tempo=tempo,
        key=key,
        letters=rng.choice(("AAB", "ABA", "AAAB")),
        swing=swing,
        swing_beats=0.5,
    )
    loop = rng.choice(_LOOPS if minor else _MAJOR)
    song.harmonise({"A": loop, "B": loop}, tonic="i9" if minor else "Imaj9")
    style = rng.choice(("stabs", "hold", "arpeggio"))
    names = (
        "electric piano",
        "FM piano",
        "vibraphone",
        "piano",
        "nylon guitar",
        "strings",
        "music box",
        "harp",
        "jazz guitar",
    )
    keys = song.part(rng.choice(names[:6] if style == "hold" else names), volume=88, pan=50, name="Sample")
    keys.late = 12.0
    _loop(song, keys, rng, style)
    kick = rng.choice(_TRAP if trap else _KICKS)
    bass = song.part(
        "deep synth bass"
        if trap
        else rng.choice(("synth bass", "deep synth bass", "acoustic bass", "finger bass", "fretless bass")),
        low=26,
        volume=118,
    )
    _bass(song, bass, kick, rng)
    kit = song.kit(
        "TR-808" if trap or rng.random() < 0.3 else rng.choice(("standard", "electronic", "power")),
        volume=116,
    )
    kit.late = 4.0
    _beat(song, kit, kick, trap, rng)

    hook = song.part(
        rng.choice(
            (
                "flute",
                "muted trumpet",
                "music box",
                "kalimba",
                "square lead",
                "celesta",
                "synth voice",
                "tenor sax",
                "whistle",
            )
        ),
        low=60,
        high=88,
        volume=84,
        pan=76,
        name="Hook",
    )
    theme = Theme(song.rng("theme"), 4, _HOOKS, _CLOSES, reach=3)
    scale = plain_scale(song, f"{key.mode} pentatonic")
    for section in song.body():
        if section.number == 0 and section.name == "A" and len(song.body()) > 2:
            continue  # the beat comes first, the hook with its return
        for half in range(0, section.bars, 2):
            # The same two bars each time: it is a loop.
            pair = Section("A", section.bar + half, min(2, section.bars - half), 0, section.last)
            perform(hook, sing(song, theme, pair, 64, 80, scale=scale, name="hook"), 80)
    pad = (
        song.part(rng.choice(("warm pad", "bowed pad", "strings")), volume=66, pan=64, name="Pad")
        if rng.random() < 0.5
        else None
    )
    if pad:
        before: tuple[int, ...] = ()
        for _section, _bar, span in song.walk(ending=True):
            before = voice(span.chord, 50, 69, 3, before)
            pad.chord(span.start, span.length * 0.97, before, 62)
    final = song.at(song.beat(song.ending.bar))
    song.last_chord(keys, voice(final, 53, 74, 4), 76, strum=0.05)
    song.final_bass(bass, 104, low=26, high=37)
    drums.final_hit(song, kit, crash="")
    return song.finish()
