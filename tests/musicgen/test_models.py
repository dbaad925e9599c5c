"""Which models there are, and the one that comes with the package."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import backend, blueprint
from assistant.musicgen.engine.engine import Clip, Request
from assistant.musicgen.loading import codec_hash, load_codec, load_lm
from assistant.musicgen.models import (
    BUILT_IN,
    HUB_LICENCE,
    MINI_FOLDER,
    list_models,
    load_model,
    read_card,
)

backend.prepare()


def test_the_list_of_models(library: Library) -> None:
    models = {model.name: model for model in list_models(library)}
    assert next(iter(models)) == BUILT_IN == Settings().musicgen.model
    assert (models[BUILT_IN].present, models[BUILT_IN].licence) == (True, "MIT")
    assert models["facebook/musicgen-small"].licence == HUB_LICENCE


def test_a_model_that_cannot_be_had_says_how_to_get_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("AUDIOCRAFT_CACHE_DIR", str(library.root / "cache"))
    with pytest.raises(MusicHelperError) as caught:
        load_model("facebook/musicgen-small", library.root, "cpu", "auto")
    assert "hf download facebook/musicgen-small" in caught.value.hint


def test_the_built_in_model_is_as_its_card_says() -> None:
    cpu = torch.device("cpu")
    codec = load_codec(BUILT_IN, MINI_FOLDER, cpu)
    lm = load_lm(BUILT_IN, MINI_FOLDER, cpu, torch.float32)
    card = read_card(MINI_FOLDER)
    assert (codec.frame_rate, codec.sample_rate, codec.num_codebooks) == (50, 32_000, 4)
    assert codec.cardinality == lm.card
    assert card["codec"]["hash"] == codec_hash(codec)
    assert card["parameters"] == sum(parameter.numel() for parameter in lm.parameters())
    assert 5e6 < card["parameters"] < 20e6
    assert sum(path.stat().st_size for path in MINI_FOLDER.iterdir()) < 40e6
    assert not list(MINI_FOLDER.glob("*.bin"))  # nothing that would be unpickled


def test_the_built_in_model_plays_and_heeds_what_it_is_asked(library: Library) -> None:
    engine = load_model(BUILT_IN, library.root, "cpu", "float32")
    clips = [Clip(seed, (genre,)) for genre in ("classical music", "metal") for seed in range(3)]
    bright = []
    for sound in engine.make(clips, Request(4 * blueprint.FRAME_RATE)):
        assert sound.shape == (1, 4 * blueprint.SAMPLE_RATE)
        assert float(np.sqrt(np.mean(sound**2))) > 0.01
        # The share of its power above 4 kHz: cymbals and distortion beside strings.
        power = np.abs(np.fft.rfft(sound[0])) ** 2
        bright.append(float(power[len(power) // 4 :].sum() / power.sum()))
    assert min(bright[3:]) > 2 * max(bright[:3])
