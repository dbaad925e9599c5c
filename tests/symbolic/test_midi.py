"""The MIDI reader and writer: round trips, what other programs read, and files that are torn."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import CallError, FileError
from assistant.symbolic.midi import MidiFile, Note, Track, decode, encode, read_midi, write_midi


def header(form: int, tracks: int, division: int = 96) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, form, tracks, division)


def chunk(body: bytes) -> bytes:
    return b"MTrk" + struct.pack(">I", len(body)) + body


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    # A key is struck again only after its release, as the format asks.
    notes = []
    for pitch in draw(st.lists(st.integers(0, 127), unique=True, min_size=1, max_size=4)):
        now = 0
        for gap, duration, velocity in draw(
            st.lists(
                st.tuples(st.integers(0, 70_000), st.integers(1, 9_000), st.integers(1, 127)),
                min_size=1,
                max_size=5,
            )
        ):
            notes.append(Note(now + gap, pitch, duration, velocity))
            now += gap + duration
    return Track(
        name=draw(st.sampled_from(["Bass", "吉他", "Ñandú"])),
        program=draw(st.integers(0, 127)),
        notes=tuple(sorted(notes)),
        volume=draw(st.integers(0, 127)),
        pan=draw(st.integers(0, 127)),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(tracks(), min_size=1, max_size=5), st.integers(30, 300), st.integers(-7, 7), st.booleans())
def test_what_is_written_is_read(parts: list[Track], bpm: int, fifths: int, minor: bool) -> None:
    midi = MidiFile(
        tracks=tuple(parts),
        tempos=((0, float(bpm)), (960, bpm * 0.7)),
        time_signatures=((0, 6, 8),),
        key_signatures=((0, fifths, minor),),
        markers=((0, "A"), (1920, "Ending")),
        title="Mañana 明天",
        texts=("rock",),
    )
    read = decode(encode(midi))
    assert read.tracks == midi.tracks
    assert [tick for tick, _bpm in read.tempos] == [0, 960]
    assert [bpm for _tick, bpm in read.tempos] == pytest.approx([bpm, bpm * 0.7], rel=1e-5)
    for name in ("time_signatures", "key_signatures", "markers", "title", "texts", "ticks_per_beat"):
        assert getattr(read, name) == getattr(midi, name)
    assert encode(read) == encode(decode(encode(read)))


def test_seconds_follow_the_tempos() -> None:
    midi = MidiFile(tracks=(), tempos=((0, 120.0), (960, 60.0)))
    assert midi.seconds(960) == pytest.approx(1.0)
    assert midi.seconds(1440) == pytest.approx(2.0)


def test_running_status_and_a_note_on_without_velocity_end_a_note() -> None:
    body = (
        b"\x00\xc0\x19"
        + b"\x00\x90\x3c\x50"
        + b"\x30\x3c\x00"
        + b"\x00\x40\x60"
        + b"\x60\x40\x00"
        + b"\x00\xff\x2f\x00"
    )
    (track,) = decode(header(0, 1) + chunk(body)).tracks
    assert track.program == 25
    assert track.notes == (Note(0, 60, 48, 80), Note(48, 64, 96, 96))


def test_format_0_is_split_by_channel_and_unknown_chunks_are_passed_over() -> None:
    body = b"\x00\x90\x3c\x50\x00\x99\x24\x60\x30\x80\x3c\x40\x00\x89\x24\x40\x00\xff\x2f\x00"
    data = header(0, 1) + b"XFIH" + struct.pack(">I", 3) + b"abc" + chunk(body)
    pitched, drums = decode(data).tracks
    assert not pitched.drums
    assert drums.drums
    assert drums.notes == (Note(0, 36, 48, 96),)
    wrapped = b"RIFF" + struct.pack("<I", len(data) + 12) + b"RMIDdata" + struct.pack("<I", len(data)) + data
    assert decode(wrapped).tracks == decode(data).tracks


def test_notes_left_open_and_a_torn_tail_still_sound() -> None:
    whole = b"\x00\x90\x3c\x50\x30\x80\x3c\x40\x00\x90\x40\x50\x60"
    (track,) = decode(header(0, 1) + chunk(whole + b"\x90")).tracks
    assert track.notes == (Note(0, 60, 48, 80), Note(48, 64, 96, 80))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not music at all",
        header(1, 1),
        header(2, 1) + chunk(b"\x00\xff\x2f\x00"),
        header(0, 1, 0xE250) + chunk(b"\x00\xff\x2f\x00"),
        header(0, 1) + chunk(b"\x00\x3c\x50"),
    ],
    ids=["empty", "text", "no tracks", "format 2", "film time", "no status"],
)
def test_what_is_no_midi_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.mid"
    path.write_bytes(data)
    with pytest.raises(FileError) as caught:
        read_midi(path)
    assert caught.value.path == path
    assert caught.value.title


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    for data in (noise, header(1, 1) + chunk(noise), header(0, 1) + noise):
        with suppress(ValueError):
            decode(data)


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        read_midi(tmp_path / "absent.mid")


def test_sixteen_pitched_tracks_are_too_many(tmp_path: Path) -> None:
    one = Track("Piano", 0, (Note(0, 60, 480, 80),))
    write_midi(MidiFile(tracks=(one,) * 15), tmp_path / "most.mid")
    with pytest.raises(CallError):
        write_midi(MidiFile(tracks=(one,) * 16), tmp_path / "more.mid")
    assert [path.name for path in tmp_path.iterdir()] == ["most.mid"]


@pytest.mark.parametrize(
    "note", [Note(0, 128, 10, 80), Note(0, 60, 0, 80), Note(0, 60, 10, 0), Note(-1, 60, 10, 9)]
)
def test_a_note_out_of_range_is_refused(note: Note) -> None:
    with pytest.raises(CallError):
        encode(MidiFile(tracks=(Track("Piano", 0, (note,)),)))
