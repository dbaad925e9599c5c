from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assistant.config import Settings
from assistant.errors import CallError, MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import backend, blueprint
from assistant.musicgen import codec as codec_module
from assistant.musicgen.codec import keep_variance, train_codec
from assistant.musicgen.encode import encode, encode_library
from assistant.musicgen.kmeans import kmeans
from assistant.musicgen.loading import load_codec
from assistant.musicgen.models import BUILT_IN, HUB_LICENCE, list_models, load_model
from tests.musicgen.tiny_models import NAME, chord, write_tiny_model

backend.prepare()


def small_codec() -> Any:
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    config = blueprint.codec_config()
    config["seanet"]["n_filters"] = 4
    config["rvq"]["bins"] = 64
    torch.manual_seed(0)
    return builders.get_compression_model(OmegaConf.create({**config, "device": "cpu"}))


def piece(index: int) -> np.ndarray[Any, Any]:
    """Two seconds of tones with overtones and a beat of noise."""
    random = np.random.default_rng(index)
    noise = 0.1 * random.standard_normal(64_000) * np.exp(-20 * (np.arange(64_000) / 8_000 % 1))
    return (chord(int(random.integers(24)), 2.0, 32_000) + noise).astype(np.float32)


def test_the_codec_hears_its_input_before_it_has_learnt() -> None:
    codec = small_codec()
    wave = torch.from_numpy(np.stack([piece(0), piece(1)]))[:, None]
    keep_variance(codec)
    with torch.no_grad():
        latent = codec.encoder(wave)
        decoded = codec.decoder(latent)
    assert 0.1 < float(latent.std(dim=2).mean()) < 10.0
    # The two outputs differ as much as they are loud: no common hum.
    assert float((decoded[0] - decoded[1]).std()) > 0.5 * float(decoded.std())


def test_the_codec_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH", 3), ("CROP_SECONDS", 0.24), ("FEWEST_STEPS", 60), ("PATIENCE", 1e6)):
        monkeypatch.setattr(codec_module, name, value)
    monkeypatch.setattr(codec_module, "LATENTS_FOR_CODEBOOKS", 500)
    codec = small_codec()
    result = train_codec(codec, [piece(index) for index in range(24)], 32_000, seconds=0.1)
    assert result.steps == 60
    assert result.distance < result.distance_of_silence
    assert min(result.codes_used) > 0.1
    assert not codec.training


@pytest.mark.slow
def test_the_codec_learns_which_codes_are_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "FEWEST_STEPS", 600)
    monkeypatch.setattr(codec_module, "PATIENCE", 1e6)
    result = train_codec(small_codec(), [piece(index) for index in range(24)], 32_000, seconds=0.1)
    assert result.distance_of_wrong_codes is not None
    assert result.distance < 0.9 * result.distance_of_wrong_codes


def test_kmeans_finds_the_groups() -> None:
    torch.manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = torch.cat([middle + 0.1 * torch.randn(50, 2) for middle in middles])
    centres, sizes = kmeans(points, 3)
    assert sizes.tolist() == [50, 50, 50]
    assert float(torch.cdist(middles, centres).min(dim=1).values.max()) < 0.1
    few, _sizes = kmeans(points[:2], 5)
    assert few.shape == (5, 2)


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


def test_the_list_of_models(library: Library) -> None:
    models = {model.name: model for model in list_models(library)}
    assert not models[BUILT_IN].present
    assert models["facebook/musicgen-small"].licence == HUB_LICENCE
    assert next(iter(models)) == BUILT_IN
    with pytest.raises(CallError):
        load_model(BUILT_IN, library.root, "cpu", "auto")


def test_a_model_that_cannot_be_had_says_how_to_get_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("AUDIOCRAFT_CACHE_DIR", str(library.root / "cache"))
    with pytest.raises(MusicHelperError) as caught:
        load_model("facebook/musicgen-small", library.root, "cpu", "auto")
    assert "hf download facebook/musicgen-small" in caught.value.hint


def test_the_built_in_model_fits_its_own_description() -> None:
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    assert Settings().musicgen.model == BUILT_IN
    codec = builders.get_compression_model(OmegaConf.create({**blueprint.codec_config(), "device": "cpu"}))
    lm = builders.get_lm_model(OmegaConf.create(blueprint.lm_config()))
    assert (codec.frame_rate, codec.sample_rate, codec.num_codebooks) == (50, 32_000, 4)
    assert codec.cardinality == lm.card == blueprint.BINS
    assert 2e6 < sum(parameter.numel() for parameter in lm.parameters()) < 9e6
