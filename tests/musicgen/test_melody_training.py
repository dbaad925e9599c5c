from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from assistant.library.library import Library
from assistant.musicgen import chroma
from assistant.musicgen.chroma import ChromaCache, chroma_of, together
from assistant.musicgen.conditions import MELODY, Conditions
from assistant.musicgen.models import load_model
from tests.musicgen.engines import follow_melodies, melody_model
from tests.musicgen.finetunes import go, of, spec
from tests.musicgen.test_masked_loss import gradients, ours, reference
from tests.musicgen.tiny_models import chord, write_tiny_model

CPU = torch.device("cpu")
RATE, FRAMES, HOP = 32_000, 60, 640
STARTS = (10, 55)
CAPTIONS = ["a slow jazz tune", "rock"]


@pytest.fixture
def sound() -> np.ndarray[Any, Any]:
    """A tune of four chords `[1, samples]`."""
    return np.concatenate([chord(index, 0.7, RATE) for index in (0, 5, 7, 2)])[None]


def trained_model() -> Any:
    """As audiocraft's solver has it: the melody is masked where it is over, and never repeated."""
    lm = melody_model(spread=False).train()
    conditioner = lm.condition_provider.conditioners[MELODY]
    conditioner.match_len_on_eval, conditioner._use_masking = False, True
    return lm


def audiocrafts(lm: Any, path: Path, place: Path) -> dict[str, Any]:
    """The conditions of crops by audiocraft's provider, with its cache of chroma."""
    from audiocraft.modules.conditioners import ConditioningAttributes, WavCondition
    from audiocraft.utils.cache import EmbeddingCache

    conditioner = lm.condition_provider.conditioners[MELODY]
    conditioner.cache = EmbeddingCache(
        place, "cpu", conditioner._get_full_chroma_for_cache, conditioner._extract_chroma_chunk
    )
    samples = FRAMES * HOP
    attributes = [
        ConditioningAttributes(
            text={"description": caption},
            wav={
                MELODY: WavCondition(
                    torch.full((1, 1, samples), float("nan")),
                    torch.tensor([samples]),
                    [RATE],
                    [str(path)],
                    [start * HOP / RATE],
                )
            },
        )
        for start, caption in zip(STARTS, CAPTIONS, strict=True)
    ]
    found: dict[str, Any] = lm.condition_provider(lm.condition_provider.tokenize(attributes))
    conditioner.cache = None
    return found


def test_loss_and_gradients_with_a_melody_are_those_of_audiocraft(
    tmp_path: Path, sound: np.ndarray[Any, Any]
) -> None:
    lm = trained_model()
    soundfile.write(tmp_path / "tune.wav", sound[0], RATE, subtype="FLOAT")
    cache = ChromaCache(tmp_path / "ours", lm.condition_provider.conditioners[MELODY], (), RATE / HOP)
    cache.add("tune", sound, CPU)
    melodies = together([cache.crop("tune", start, FRAMES, FRAMES) for start in STARTS])
    tokens = torch.randint(0, lm.card, (2, lm.n_q, FRAMES))
    theirs, each = reference(
        lm,
        tokens,
        torch.ones_like(tokens, dtype=torch.bool),
        CAPTIONS,
        audiocrafts(lm, tmp_path / "tune.wav", tmp_path / "theirs"),
    )
    expected = gradients(lm, theirs)
    loss, ours_each = ours(lm, tokens, CAPTIONS, melodies=melodies)
    found = gradients(lm, loss)
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    assert ours_each.tolist() == pytest.approx([float(one) for one in each], abs=1e-6)
    assert found.keys() == expected.keys()
    assert f"condition_provider.conditioners.{MELODY}.output_proj.weight" in found
    for name, gradient in expected.items():
        assert float((found[name] - gradient).abs().max()) <= 2e-5 * float(gradient.abs().max()), name
    # And it is the melody that makes them.
    other, _each = ours(lm, tokens, CAPTIONS)
    assert abs(float(other.detach()) - float(loss.detach())) > 1e-4


def test_a_melody_that_is_over_or_not_heard_is_masked_as_by_audiocraft(
    tmp_path: Path, sound: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiocraft.modules.conditioners import WavCondition

    lm = trained_model()
    conditioner = lm.condition_provider.conditioners[MELODY]
    cache = ChromaCache(tmp_path, conditioner, (), RATE / HOP)
    cache.add("tune", sound, CPU)
    sounding = (FRAMES, 25, 0)
    melodies = together([cache.crop("tune", 0, FRAMES, heard) for heard in sounding])
    embedded, mask = Conditions(lm).tensors(["jazz"] * 3, melodies)[0][MELODY]
    monkeypatch.setattr(conditioner, "_get_wav_embedding", lambda _x: torch.from_numpy(melodies.chroma))
    lengths = torch.tensor([heard * HOP for heard in sounding])
    expected, expected_mask = conditioner(
        WavCondition(torch.zeros(3, 1, FRAMES * HOP), lengths, [RATE] * 3, [None] * 3, [None] * 3)
    )
    assert torch.equal(mask, expected_mask)
    assert torch.equal(embedded, expected)
    assert mask.sum(1).tolist() == [mask.shape[1], 16, 0]


def test_the_chroma_of_pieces_is_that_of_the_whole(
    sound: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    conditioner = melody_model().condition_provider.conditioners[MELODY]
    conditioner.chroma.argmax = False
    whole = conditioner._extract_chroma(torch.from_numpy(sound)[None])[0].T.numpy()
    monkeypatch.setattr(chroma, "_PIECE_FRAMES", 20)
    for length in (sound.shape[1], 20 * 1024, 2000):
        part = chroma_of(conditioner, sound[:, :length], CPU)
        if length == sound.shape[1]:
            assert part.shape == whole.shape
            assert np.abs(part - whole).max() < 1e-6
        assert np.isfinite(part).all()


def test_a_melody_model_is_fine_tuned_and_followed(music: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(music, change=follow_melodies)
    wanted = spec("tuneful", steps=3, sample_every=3, sample_seconds=0.5)
    events = go(music, wanted, "run-tuneful")
    assert "melodies" in [event["what"] for event in of(events, "preparing")]
    assert any("drums and bass" in event["text"] for event in of(events, "warning"))
    assert len(of(events, "sample")) > 0
    assert load_model("tuneful", music.root, "cpu", "float32").follows_melodies
    # The chroma is there now; with the melodies dropped the losses are others.
    monkeypatch.setattr(chroma, "chroma_of", None)
    again = go(music, spec("again", steps=3), "run-again")
    assert [event["loss"] for event in of(again, "step")] == [event["loss"] for event in of(events, "step")]
    deaf = go(music, spec("deaf", steps=3, melody_dropout=1.0), "run-deaf")
    assert [event["loss"] for event in of(deaf, "step")] != [event["loss"] for event in of(events, "step")]
