"""The decoder process on files of each kind, good and bad."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio.formats import is_source_name
from assistant.audio.guard import ConversionFailed, Converted, Decoders
from assistant.audio.peaks import peaks
from assistant.audio.read import seconds_of
from assistant.config import IntakeSettings
from tests.made_sounds import midi, tone, variable, write, write_av


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(IntakeSettings(workers=1, max_minutes=2.0)) as decoders:
        yield decoders


def convert(decoders: Decoders, source: Path) -> tuple[Converted, np.ndarray]:
    target = source.with_name(source.name + ".out.wav")
    converted = decoders.convert(source, target)
    info = soundfile.info(os.fsencode(target))
    assert (info.samplerate, info.subtype, info.format) == (44100, "PCM_16", "WAV")
    samples, _rate = soundfile.read(os.fsencode(target), always_2d=True)
    assert len(samples) / 44100 == pytest.approx(converted.duration)
    return converted, samples


def pitch(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4, 0]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax() * 44100 / len(middle))


@pytest.mark.parametrize(
    ("name", "rate", "how"),
    [
        ("a.wav", 48000, {"subtype": "PCM_24"}),
        ("a.wav", 22050, {"subtype": "FLOAT"}),
        ("a.wav", 8000, {"subtype": "PCM_U8"}),
        ("a.wav", 96000, {"subtype": "PCM_32"}),
        ("a.aiff", 44100, {}),
        ("a.flac", 44100, {}),
        ("a.ogg", 44100, {}),
        ("a.opus", 48000, {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", 44100, {}),
        ("wrong-name.mp3", 44100, {"format": "FLAC"}),
    ],
)
def test_formats_of_libsndfile(
    decoders: Decoders, tmp_path: Path, name: str, rate: int, how: dict[str, str]
) -> None:
    source = write(tmp_path / name, tone(1.5, rate), rate, **how)
    converted, samples = convert(decoders, source)
    assert converted.source_rate == rate
    assert samples.shape[1] == converted.channels == 2
    assert converted.duration == pytest.approx(1.5, abs=0.06)
    assert pitch(samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("a.m4a", "ipod", "aac"),
        ("a.aac", "adts", "aac"),
        ("a.wma", "asf", "wmav2"),
        ("b.m4a", "ipod", "alac"),
    ],
)
def test_formats_of_ffmpeg(decoders: Decoders, tmp_path: Path, name: str, container: str, codec: str) -> None:
    source = write_av(tmp_path / name, tone(2.0), 44100, container, codec)
    converted, samples = convert(decoders, source)
    assert converted.duration == pytest.approx(2.0, abs=0.12)
    assert pitch(samples) == pytest.approx(440, abs=2)


def test_a_cd_quality_source_is_kept_bit_for_bit(decoders: Decoders, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-32768, 32768, (50000, 2)).astype(np.int16)
    source = write(tmp_path / "a.flac", values, subtype="PCM_16")
    target = tmp_path / "a.wav"
    decoders.convert(source, target)
    written, _rate = soundfile.read(target, dtype="int16")
    assert (written == values).all()


def test_a_training_ready_wav_is_only_measured(decoders: Decoders, tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", tone(4.0), subtype="PCM_16")
    converted = decoders.convert(source, tmp_path / "b.wav", keep_own=True)
    assert converted.own
    assert converted.measured["loudness"]["value"] == pytest.approx(-12.5, abs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav"]


def test_a_stream_that_changes_on_its_way(decoders: Decoders, tmp_path: Path) -> None:
    low = write(tmp_path / "low.mp3", tone(2.0, 22050, 1), 22050)
    high = write(tmp_path / "high.mp3", np.repeat(tone(2.0, channels=1), 2, axis=1))
    for first, second in ((low, high), (high, low)):
        path = tmp_path / "both.mp3"
        path.write_bytes(first.read_bytes() + second.read_bytes())
        converted, samples = convert(decoders, path)
        assert converted.duration == pytest.approx(4.0, abs=0.3)
        assert pitch(samples[len(samples) // 2 :]) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("loud_from", [0, 8, 16])
def test_what_gets_too_loud_late_is_turned_down_as_a_whole(
    decoders: Decoders, tmp_path: Path, loud_from: int
) -> None:
    sound = 0.05 * tone(20.0)
    sound[loud_from * 44100 :] *= 200
    exact = soundfile.read(write(tmp_path / "a.wav", sound, subtype="FLOAT"))[0]
    gain = 10 ** (-1 / 20) / np.abs(exact).max()
    other = write_av(tmp_path / "a.mka", sound, 44100, "matroska", "pcm_f32le")
    for source in (tmp_path / "a.wav", other):
        converted, samples = convert(decoders, source)
        assert np.abs(samples - gain * exact).max() < 2 / 32768
        plain = decoders.convert(source, tmp_path / "plain.wav", measure=False)
        assert plain.duration == converted.duration
        assert (soundfile.read(tmp_path / "plain.wav")[0] == samples).all()


def test_channels(decoders: Decoders, tmp_path: Path) -> None:
    mono, samples = convert(decoders, write(tmp_path / "mono.wav", tone(channels=1)))
    assert (mono.channels, samples.shape[1]) == (1, 1)
    surround = np.zeros((44100, 6))
    surround[:, 4] = tone(channels=1)[:, 0]  # left side
    converted, samples = convert(decoders, write(tmp_path / "surround.wav", surround, format="WAVEX"))
    assert (converted.channels, samples.shape[1]) == (6, 2)
    assert np.abs(samples[:, 0]).max() > 0.05
    assert np.abs(samples[:, 1]).max() == 0


def test_loud_floats_are_turned_down_and_not_cut(decoders: Decoders, tmp_path: Path) -> None:
    source = write(tmp_path / "loud.wav", 12 * tone(), subtype="FLOAT")
    converted, samples = convert(decoders, source)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=0.01)
    assert converted.measured["peak"]["value"] == pytest.approx(-1, abs=0.1)
    assert samples[:, 0].std() / np.abs(samples[:, 0]).max() == pytest.approx(math.sqrt(0.5), abs=0.01)


def test_midi(decoders: Decoders, tmp_path: Path) -> None:
    scale = [(96 * i, 96 * i + 90, pitch) for i, pitch in enumerate([60, 64, 67, 72] * 4)]
    source = tmp_path / "a.mid"
    source.write_bytes(midi(scale, tempo=400_000, extra=b"\x00\xc0\x28"))
    converted, samples = convert(decoders, source)
    assert converted.duration == pytest.approx(16 * 0.4 + 2, abs=0.1)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=0.01)
    assert converted.measured["bpm"]["value"] == pytest.approx(150)
    assert converted.measured["instruments"]["value"] == ["violin"]
    assert converted.measured["key"]["value"] == "C major"


def failure(decoders: Decoders, source: Path) -> str:
    with pytest.raises(ConversionFailed) as caught:
        decoders.convert(source, source.with_name("out.wav"))
    assert caught.value.permanent
    assert not list(source.parent.glob(".musichelper*"))
    assert not source.with_name("out.wav").exists()
    return caught.value.title


def test_empty_and_silent_files(decoders: Decoders, tmp_path: Path) -> None:
    (tmp_path / "zero.mp3").touch()
    assert failure(decoders, tmp_path / "zero.mp3") == "The file is empty."
    assert "no sound" in failure(decoders, write(tmp_path / "none.wav", np.zeros((0, 2))))
    assert "only 0.05 seconds" in failure(decoders, write(tmp_path / "short.wav", tone(0.05)))
    assert "silent" in failure(decoders, write(tmp_path / "silent.flac", np.zeros((44100, 2))))


@pytest.mark.parametrize(
    "name",
    ["a.wav", "a.aiff", "a.au", "a.caf", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a", "a.wma"],
)
def test_truncated_files_are_named(decoders: Decoders, tmp_path: Path, name: str) -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(48000 * 10, 2))
    path = tmp_path / name
    if name.endswith((".m4a", ".wma")):
        write_av(path, noise, 48000, "asf" if name.endswith("wma") else "ipod", "aac")
        if name.endswith(".m4a"):
            fast_start(path)
    else:
        how = {"format": "OGG", "subtype": "OPUS"} if name.endswith("opus") else {}
        write(path, noise, 48000, **how)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10 + 7])
    reason = failure(decoders, path)
    assert "cut off" in reason
    assert "its end is missing" in reason or "of 10.0 seconds" in reason


def test_a_torn_last_page_is_a_cut(decoders: Decoders, tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", 0.1 * np.random.default_rng(0).normal(size=(44100 * 5, 2)))
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off" in failure(decoders, path)


def test_a_flac_without_a_length_is_read_to_its_end(decoders: Decoders, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone(8.0))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the number of samples, as programs that write into a pipe leave it
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert convert(decoders, path)[0].duration == pytest.approx(8.0, abs=0.001)
    path.write_bytes(data[: len(data) * 9 // 10])
    assert convert(decoders, path)[0].duration == pytest.approx(7.2, abs=0.3)


def fast_start(path: Path) -> None:
    """Write an M4A anew with its table of contents first, as downloads have it."""
    import av

    data = path.with_suffix(".tmp.m4a")
    with av.open(str(path)) as before, av.open(str(data), "w", options={"movflags": "faststart"}) as after:
        stream = after.add_stream_from_template(before.streams.audio[0])
        for packet in before.demux(before.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)
    data.replace(path)


def test_what_is_no_audio(decoders: Decoders, tmp_path: Path) -> None:
    for name, data in {
        "text.mp3": b"It was a dark and stormy night.\n" * 50,
        "noise.mp3": np.random.default_rng(1).bytes(50_000),
        "zeros.wav": b"\0" * 5000,
        "half.flac": b"fLaC",
        "bad.mid": b"MThd\0\0\0\6\0\1\0\1\0\0MTrk\0\0\0\4\0\xff\x2f\0",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert failure(decoders, tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {other}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
        "[playlist]\nFile1={other}\n",
        "\n\n# a list\nffconcat version 1.0\nfile {other}\n",
    ],
)
def test_a_disguised_playlist_opens_nothing(decoders: Decoders, tmp_path: Path, text: str) -> None:
    other = write(tmp_path / "secret.wav", tone())
    for named in (other.name, str(other)):
        path = tmp_path / "evil.mp3"
        path.write_text(text.format(other=named))
        assert failure(decoders, path)


def test_too_long_is_refused_early(decoders: Decoders, tmp_path: Path) -> None:
    long = write(tmp_path / "long.flac", np.zeros((8000 * 200, 1), np.int16), 8000)
    assert "minutes long" in failure(decoders, long)
    bomb = b"\0\x90\x3c\x40" + variable(0x0FFFFFFF) + b"\x80\x3c\x40"
    (tmp_path / "bomb.mid").write_bytes(midi([], extra=bomb))
    assert "minutes long" in failure(decoders, tmp_path / "bomb.mid")
    (tmp_path / "dense.mid").write_bytes(midi([(0, 96, 60)] * 20_000))
    assert "more notes than music has" in failure(decoders, tmp_path / "dense.mid")


def test_limits_of_memory_and_the_life_after(tmp_path: Path) -> None:
    good = write(tmp_path / "good.flac", tone())
    with Decoders(IntakeSettings(workers=1, max_memory_mib=2048)) as decoders:
        bad = tmp_path / "bad.wav"
        # A header that promises 60,000 channels.
        data = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 60_000, 44100, 1, 1, 16)
        bad.write_bytes(b"RIFF" + struct.pack("<I", 1 << 20) + data + b"data" + b"\xff" * 200)
        failure(decoders, bad)
        assert decoders.convert(good, tmp_path / "good.wav").duration == pytest.approx(1.0)


def test_names_of_any_bytes(decoders: Decoders, tmp_path: Path) -> None:
    for name in (b"caf\xe9 \xff.flac", b"-y.flac", b"a%03d.flac", b"new\nline.flac", b"http:x.flac"):
        source = tmp_path / os.fsdecode(name)
        write(tmp_path / "plain.flac", tone(0.5)).rename(source)
        assert convert(decoders, source)[0].duration == pytest.approx(0.5)


def test_an_existing_file_is_not_replaced_unless_allowed(decoders: Decoders, tmp_path: Path) -> None:
    source = write(tmp_path / "a.flac", tone())
    (tmp_path / "a.wav").write_text("mine")
    with pytest.raises(FileExistsError):
        decoders.convert(source, tmp_path / "a.wav", overwrite=False)
    assert (tmp_path / "a.wav").read_text() == "mine"


def test_odd_files_never_break_the_pool(decoders: Decoders, tmp_path: Path, shared_data: Path) -> None:
    odd = sorted(path for path in (shared_data / "odd" / "taglib").iterdir() if is_source_name(path.name))
    failures = []
    for path in odd:
        try:
            decoders.convert(path, tmp_path / f"{path.name}.wav")
        except ConversionFailed as error:
            failures.append(error)
    assert len(odd) - len(failures) > 10
    assert not [error for error in failures if not error.permanent or "broke down" in error.title]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:6],
        lambda data: data.replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x77\x77"),
        lambda data: data.replace(b"moov", b"\xff\xff\xff\xff"),
        lambda data: data[:40] + b"\0\0\0\1free\xff\xff\xff\xff\xff\xff\xff\xff" + data[40:],
    ],
    ids=["a few bytes", "unknown codec", "no index", "a box of all bytes"],
)
def test_damaged_structure_has_words(
    decoders: Decoders, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    whole = write_av(tmp_path / "whole.m4a", tone(), 44100, "ipod", "aac").read_bytes()
    riff = write(tmp_path / "whole.wav", tone()).read_bytes()
    for name, data in (("a.m4a", whole), ("a.wav", riff)):
        if change(data) == data:
            continue
        (tmp_path / name).write_bytes(change(data))
        assert "broke down" not in failure(decoders, tmp_path / name)


def test_a_path_longer_than_libsndfile_takes(decoders: Decoders, tmp_path: Path) -> None:
    folder = tmp_path / "/".join(["d" * 200] * 8)
    folder.mkdir(parents=True)
    source = write(tmp_path / "plain.flac", tone(0.5)).rename(folder / "a.flac")
    assert decoders.convert(source, folder / "a.wav").duration == pytest.approx(0.5)
    assert seconds_of(folder / "a.wav") == pytest.approx(0.5)
    assert len(peaks(folder / "a.wav", 10)) == 10
