"""From a library's tracks to tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.encode import encode, encode_library
from assistant.musicgen.loading import load_codec
from tests.musicgen.tiny_models import NAME, chord, write_tiny_model

backend.prepare()


def test_tokens_are_built_once_and_survive_moves(music: Library) -> None:
    write_tiny_model(music)
    progress: list[tuple[int, int]] = []
    cache, summary = encode_library(music, NAME, "cpu", lambda done, total: progress.append((done, total)))
    assert (summary["tracks"], summary["built"], summary["failed"]) == (6, 6, [])
    assert summary["seconds"] == pytest.approx(18.0)
    assert progress[-1] == (6, 6)
    content = music.ledger.tracks()[0].content
    assert cache.read(content).shape == (4, 150)
    _cache, summary = encode_library(music, NAME, "cpu", lambda _done, _total: None)
    assert summary["built"] == 0


def test_a_track_that_is_gone_costs_no_other(music: Library) -> None:
    write_tiny_model(music)
    track = music.ledger.tracks()[0]
    (music.root / track.path).unlink()
    _cache, summary = encode_library(music, NAME, "cpu", lambda _done, _total: None)
    assert summary["built"] == 5
    assert summary["failed"][0][0] == str(track.path)


def test_pieces_give_the_tokens_of_the_whole(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = load_codec(NAME, music_and_model.paths.models / NAME, torch.device("cpu"))
    samples = np.concatenate([chord(index, 3.0, 32_000) for index in range(4)])[None]
    with torch.no_grad():
        whole = codec.encode(torch.from_numpy(samples)[None])[0][0].numpy()
    monkeypatch.setattr("assistant.musicgen.encode.PIECE_SECONDS", 2)
    monkeypatch.setattr("assistant.musicgen.encode.CONTEXT_SECONDS", 1)
    real, calls = codec.encode, []

    def counted(x: torch.Tensor) -> Any:
        calls.append(tuple(x.shape))
        return real(x)

    monkeypatch.setattr(codec, "encode", counted)
    pieces = encode(codec, samples, torch.device("cpu"))
    assert whole.shape == pieces.shape == (4, 600)
    assert float((whole == pieces).mean()) > 0.99
    assert calls == [(2, 1, 4 * 32_000)] * 3  # of equal length, also at the ends, two at once
