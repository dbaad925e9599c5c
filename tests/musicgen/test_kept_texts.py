from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.text_encoder import KeptTexts
from tests.musicgen.finetunes import go, of, spec
from tests.musicgen.random_t5 import BINS, Tokenizer, use_random_t5
from tests.musicgen.test_masked_loss import model
from tests.musicgen.tiny_models import write_tiny_model

backend.prepare()

LONG = "a b c d e f g h i j k l"


def with_t5(**settings: Any) -> Any:
    lm = use_random_t5(model([0, 1, 2, 3]))
    conditioner = lm.condition_provider.conditioners["description"]
    conditioner.name = "t5-random"
    for name, value in settings.items():
        setattr(conditioner, name, value)
    return lm


def embedded(conditions: Conditions) -> torch.Tensor:
    found: torch.Tensor = conditions.tensors([LONG, None, "jazz"])[0]["description"][0]
    return found.detach()


def test_a_text_is_learnt_whole_where_audiocraft_would_drop_words_by_chance() -> None:
    assert torch.equal(embedded(Conditions(with_t5(word_dropout=0.9))), embedded(Conditions(with_t5())))


def test_texts_are_computed_in_full_precision_inside_a_step_of_half() -> None:
    expected = embedded(Conditions(with_t5()))
    conditions = Conditions(with_t5())
    with torch.autocast("cpu", torch.bfloat16):
        conditions.tensors([LONG, "jazz"])
    assert torch.equal(embedded(conditions), expected)


def test_texts_come_from_the_disk_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    lm = with_t5()
    conditioner = lm.condition_provider.conditioners["description"]
    expected = embedded(Conditions(lm, KeptTexts(tmp_path, conditioner)))
    encoder = conditioner.__dict__.pop("t5")
    assert torch.equal(embedded(Conditions(lm, KeptTexts(tmp_path, conditioner))), expected)

    (data,) = (tmp_path / "texts-t5-random").glob("*.bin")
    raw = bytearray(data.read_bytes())
    raw[5] ^= 1
    data.write_bytes(raw)
    with pytest.raises(AttributeError):
        embedded(Conditions(lm, KeptTexts(tmp_path, conditioner)))
    conditioner.__dict__["t5"] = encoder
    assert torch.equal(embedded(Conditions(lm, KeptTexts(tmp_path, conditioner))), expected)


def reads_with_t5(config: dict[str, Any]) -> None:
    config["conditioners"]["description"] = {
        "model": "t5",
        "t5": {"name": "t5-small", "finetune": False, "word_dropout": 0.3, "normalize_text": False},
    }
    del config["musichelper"]["tokenizer"]


def test_a_later_run_needs_no_text_encoder(music: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from audiocraft.modules import conditioners
    from transformers import T5Config, T5EncoderModel

    loaded: list[str] = []

    def load(name: str) -> T5EncoderModel:
        loaded.append(name)
        torch.manual_seed(7)
        shape = T5Config(
            vocab_size=BINS, d_model=512, d_kv=8, d_ff=16, num_layers=1, num_heads=1, dropout_rate=0.0
        )
        return T5EncoderModel(shape)

    monkeypatch.setattr(conditioners, "T5EncoderModel", SimpleNamespace(from_pretrained=load))
    monkeypatch.setattr(
        conditioners, "T5Tokenizer", SimpleNamespace(from_pretrained=lambda _name: Tokenizer())
    )
    write_tiny_model(music, change=reads_with_t5)
    loaded.clear()
    first = go(music, spec("first"), "run-first")
    assert loaded == ["t5-small"]

    def gone(_name: str) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")

    monkeypatch.setattr(conditioners, "T5EncoderModel", SimpleNamespace(from_pretrained=gone))
    second = go(music, spec("second"), "run-second")
    for kind in ("step", "validation"):
        assert [e["losses"] for e in of(second, kind)] == [e["losses"] for e in of(first, kind)]
    (music.root / "jazz" / "song0.txt").write_text("Words that nobody has read yet.\n")
    (music.root / "rock" / "song1.txt").write_text("These neither.\n")
    (music.root / "jazz" / "song2.txt").write_text("Nor those.\n")
    with pytest.raises(MusicHelperError, match="t5-small"):
        go(music, spec("third", steps=20, tags_share=0.0, title_share=0.0), "run-third")
