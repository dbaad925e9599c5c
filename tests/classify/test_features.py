"""Features have librosa's numbers, are cached, and bad files are named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.classify.features import HEARD, FeatureSpec, Kind, Source, extract, extract_all
from assistant.classify.heard import PULSES, REGIONS, rhythm
from assistant.classify.mfcc import RATE, log_mel, mfcc
from assistant.errors import FileError

MFCC = FeatureSpec("mfcc")


def write(path: Path, seconds: float, rate: int = RATE, level: float = 0.1, channels: int = 1) -> Path:
    noise = np.random.default_rng(0).normal(0, level, (round(seconds * rate), channels)).astype(np.float32)
    soundfile.write(os.fsencode(path), noise, rate, format="WAV")
    return path


def test_mfcc_are_librosas_within_a_ten_thousandth() -> None:
    import librosa

    order = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    chord = np.sum([np.sin(2 * np.pi * pitch * time) for pitch in (110, 220.5, 1_760)], axis=0)
    fading = chord * np.exp(-2 * time) + 1e-3 * order.normal(size=len(time))
    # The quiet one has values of several hundred, where single precision itself is off by 3e-5.
    quiet = 1e-3 * order.normal(size=len(time)) * (time > 1)
    for samples in (0.1 * order.normal(size=len(time)), 0.1 * chord, 0.2 * fading, quiet):
        segment = samples.astype(np.float32)
        ours = mfcc(segment)
        theirs = librosa.feature.mfcc(y=segment, sr=RATE, n_mfcc=13, n_fft=2048, hop_length=512).T
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_a_file_gives_what_librosa_gives_for_its_segments(tmp_path: Path) -> None:
    import librosa

    path = write(tmp_path / "a.wav", 33.0, rate=44_100, channels=2)
    features = extract(Source(path), MFCC, None)
    assert features.shape == (11, 130, 13, 1)
    assert features.dtype == np.float32
    samples, _rate = librosa.load(path, sr=RATE)
    for number in (0, 5, 10):
        segment = samples[number * 3 * RATE :][: 3 * RATE]
        expected = librosa.feature.mfcc(y=segment, sr=RATE, n_mfcc=13, n_fft=2048, hop_length=512).T
        np.testing.assert_allclose(features[number, :, :, 0], expected, rtol=0, atol=1e-4)


def test_log_mel_is_librosas(tmp_path: Path) -> None:
    import librosa

    path = write(tmp_path / "a.wav", 3.0)
    features = extract(Source(path), FeatureSpec("mel"), None)
    assert features.shape == (1, 130, 96, 1)
    samples, _rate = soundfile.read(path, dtype="float32")
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=2048, hop_length=512, n_mels=96)
    np.testing.assert_allclose(features[0, :, :, 0], librosa.power_to_db(power).T, atol=0.05)


@pytest.mark.parametrize(
    ("kind", "seconds", "segments"),
    [("mfcc", 5.0, 3), ("mfcc", 15.0, 10), ("mfcc", 100.0, 33), ("mel", 15.0, 5), ("musicnn", 300.0, HEARD)],
)
def test_where_segments_begin(kind: Kind, seconds: float, segments: int) -> None:
    starts = FeatureSpec(kind).starts(seconds)
    assert len(starts) == segments
    assert starts[0] == 0
    assert 3.0 >= np.diff([*starts, seconds]).min() > 0 or kind == "musicnn"
    assert starts[-1] + 3.0 <= seconds + 1e-6


def test_a_part_of_a_long_track_on_request() -> None:
    starts = FeatureSpec("mfcc", most_segments=4).starts(99.0)
    assert starts == [0.0, 32.0, 64.0, 96.0]


def test_silent_parts_are_left_out_and_bad_files_named(tmp_path: Path) -> None:
    half = tmp_path / "half.wav"
    samples, _rate = soundfile.read(write(half, 10.0), dtype="float32")
    samples[: 7 * RATE] = 0
    soundfile.write(half, samples, RATE)
    assert len(extract(Source(half), MFCC, None)) < 8
    with pytest.raises(FileError, match=r"silent\.wav is silent"):
        extract(Source(write(tmp_path / "silent.wav", 4.0, level=0.0)), MFCC, None)
    with pytest.raises(FileError, match=r"tiny\.wav is too short: 2\.0 s"):
        extract(Source(write(tmp_path / "tiny.wav", 2.0)), MFCC, None)
    garbage = tmp_path / "garbage.wav"
    garbage.write_bytes(b"RIFF" + bytes(range(200)))
    with pytest.raises(FileError, match=r"garbage\.wav cannot be read"):
        extract(Source(garbage), MFCC, None)
    with pytest.raises(FileError, match=r"absent\.wav cannot be read"):
        extract(Source(tmp_path / "absent.wav"), MFCC, None)
    broken = tmp_path / "nan.wav"
    soundfile.write(broken, np.full(4 * RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(FileError, match=r"nan\.wav cannot be read"):
        extract(Source(broken), MFCC, None)


def test_the_cache_is_by_content_and_survives_damage(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    path = write(tmp_path / "a.wav", 4.0)
    first = extract(Source(path, "hash"), MFCC, cache)
    assert isinstance(first, np.memmap), "what lies on the disk need not fill the memory"
    path.unlink()
    again = extract(Source(path, "hash"), MFCC, cache)
    np.testing.assert_array_equal(first, again)
    with pytest.raises(FileError):
        extract(Source(path, "hash"), FeatureSpec("mfcc", 2.0), cache)  # other segments are other features
    with pytest.raises(FileError):
        extract(Source(path, "hash"), FeatureSpec("mel"), cache)
    first = first.copy()
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    write(path, 4.0)
    np.testing.assert_array_equal(first, extract(Source(path, "hash"), MFCC, cache))


def test_many_in_threads(tmp_path: Path) -> None:
    good = [Source(write(tmp_path / f"{n}.wav", 4.0), str(n)) for n in range(6)]
    results = dict(extract_all([*good, Source(tmp_path / "no.wav", "no")], MFCC, tmp_path / "cache", 3))
    assert sorted(results) == list(range(7))
    assert isinstance(results[6], FileError)
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    assert len(extract(Source(write(tmp_path / "caf\udce9.wav", 4.0)), MFCC, None)) == 2


def test_importing_the_room_is_cheap() -> None:
    folder = Path(__file__).parents[2] / "assistant/classify"
    modules = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    code = "import sys\n" + "".join(f"import assistant.classify.{name}\n" for name in modules)
    code += "import assistant.label.decisions, assistant.label.exchange\n"
    code += "heavy = {'tensorflow', 'keras', 'librosa', 'torch', 'sklearn', 'scipy', 'safetensors'}\n"
    code += "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("rate", [2.0, 7.0])
def test_the_rhythm_is_the_rate_of_the_beats(rate: float) -> None:
    time = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(0).normal(0, 0.1, len(time))
    beats = noise * (0.05 + np.maximum(0, np.sin(2 * np.pi * rate * time)) ** 4)
    found = rhythm(log_mel(beats.astype(np.float32), 128)).reshape(len(PULSES) - 1, REGIONS)
    strongest = int(found.mean(axis=1).argmax())
    assert PULSES[strongest] <= rate < PULSES[strongest + 1]
