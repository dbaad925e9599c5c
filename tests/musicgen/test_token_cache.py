from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.musicgen import arrays
from assistant.musicgen.tokens import TokenCache


def numbers(seed: int, frames: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.random.default_rng(seed).integers(0, 2048, (4, frames)).astype(np.int16)


def test_tokens_come_back_also_in_another_process(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path, "codec", 4)
    for index in range(5):
        cache.add(f"content{index}", numbers(index, 10 + index))
    for reader in (cache, TokenCache(tmp_path, "codec", 4)):
        for index in range(5):
            assert np.array_equal(reader.read(f"content{index}"), numbers(index, 10 + index))
    assert "content0" not in TokenCache(tmp_path, "another", 4)


def test_a_shard_is_followed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "ARRAYS_IN_SHARD", 2)
    cache = TokenCache(tmp_path, "codec", 4)
    for index in range(5):
        cache.add(f"content{index}", numbers(index, 8))
    assert len(list((tmp_path / "codec").glob("*.bin"))) == 3
    again = TokenCache(tmp_path, "codec", 4)
    assert all(np.array_equal(again.read(f"content{index}"), numbers(index, 8)) for index in range(5))


def test_what_an_interruption_left_is_overwritten(tmp_path: Path) -> None:
    TokenCache(tmp_path, "codec", 4).add("whole", numbers(1, 20))
    with (tmp_path / "codec" / "00000.bin").open("ab") as file:
        file.write(b"half a track")
    with (tmp_path / "codec" / "00000.jsonl").open("ab") as file:
        file.write(b'{"content": "tor')
    cache = TokenCache(tmp_path, "codec", 4)
    assert len(cache) == 1
    cache.add("next", numbers(2, 30))
    again = TokenCache(tmp_path, "codec", 4)
    assert np.array_equal(again.read("whole"), numbers(1, 20))
    assert np.array_equal(again.read("next"), numbers(2, 30))


def test_an_entry_without_its_bytes_is_not_believed(tmp_path: Path) -> None:
    TokenCache(tmp_path, "codec", 4).add("lost", numbers(1, 20))
    with (tmp_path / "codec" / "00000.bin").open("r+b") as file:
        file.truncate(30)
    assert "lost" not in TokenCache(tmp_path, "codec", 4)
