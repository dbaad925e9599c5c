"""The steps that make the shipped model, each at the smallest size."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assistant.musicgen import backend
from assistant.musicgen.blueprint import LM_FILE, SAMPLE_RATE
from assistant.musicgen.kmeans import kmeans
from assistant.musicgen.loading import codec_hash, load_codec, load_lm
from assistant.musicgen.mini import codec as codec_module
from assistant.musicgen.mini import data, lm, packaging, shape, tokens
from assistant.musicgen.mini.captions import caption
from assistant.musicgen.mini.codec import CodecPlan, CodecTraining, build_codec, keep_variance
from assistant.musicgen.mini.lm import LmPlan, LmTraining
from assistant.musicgen.models import read_card
from tests.musicgen.tiny_models import chord

backend.prepare()
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small() -> Any:
    """Pieces, windows and networks of the smallest size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "SHARD", 2)
        patch.setattr(data, "PIECE_SECONDS", 6.0)
        for name, value in (("BINS", 16), ("DIMENSION", 32), ("LAYERS", 2), ("HEADS", 2)):
            patch.setattr(shape, name, value)
        patch.setattr(lm, "SPAN_SECONDS", 2.0)
        patch.setattr(codec_module, "LATENTS_FOR_CODEBOOKS", 64)
        yield


@pytest.fixture(scope="module")
def work(small: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with rendered pieces."""
    folder: Path = tmp_path_factory.mktemp("mini")
    for split in ("train", "valid"):
        data.data_folder(folder).mkdir(exist_ok=True)
        data.make_shard(data.data_folder(folder), split, 0)
    return folder


def test_pieces_are_as_their_lines_say(work: Path) -> None:
    ((samples, pieces),) = data.shards(work, "train")
    assert [made.genre for made in pieces] == ["blues", "classical"]
    assert sum(made.samples for made in pieces) == len(samples)
    for made in pieces:
        audio = samples[made.start : made.start + made.samples].astype(np.float32) / 32767
        assert 0.03 < float(np.sqrt(np.mean(audio**2))) <= data.LEVEL + 0.01
        assert float(np.abs(audio).max()) <= data.PEAK + 1e-3
        assert made.bars[0] == 0
        beats, unit = map(int, made.meter.split("/"))
        bar = beats * 4 / unit * 60 / made.bpm * SAMPLE_RATE
        assert made.bars[1] == pytest.approx(bar, abs=2)


def test_what_is_there_is_not_rendered_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "make_shard", lambda *_given: pytest.fail("rendered again"))
    data.make_data(work, "train", 2)


def test_captions_say_what_is_true_in_many_ways(work: Path) -> None:
    ((_samples, pieces),) = data.shards(work, "train")
    chance = random.Random(0)
    made = pieces[0]
    texts = {caption(made, chance) for _time in range(300)}
    assert len(texts) > 150
    other = {"classical", "country", "disco", "hip-hop", "jazz", "metal", "pop", "reggae", "rock"}
    for text in texts:
        words = set(text.casefold().replace(",", " ").replace(".", " ").split())
        assert not words & other
        assert not {word for word in words if word.isdigit()} - {f"{made.bpm:.0f}", "3", "4", "6", "8"}


def test_the_codec_hears_its_input_before_it_has_learnt(small: Any) -> None:
    torch.manual_seed(0)
    codec = build_codec(CPU)
    keep_variance(codec)
    wave = torch.from_numpy(np.stack([chord(0, 1.0, 32_000), chord(7, 1.0, 32_000)]))[:, None]
    with torch.no_grad():
        latent = codec.encoder(wave)
        decoded = codec.decoder(latent)
    assert 0.1 < float(latent.std(dim=2).mean()) < 10.0
    # The two outputs differ as much as they are loud: no common hum.
    assert float((decoded[0] - decoded[1]).std()) > 0.5 * float(decoded.std())


def test_kmeans_finds_the_groups() -> None:
    torch.manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = torch.cat([middle + 0.1 * torch.randn(50, 2) for middle in middles])
    centres, sizes = kmeans(points, 3)
    assert sizes.tolist() == [50, 50, 50]
    assert float(torch.cdist(middles, centres).min(dim=1).values.max()) < 0.1
    few, _sizes = kmeans(points[:2], 5)
    assert few.shape == (5, 2)


def test_every_step_goes_on_and_the_model_can_be_loaded(work: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    for steps in (2, 4):
        training = CodecTraining(CodecPlan(minutes=1.0, batch=2, crop_seconds=0.24), work)
        while training.steps < steps:
            losses.append(training._step(0.1)["spectral"])
        assert training.steps == steps
        if steps == 4:
            training._fit_codebooks()
            training._step(0.5)
            training._freeze()
            training._step(0.9)
        training._save()
    assert losses[-1] < losses[0]
    tokens.make_tokens(work, CPU)
    found = tokens.read_tokens(work, "train")
    assert [piece.made.genre for piece in found] == ["blues", "classical"]
    for piece in found:
        assert piece.codes.shape == (4, -(-piece.made.samples // 640))
        assert len(np.unique(piece.codes)) > 4
        assert piece.crop(100, np.random.default_rng(0)).shape == (4, 100)
    lm_losses: list[float] = []
    for steps in (3, 6):
        learning = LmTraining(LmPlan(minutes=1.0, batch=2), work)
        assert learning.steps == steps - 3
        while learning.steps < steps:
            lm_losses.append(learning._step(0.1))
        learning._save()
    assert lm_losses[-1] < lm_losses[0]
    packaging.write_mini(work, tmp_path / "made")
    card = read_card(tmp_path / "made")
    assert card["steps"] == 6
    assert card["codec"]["hash"] == codec_hash(load_codec("made", tmp_path / "made", CPU))
    built = load_lm("made", tmp_path / "made", CPU, torch.float32)
    assert set(built.state_dict()) == set(lm.build_lm(CPU).state_dict())
    assert (tmp_path / "made" / LM_FILE).with_suffix(".safetensors").stat().st_size < 2e6
