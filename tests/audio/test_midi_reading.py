"""MIDI files as a sound module hears them: channels, controllers, tempo, pedal, and files with faults."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio.midi import Performance, read_midi
from assistant.audio.render import find_soundfont, open_midi
from assistant.errors import MusicHelperError
from tests.made_sounds import midi

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x64\x60\x80\x3c\x00"  # a quarter of C at channel 1


def file_of(*tracks: bytes, division: int = 96) -> bytes:
    head = b"MThd" + struct.pack(">IHHH", 6, int(len(tracks) > 1), len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def read(folder: Path, data: bytes) -> Performance:
    path = folder / "a.mid"
    path.write_bytes(data)
    return read_midi(path)


def test_programs_tempo_and_drums(tmp_path: Path) -> None:
    track = b"\x00\xff\x51\x03\x07\xa1\x20" + NOTE  # 120 a minute
    track += b"\x00\xc0\x28\x00\xff\x51\x03\x0f\x42\x40" + NOTE + b"\x00\x99\x24\x64\x18\x89\x24\x00" + END
    played = read(tmp_path, file_of(track))
    assert [(note.program, note.drums, note.key) for note in played.notes] == [
        (0, False, 60), (40, False, 60), (0, True, 36),
    ]  # fmt: skip
    assert [note.start for note in played.notes] == pytest.approx([0, 0.5, 1.5])
    assert [note.end for note in played.notes] == pytest.approx([0.5, 1.5, 1.75])


def test_a_channel_is_the_same_in_all_tracks(tmp_path: Path) -> None:
    played = read(tmp_path, file_of(b"\x00\xb0\x07\x20\x00\xc0\x28" + END, NOTE + END))
    assert played.notes[0].program == 40
    assert played.channels[0].controls[7] == [(0.0, 32)]


def test_a_volume_before_a_program_change_stays(tmp_path: Path) -> None:
    def loudest(volume: bytes) -> float:
        (tmp_path / "a.mid").write_bytes(file_of(volume + NOTE + b"\x00\xc0\x05" + NOTE + END))
        samples = np.concatenate(list(open_midi(tmp_path / "a.mid", "", 60)[0].blocks()))
        return float(np.abs(samples[round(0.55 * 44100) :]).max())

    assert loudest(b"\x00\xb0\x07\x20") < 0.15 * loudest(b"")


def test_bend_range_and_reset(tmp_path: Path) -> None:
    wide = b"\x00\xb0\x65\x00\x00\xb0\x64\x00\x00\xb0\x06\x0c\x00\xe0\x7f\x7f\x60\xb0\x79\x00"
    played = read(tmp_path, file_of(wide + NOTE + END))
    assert played.channels[0].bends == [(0.0, pytest.approx(12, abs=0.01)), (0.5, 0.0)]


def test_a_swell_is_heard_within_a_note(tmp_path: Path) -> None:
    steps = b"".join(bytes([0x0C, 0xB0, 0x0B, value]) for value in range(8, 128, 8))
    data = file_of(b"\x00\xc0\x13\x00\xb0\x0b\x04\x00\x90\x3c\x64" + steps + b"\x60\x80\x3c\x00" + END)
    (tmp_path / "a.mid").write_bytes(data)
    samples = np.concatenate(list(open_midi(tmp_path / "a.mid", "", 60)[0].blocks()))
    early, late = (np.abs(samples[a : a + 4410]).max() for a in (4410, 44100))
    assert late > 10 * early


@pytest.mark.parametrize(
    ("track", "length"),
    [
        (b"\x00\xff\x59\x02\xff\xff" + NOTE + END, 0.5),  # a key signature of 255
        (b"\x00\x90\x3c\xe4\x60\x80\x3c\x00" + END, 0.5),  # a data byte over 127
        (b"\x00\x90\x3c\x64\x60\x90\x40\x64\x60\x80\x40\x00" + END, 1.0),  # a note that never ends
        (b"\x00\xf0\x03\x7e\x7f\xf7" + NOTE + END + b"\0\0\0", 0.5),  # a message, and waste behind the end
        (b"\x00\xff\x51\x03\0\0\0" + NOTE + END, 0.5),  # a tempo of zero
    ],
)
def test_files_with_faults_are_read(tmp_path: Path, track: bytes, length: float) -> None:
    played = read(tmp_path, file_of(track))
    assert played.notes[0].end == pytest.approx(length)
    assert read(tmp_path, b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + file_of(track)).notes == played.notes


def test_files_that_are_cut_off_or_none_are_named(tmp_path: Path) -> None:
    whole = midi([(96 * i, 96 * i + 90, 60 + i) for i in range(30)])
    for cut in (len(whole) - 1, len(whole) * 6 // 10):
        with pytest.raises(MusicHelperError, match="cut off"):
            read(tmp_path, whole[:cut])
    for bad in (b"MThd", b"MThd\0\0\0\6\0\0\0\1\0\0", whole[:14]):
        with pytest.raises(MusicHelperError, match="damaged"):
            read(tmp_path, bad)


def test_pitch_and_onset_agree_with_fluidsynth(tmp_path: Path) -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("needs fluidsynth to compare with: apt install fluidsynth")
    for program in (0, 11, 19, 40, 73):
        keys = [48, 55, 60, 64, 67, 72, 76]
        path = tmp_path / "a.mid"
        path.write_bytes(
            midi(
                [(192 * i, 192 * i + 150, key) for i, key in enumerate(keys)], extra=bytes([0, 0xC0, program])
            )
        )
        ours = np.concatenate(list(open_midi(path, "", 60)[0].blocks())).mean(axis=1)
        reference = ("fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-r", "44100", "-F")
        subprocess.run(
            [*reference, tmp_path / "f.wav", find_soundfont(""), path], check=True, capture_output=True
        )
        theirs = soundfile.read(tmp_path / "f.wav", always_2d=True)[0].mean(axis=1)
        for i, key in enumerate(keys):
            start = i * 44100
            pieces = [sound[start : start + 40_000] for sound in (ours, theirs)]
            onsets = [int((np.abs(piece) > 0.1 * np.abs(piece).max()).argmax()) for piece in pieces]
            assert abs(onsets[0] - onsets[1]) < 0.012 * 44100, (program, key)
            ours_cents, theirs_cents = (cents(piece, key) for piece in pieces)
            assert abs(ours_cents - theirs_cents) < 6, (program, key)
        levels = [20 * np.log10(np.sqrt(np.square(sound).mean())) for sound in (ours, theirs)]
        print(program, round(levels[0] - levels[1], 1))


def cents(piece: np.ndarray, key: float) -> float:
    wanted = 440 * 2 ** ((key - 69) / 12)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 19))
    frequencies = np.fft.rfftfreq(1 << 19, 1 / 44100)
    near = (frequencies > wanted * 0.94) & (frequencies < wanted * 1.06)
    return float(1200 * np.log2(frequencies[near][spectrum[near].argmax()] / wanted))
