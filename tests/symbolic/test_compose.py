"""Composed pieces: determinism, form, playability, and the traits by which each genre is known."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pretty_midi
import pytest
from symusic import Score

from assistant.errors import CallError
from assistant.symbolic.compose import GENRES, Piece, compose
from assistant.symbolic.midi import TICKS_PER_BEAT, Note, Track, encode, read_midi, write_midi
from assistant.symbolic.rules.harmony import Key
from assistant.symbolic.rules.instruments import DRUMS, INSTRUMENTS, KITS

SEEDS = range(16)
TEMPOS = {
    "blues": (60, 144), "classical": (66, 138), "country": (88, 132), "disco": (108, 128),
    "hiphop": (80, 148), "jazz": (112, 208),
    "metal": (132, 192), "pop": (92, 132), "reggae": (66, 92), "rock": (104, 156),
}  # fmt: skip
RANGES = {program: (low, high) for program, low, high in INSTRUMENTS.values()}


@cache
def pieces(genre: str) -> tuple[Piece, ...]:
    return tuple(compose(genre, seed) for seed in SEEDS)


def drums(piece: Piece, name: str) -> list[Note]:
    return [
        note for track in piece.tracks if track.drums for note in track.notes if note.pitch == DRUMS[name]
    ]


def track(piece: Piece, name: str) -> Track:
    return next(track for track in piece.tracks if track.name == name)


def bass_of(piece: Piece) -> tuple[Note, ...]:
    return next(track for track in piece.tracks if "bass" in track.name.lower()).notes


def place(note: Note) -> float:
    """The beat of a note within its beat, 0–1, with the human hand's scatter centred."""
    return ((note.start + 24) % TICKS_PER_BEAT - 24) / TICKS_PER_BEAT


def section(piece: Piece, name: str) -> int:
    return next(tick for tick, mark in piece.sections if mark == name)


@pytest.mark.parametrize("genre", GENRES)
def test_the_same_call_gives_the_same_piece(genre: str) -> None:
    assert compose(genre, 7) == pieces(genre)[7]
    assert len({encode(piece.to_midi()) for piece in pieces(genre)}) == len(SEEDS)


def test_pieces_are_the_same_in_every_process() -> None:
    # Another process with another hash seed, as another machine would have.
    call = (
        "import hashlib; from assistant.symbolic.compose import *;"
        "from assistant.symbolic.midi import encode;"
        "print(hashlib.sha256(b''.join(encode(compose(g, 3).to_midi()) for g in GENRES)).hexdigest())"
    )
    out = {
        subprocess.run(
            [sys.executable, "-c", call],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = hashlib.sha256(b"".join(encode(compose(genre, 3).to_midi()) for genre in GENRES)).hexdigest()
    assert out == {here}


def test_composing_needs_no_heavy_import() -> None:
    call = (
        "import sys; from assistant.symbolic.compose import compose; compose('jazz', 1);"
        "print([m for m in ('numpy', 'torch', 'symusic', 'pretty_midi', 'librosa') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("genre", GENRES)
def test_notes_are_playable(genre: str) -> None:
    for piece in pieces(genre):
        assert piece.tracks
        assert len({track.name for track in piece.tracks}) == len(piece.tracks)
        for part in piece.tracks:
            ends: dict[int, int] = {}
            assert part.notes == tuple(sorted(part.notes))
            for note in part.notes:
                assert note.start >= ends.get(note.pitch, 0), (piece.title, part.name, note)
                ends[note.pitch] = note.end
                assert 0 < note.end <= piece.length
                assert 8 <= note.velocity <= 124
                if part.drums:
                    assert note.pitch in DRUMS.values()
                else:
                    low, high = RANGES[part.program]
                    assert low <= note.pitch <= high, (piece.title, part.name, note)
            assert part.program in (KITS.values() if part.drums else RANGES)


@pytest.mark.parametrize("genre", GENRES)
def test_length_tempo_and_ending(genre: str) -> None:
    low, high = TEMPOS[genre]
    for piece in pieces(genre):
        assert low <= piece.tempo <= high
        assert 15 <= piece.seconds <= 27
        last = max(note.end for track in piece.tracks for note in track.notes)
        assert piece.to_midi().seconds(last) > piece.seconds - 1.5
        # It ends on the tonic, in the bass, and the last bar strikes nothing new after the chord.
        ending = section(piece, "Ending")
        final = [
            note
            for track in piece.tracks
            if not track.drums
            for note in track.notes
            if note.start > ending - 60
        ]
        tonic = Key(piece.key, piece.mode).tonic
        assert min(final, key=lambda note: note.pitch).pitch % 12 == tonic
        assert all(note.start < ending + TICKS_PER_BEAT // 2 for note in final)


@pytest.mark.parametrize("seconds", [5, 9, 40, 95])
@pytest.mark.parametrize("genre", GENRES)
def test_other_lengths(genre: str, seconds: float) -> None:
    for seed in range(3):
        piece = compose(genre, seed, seconds)
        bar = piece.time_signature[0] * 4 / piece.time_signature[1] * 60 / piece.tempo
        # Five bars at least; the blues keeps its choruses whole.
        slack = max(2.5 * bar, 6 * bar - seconds, 6.5 * bar if genre == "blues" else 0) + 0.15 * seconds
        assert abs(piece.seconds - seconds) <= slack


@pytest.mark.parametrize("genre", GENRES)
def test_other_programs_read_the_file(genre: str, tmp_path: Path) -> None:
    for piece in pieces(genre)[:4]:
        path = write_midi(piece, tmp_path / f"{piece.title}.mid")
        score: Any = Score.from_midi(path.read_bytes())
        assert score.ticks_per_quarter == TICKS_PER_BEAT
        assert score.tempos[0].qpm == pytest.approx(piece.tempo, rel=1e-4)
        assert (
            score.time_signatures[0].numerator,
            score.time_signatures[0].denominator,
        ) == piece.time_signature
        assert (score.key_signatures[0].key, score.key_signatures[0].tonality) == (
            piece.fifths,
            piece.mode == "minor",
        )
        found = {track.name: track for track in score.tracks}
        assert set(found) == {track.name for track in piece.tracks}
        for part in piece.tracks:
            other = found[part.name]
            assert (other.program, other.is_drum) == (part.program, part.drums)
            assert Counter((n.time, n.pitch, n.duration, n.velocity) for n in other.notes) == Counter(
                (n.start, n.pitch, n.duration, n.velocity) for n in part.notes
            )
        second = pretty_midi.PrettyMIDI(str(path))
        assert second.get_end_time() == pytest.approx(piece.to_midi().seconds(piece.to_midi().end), abs=0.01)
        key = second.key_signature_changes[0]
        assert key.key_number == Key(piece.key, piece.mode).tonic + 12 * (piece.mode == "minor")
        assert read_midi(path).tracks == piece.tracks


@pytest.mark.parametrize("genre", GENRES)
def test_pieces_of_a_genre_differ(genre: str) -> None:
    assert len({piece.title for piece in pieces(genre)}) >= 12
    assert len({piece.key for piece in pieces(genre)}) >= 4
    assert len({piece.tempo for piece in pieces(genre)}) >= 6
    assert len({track.program for piece in pieces(genre) for track in piece.tracks if not track.drums}) >= 5
    for piece in pieces(genre):
        assert piece.title.isprintable()
        assert not set(piece.title) & set('/\\:*?"<>|')


@pytest.mark.parametrize("genre", ["classical", "country", "pop", "reggae", "rock", "disco"])
def test_notes_belong_to_the_key(genre: str) -> None:
    for piece in pieces(genre):
        key = Key(piece.key, piece.mode)
        scale = {*key.scale(), *key.scale("harmonic" if piece.mode == "minor" else "mixolydian")}
        inside = outside = 0
        for part in piece.tracks:
            for note in part.notes:
                if not part.drums:
                    inside += note.duration * (note.pitch % 12 in scale)
                    outside += note.duration * (note.pitch % 12 not in scale)
        assert outside < 0.16 * (inside + outside), piece.title


def test_a_theme_returns() -> None:
    # The hook of A comes back in A': most of its rhythm is the same, a bar's place aside.
    shares = []
    for piece in pieces("pop"):
        marks = {name: tick for tick, name in piece.sections}
        if "A'" not in marks:
            continue
        hook = track(piece, "Hook").notes
        first, second = (
            {
                round((note.start - marks[name]) / 240)
                for note in hook
                if 0 <= note.start - marks[name] + 30 < 1920
            }
            for name in ("A", "A'")
        )
        shares.append(len(first & second) / max(len(first), 1))
    assert len(shares) >= 8
    assert sum(shares) / len(shares) > 0.9


def test_classical_has_no_drums_and_slows_down() -> None:
    for piece in pieces("classical"):
        assert not any(track.drums for track in piece.tracks)
        assert piece.tempo_changes[-1][1] < 0.8 * piece.tempo


def test_disco_has_four_on_the_floor_open_hats_and_octaves() -> None:
    for piece in pieces("disco"):
        body = [note for note in drums(piece, "kick") if note.start >= section(piece, "A") - 60]
        beats = {round(note.start / TICKS_PER_BEAT) for note in body}
        wanted = range(section(piece, "A") // TICKS_PER_BEAT, section(piece, "Ending") // TICKS_PER_BEAT)
        assert len(beats & set(wanted)) > 0.85 * len(wanted)
        assert all(0.4 < place(note) < 0.6 for note in drums(piece, "open hat"))
        bass = bass_of(piece)
        leaps = [b.pitch - a.pitch for a, b in pairwise(bass)]
        assert leaps.count(12) > len(leaps) / 5


def test_reggae_plays_off_the_beat() -> None:
    for piece in pieces("reggae"):
        skank = [note for note in track(piece, "Skank").notes if note.start < section(piece, "Ending") - 60]
        assert sum(0.4 < place(note) < 0.85 for note in skank) > 0.98 * len(skank)


def test_reggae_kick_and_snare_meet_on_two_and_four() -> None:
    for piece in pieces("reggae"):
        body = [note for name in ("rim", "snare") for note in drums(piece, name) if abs(place(note)) < 0.1]
        assert body
        assert sum(round(note.start / TICKS_PER_BEAT) % 2 == 1 for note in body) >= 0.75 * len(body)


def test_jazz_and_blues_swing_and_the_bass_walks() -> None:
    for piece in pieces("jazz"):
        rides = [place(note) for note in drums(piece, "ride") if place(note) > 0.3]
        if rides and drums(piece, "pedal hat"):
            assert 0.56 < sum(rides) / len(rides) < 0.7
            bass = track(piece, "Acoustic bass").notes
            on_beat = [note for note in bass if abs(place(note)) < 0.06]
            assert len(on_beat) > 0.85 * len(bass)
            steps = [abs(b.pitch - a.pitch) for a, b in pairwise(on_beat)]
            assert sum(step <= 7 for step in steps) > 0.85 * len(steps)
    for piece in pieces("blues"):
        off = [place(note) for name in ("hat", "ride") for note in drums(piece, name) if place(note) > 0.3]
        assert 0.58 < sum(off) / len(off) < 0.7


def test_metal_is_low_fast_and_distorted() -> None:
    for piece in pieces("metal"):
        guitar = track(piece, "Guitar left")
        assert guitar.program == 30
        assert sum(note.pitch for note in guitar.notes) / len(guitar.notes) < 52
        assert len(drums(piece, "kick")) / piece.seconds > 2.5


def test_rock_and_pop_have_a_backbeat() -> None:
    for genre in ("rock", "pop"):
        for piece in pieces(genre):
            backbeats = [
                note
                for name in ("snare", "clap")
                for note in drums(piece, name)
                if note.velocity > 95 and abs(place(note)) < 0.05
            ]
            even = sum(round(note.start / TICKS_PER_BEAT) % 2 == 1 for note in backbeats)
            assert even > 0.7 * len(backbeats)


def test_country_bass_goes_from_root_to_fifth() -> None:
    for piece in pieces("country"):
        bass = bass_of(piece)
        moves = Counter(abs(a.pitch - b.pitch) for a, b in pairwise(bass))
        if piece.time_signature == (4, 4):
            assert moves[5] + moves[7] > 0.25 * len(bass)


def test_blues_is_made_of_lines_of_four_bars() -> None:
    for piece in pieces("blues"):
        bar = 4 * TICKS_PER_BEAT
        assert all(tick % (4 * bar) == 0 for tick, _name in piece.sections)
        assert section(piece, "Ending") // bar in (4, 8, 12)


def test_hiphop_bass_is_deep_and_sparse() -> None:
    for piece in pieces("hiphop"):
        bass = bass_of(piece)
        assert sum(note.pitch for note in bass) / len(bass) < 42
        assert len(bass) / piece.seconds < 2.6


def test_an_unknown_genre_or_length_is_refused() -> None:
    with pytest.raises(CallError) as caught:
        compose("polka", 1)
    assert "reggae" in caught.value.hint
    for seconds in (0.0, 4.9, 601.0, float("nan")):
        with pytest.raises(CallError):
            compose("rock", 1, seconds)
