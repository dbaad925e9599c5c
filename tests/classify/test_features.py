"""MFCC segments have librosa's numbers, are cached, and bad files are named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.classify.features import MAX_SEGMENTS, RATE, Source, extract, extract_all
from assistant.errors import FileError


def write(path: Path, seconds: float, rate: int = RATE, level: float = 0.1) -> Path:
    noise = np.random.default_rng(0).normal(0, level, (round(seconds * rate), 1)).astype(np.float32)
    soundfile.write(os.fsencode(path), noise, rate, format="WAV")
    return path


def test_numbers_and_shape_are_librosas(tmp_path: Path) -> None:
    import librosa

    path = write(tmp_path / "a.wav", 3.0)
    features = extract(Source(path), 3.0, None)
    assert features.shape == (1, 130, 13, 1)
    assert features.dtype == np.float16
    samples, _rate = soundfile.read(path, dtype="float32")
    expected = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=13, n_fft=2048, hop_length=512).T
    np.testing.assert_allclose(features[0, :, :, 0], expected, rtol=1e-3, atol=0.02)


def test_segments_spread_over_the_track(tmp_path: Path) -> None:
    assert len(extract(Source(write(tmp_path / "short.wav", 5.0)), 3.0, None)) == 3
    assert len(extract(Source(write(tmp_path / "odd.wav", 3.7, 44_100)), 3.0, None)) == 1
    assert len(extract(Source(write(tmp_path / "long.wav", 100.0, 8_000)), 3.0, None)) == MAX_SEGMENTS


def test_silent_parts_are_left_out_and_bad_files_named(tmp_path: Path) -> None:
    half = tmp_path / "half.wav"
    samples, _rate = soundfile.read(write(half, 10.0), dtype="float32")
    samples[: 7 * RATE] = 0
    soundfile.write(half, samples, RATE)
    assert len(extract(Source(half), 3.0, None)) < 8
    with pytest.raises(FileError, match=r"silent\.wav is silent"):
        extract(Source(write(tmp_path / "silent.wav", 4.0, level=0.0)), 3.0, None)
    with pytest.raises(FileError, match=r"tiny\.wav is too short: 2\.0 s"):
        extract(Source(write(tmp_path / "tiny.wav", 2.0)), 3.0, None)
    garbage = tmp_path / "garbage.wav"
    garbage.write_bytes(b"RIFF" + bytes(range(200)))
    with pytest.raises(FileError, match=r"garbage\.wav cannot be read"):
        extract(Source(garbage), 3.0, None)
    with pytest.raises(FileError, match=r"absent\.wav cannot be read"):
        extract(Source(tmp_path / "absent.wav"), 3.0, None)
    broken = tmp_path / "nan.wav"
    soundfile.write(broken, np.full(4 * RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(FileError, match=r"nan\.wav cannot be read"):
        extract(Source(broken), 3.0, None)


def test_the_cache_is_by_content_and_survives_damage(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    path = write(tmp_path / "a.wav", 4.0)
    first = extract(Source(path, "hash"), 3.0, cache)
    path.unlink()
    again = extract(Source(path, "hash"), 3.0, cache)
    np.testing.assert_array_equal(first, again)
    with pytest.raises(FileError):
        extract(Source(path, "hash"), 2.0, cache)  # other segments are other features
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    write(path, 4.0)
    np.testing.assert_array_equal(first, extract(Source(path, "hash"), 3.0, cache))


def test_many_in_threads(tmp_path: Path) -> None:
    good = [Source(write(tmp_path / f"{n}.wav", 4.0), str(n)) for n in range(6)]
    results = dict(extract_all([*good, Source(tmp_path / "no.wav", "no")], 3.0, tmp_path / "cache", 3))
    assert sorted(results) == list(range(7))
    assert isinstance(results[6], FileError)
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    assert len(extract(Source(write(tmp_path / "caf\udce9.wav", 4.0)), 3.0, None)) == 2


def test_importing_the_room_is_cheap() -> None:
    modules = ("training", "predict", "store", "worker", "network", "features", "split", "report", "export")
    code = "import sys\n" + "".join(f"import assistant.classify.{name}\n" for name in modules)
    code += "import assistant.label.decisions, assistant.label.exchange\n"
    code += "heavy = {'tensorflow', 'keras', 'librosa', 'torch', 'sklearn', 'scipy', 'safetensors'}\n"
    code += "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
