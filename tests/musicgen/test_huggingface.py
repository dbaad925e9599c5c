from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from assistant.errors import MusicHelperError
from assistant.library.library import Library
from assistant.musicgen import backend, loading
from assistant.musicgen.conditions import Conditions
from assistant.musicgen.formats import export_model
from assistant.musicgen.forward import hidden_states
from assistant.musicgen.huggingface import to_huggingface, write_huggingface
from assistant.musicgen.models import is_adapter, model_folder
from tests.musicgen.finetunes import go, spec
from tests.musicgen.random_t5 import use_random_t5
from tests.musicgen.test_masked_loss import model
from tests.musicgen.tiny_models import NAME

backend.prepare()


def encodec() -> Any:
    from transformers import EncodecConfig, EncodecModel

    return EncodecModel(
        EncodecConfig(
            sampling_rate=32_000,
            num_filters=2,
            hidden_size=8,
            num_lstm_layers=1,
            codebook_size=32,
            upsampling_ratios=[8, 5, 4, 4],
            target_bandwidths=[2.2],
        )
    )


def test_transformers_gives_the_same_logits(tmp_path: Path) -> None:
    from transformers import MusicgenForConditionalGeneration

    lm = use_random_t5(model([0, 1, 2, 3])).eval()
    conditioner = lm.condition_provider.conditioners["description"]
    to_huggingface(lm, conditioner.t5, encodec()).save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    theirs = MusicgenForConditionalGeneration.from_pretrained(tmp_path).train(False)
    assert theirs.config.decoder.dropout == 0.0
    tokens = torch.randint(0, lm.card, (1, 4, 20))
    text = "a slow jazz tune"
    words = conditioner.tokenize([text])
    with torch.no_grad():
        expected = lm(tokens, [], {"description": conditioner(words)})
        found = theirs(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            decoder_input_ids=tokens.reshape(4, 20),
        ).logits
    assert torch.allclose(found.reshape(1, 4, 20, -1), expected, atol=1e-5)


def test_a_captions_states_are_those_of_audiocraft_alone_whatever_its_batch() -> None:
    lm = use_random_t5(model([0, 1, 2, 3])).eval()
    conditioner = lm.condition_provider.conditioners["description"]
    conditions = Conditions(lm)
    captions = ["jazz", None, "a long caption of many words about rock"]
    tokens = torch.randint(0, lm.card, (1, 4, 12))
    with torch.no_grad():
        embedded, mask = conditions.tensors(captions)
        together = hidden_states(lm, tokens.expand(3, -1, -1), embedded, mask=mask)
        for row, caption in enumerate(captions):
            alone = {"description": conditioner(conditioner.tokenize([caption]))}
            x, cross = lm.fuser(sum(lm.emb[k](tokens[:, k]) for k in range(4)), alone)
            expected = lm.out_norm(lm.transformer(x, cross_attention_src=cross))
            assert torch.allclose(together[row : row + 1], expected, atol=1e-5)


def test_a_text_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = use_random_t5(model([0, 1, 2, 3]))
    conditioner = lm.condition_provider.conditioners["description"]
    real, calls = conditioner.t5.forward, []

    def forward(*args: Any, **named: Any) -> Any:
        calls.append(1)
        return real(*args, **named)

    monkeypatch.setattr(conditioner.t5, "forward", forward)
    conditions = Conditions(lm)
    for _number in range(3):
        conditions.tensors(["jazz", "rock", None, "jazz"])
    assert len(calls) == 2


def test_a_model_that_transformers_does_not_have_says_so(tmp_path: Path) -> None:
    with pytest.raises(MusicHelperError) as caught:
        write_huggingface(model([0, 1, 2, 3]), None, tmp_path / "out")
    assert "transformers" in caught.value.title
    assert not (tmp_path / "out").exists()


def test_an_adapter_is_exported_alone_or_merged(music_and_model: Library, tmp_path: Path) -> None:
    library = music_and_model
    go(library, spec("slim", method="lora", steps=2, validate_every=0), "run-slim")
    export_model("slim", library.paths, "adapter", tmp_path / "alone")
    assert is_adapter(tmp_path / "alone")
    export_model("slim", library.paths, "audiocraft", tmp_path / "merged")
    cpu = torch.device("cpu")
    states = [
        loading.load_lm(name, model_folder(name, library.paths), cpu, torch.float32).state_dict()
        for name in ("slim", str(tmp_path / "merged"))
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    with pytest.raises(MusicHelperError):
        export_model(NAME, library.paths, "adapter", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_foreign_checkpoint_cannot_run_code(music_and_model: Library, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    folder = tmp_path / "foreign"
    export_model(NAME, music_and_model.paths, "audiocraft", folder)
    (folder / "state_dict.bin").write_bytes(pickle.dumps({"best_state": Trap(), "xp.cfg": ""}))
    with pytest.raises(MusicHelperError):
        loading.load_lm(str(folder), folder, torch.device("cpu"), torch.float32)
    assert not (tmp_path / "sprung").exists()
