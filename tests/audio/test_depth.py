"""Sample formats and rates: bit-exact where nothing is lost, dithered where something is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.audio.guard import ConversionFailed, Decoders
from assistant.audio.quantise import Quantiser
from assistant.config import IntakeSettings
from tests.made_sounds import tone, write


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(IntakeSettings(workers=1)) as decoders:
        yield decoders


def converted(decoders: Decoders, source: Path) -> np.ndarray:
    target = source.with_name("out.wav")
    decoders.convert(source, target)
    samples, rate = soundfile.read(target, dtype="int16", always_2d=True)
    assert rate == 44100
    assert isinstance(samples, np.ndarray)
    return samples


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 48000, 88200, 96000, 192000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_depths_and_rates(decoders: Decoders, tmp_path: Path, rate: int, subtype: str) -> None:
    source = write(tmp_path / "a.wav", tone(0.3, rate), rate, subtype=subtype)
    samples = converted(decoders, source)
    assert len(samples) == pytest.approx(0.3 * 44100, abs=5)
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples))))
    assert spectrum.argmax() * 44100 / len(samples) == pytest.approx(440, abs=4)
    assert np.abs(samples[2000:-2000]).max() == pytest.approx(8192, rel=0.03)  # a step of 8 bits is 256


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sixteen_bits_in_any_wrapping_pass_bit_for_bit(
    decoders: Decoders, tmp_path: Path, subtype: str
) -> None:
    values = np.random.default_rng(0).integers(-32768, 32768, (50000, 2)).astype(np.int16)
    source = write(tmp_path / "a.wav", values / 32768, subtype=subtype)
    assert (converted(decoders, source) == values).all()


def test_a_tone_below_one_step_is_kept_by_dither(decoders: Decoders, tmp_path: Path) -> None:
    time = np.arange(44100 * 2) / 44100
    quiet = 0.4 / 32768 * np.sin(2 * np.pi * 1000 * time)  # rounding alone would make silence of it
    loud = np.zeros(4410)
    loud[:100] = 0.25 + 0.1 / 32768
    source = write(tmp_path / "a.wav", np.concatenate([loud, quiet])[:, None], subtype="PCM_24")
    samples = converted(decoders, source)[4410:, 0]
    spectrum = np.abs(np.fft.rfft(samples)) / len(samples) * 2
    assert spectrum[2000] == pytest.approx(0.4, rel=0.1)
    others = np.delete(spectrum, [0, 2000])
    assert others.max() < 0.05  # no harmonics: the error is noise
    assert samples.std() == pytest.approx(np.sqrt(0.08 + 0.25), rel=0.1)  # of two steps, triangular


def test_conversion_is_repeatable_and_silence_stays(decoders: Decoders, tmp_path: Path) -> None:
    samples = tone(1.0)
    samples[10_000:20_000] = 0
    samples[:, 1] = 0
    source = write(tmp_path / "a.wav", samples, subtype="PCM_24")
    first, second = converted(decoders, source), converted(decoders, source)
    assert (first == second).all()
    assert not first[10_000:20_000].any()
    assert not first[:, 1].any()
    other = source.rename(tmp_path / "other.name")
    assert (converted(decoders, other) == first).all()


def test_the_error_is_at_most_a_step_and_a_half() -> None:
    random = np.random.default_rng(1)
    block = random.uniform(-1, 1, (100_000, 2)).astype(np.float32)
    error = Quantiser(0)(block) - np.clip(block * 32768.0, -32768, 32767)
    assert np.abs(error).max() <= 1.51
    assert abs(error.mean()) < 0.01


@pytest.mark.parametrize("container", ["RF64", "W64"])
def test_formats_for_more_than_four_gib(decoders: Decoders, tmp_path: Path, container: str) -> None:
    source = write(tmp_path / "a.wav", tone(2.0), format=container, subtype="PCM_16")
    assert len(converted(decoders, source)) == 88200
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(ConversionFailed, match="cut off"):
        decoders.convert(source, tmp_path / "out.wav")


@pytest.mark.slow
def test_a_source_over_four_gib_is_read_to_its_end(tmp_path: Path) -> None:
    frames, channels, rate = 134_500_000, 8, 192_000
    size = frames * channels * 4
    assert size > 1 << 32
    head = b"RF64" + b"\xff" * 4 + b"WAVEds64" + struct.pack("<IQQQI", 28, size + 72, size, frames, 0)
    head += b"fmt " + struct.pack("<IHHIIHH", 16, 3, channels, rate, rate * channels * 4, channels * 4, 32)
    head += b"data" + b"\xff" * 4
    source = tmp_path / "large.wav"
    end = np.zeros((rate, channels), np.float32)
    end[:, :2] = tone(1.0, rate)
    with source.open("wb") as file:
        file.write(head)
        file.seek(size - end.nbytes, 1)  # silence takes no room on the disk
        file.write(end.tobytes())
    with Decoders(IntakeSettings(workers=1)) as decoders:
        made = decoders.convert(source, tmp_path / "out.wav")
    assert made.duration == pytest.approx(frames / rate, abs=0.01)
    last, _rate = soundfile.read(tmp_path / "out.wav", start=-30_000)
    assert np.abs(last).max() > 0.05


def test_a_wav_over_four_gib_is_refused_before_it_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "a.flac", np.zeros((8000 * 60, 2), np.int16), 8000)
    data = bytearray(source.read_bytes())
    data[21] = data[21] & 0xF0
    data[22:26] = struct.pack(">I", 8000 * 3600 * 7)  # the header promises seven hours
    source.write_bytes(data)
    with (
        Decoders(IntakeSettings(workers=1, max_minutes=600)) as decoders,
        pytest.raises(ConversionFailed, match="4 GiB"),
    ):
        decoders.convert(source, tmp_path / "out.wav")


@pytest.mark.parametrize("suffix", [".mp3", ".mid", ".xm", ".opus", ".txt"])
@pytest.mark.parametrize("how", ["WAV", "AIFF", "FLAC", "OGG", "MP3", "CAF", "W64", "AU"])
def test_content_decides(decoders: Decoders, tmp_path: Path, how: str, suffix: str) -> None:
    source = write(tmp_path / f"a{suffix}", tone(0.5), format=how)
    assert len(converted(decoders, source)) == pytest.approx(22050, abs=2500)
