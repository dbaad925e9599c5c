"""Keys, chords, scales and voicings."""

from __future__ import annotations

import pytest

from assistant.symbolic.rules.harmony import Key, chord, fitted, nearest, progression, voice

C = Key("C", "major")


@pytest.mark.parametrize(
    ("numeral", "tones"),
    [
        ("I", {0, 4, 7}),
        ("ii7", {2, 5, 9, 0}),
        ("V7", {7, 11, 2, 5}),
        ("bVII", {10, 2, 5}),
        ("viidim7", {11, 2, 5, 8}),
        ("ii7b5", {2, 5, 8, 0}),
        ("Imaj9", {0, 4, 7, 11, 2}),
        ("V7b9", {7, 11, 2, 5, 8}),
    ],
)
def test_numerals_are_read(numeral: str, tones: set[int]) -> None:
    assert set(chord(numeral, C).tones) == tones


def test_a_figure_after_the_slash_names_the_bass() -> None:
    assert [chord(numeral, C).bass for numeral in ("I/3", "I/5", "V7/7")] == [4, 7, 5]


@pytest.mark.parametrize("numeral", ["", "H", "I/4", "IIX"])
def test_what_is_no_numeral_is_refused(numeral: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        chord(numeral, C)


@pytest.mark.parametrize(
    ("name", "mode", "fifths"),
    [
        ("C", "major", 0),
        ("Bb", "major", -2),
        ("F#", "minor", 3),
        ("C", "minor", -3),
        ("Db", "major", -5),
        ("C#", "minor", 4),
    ],
)
def test_key_signatures(name: str, mode: str, fifths: int) -> None:
    assert Key(name, mode).fifths == fifths


def test_a_scale_bends_to_the_chord() -> None:
    a_minor = Key("A", "minor")
    assert set(fitted(a_minor.scale(), chord("V7", a_minor))) == {9, 11, 0, 2, 4, 5, 8}
    assert set(fitted(C.scale(), chord("VI7", C))) == {0 + 1, 2, 4, 5, 7, 9, 11}
    assert set(fitted(C.scale(), chord("bVI", C))) == {0, 2, 3, 5, 7, 8, 11}
    assert fitted(C.scale(), chord("I", C)) == tuple(sorted(C.scale()))


@pytest.mark.parametrize("count", [3, 4])
def test_voices_move_little(count: int) -> None:
    before: tuple[int, ...] = ()
    for (over,) in progression("I | vi | ii7 | V7 | I | IV | ii7 | V7 | I", Key("Eb", "major")):
        notes = voice(over, 52, 76, count, before)
        assert len(notes) == count
        assert {note % 12 for note in notes} <= set(over.tones)
        assert list(notes) == sorted(notes)
        if before:
            assert sum(abs(a - b) for a, b in zip(before, notes, strict=True)) <= 4 * count
        before = notes


def test_nearest_goes_beyond_a_range_without_the_note() -> None:
    assert nearest(0, 60, 55, 70) == 60
    assert nearest(0, 66, 61, 66) % 12 == 0
