from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from assistant.musicgen import backend
from assistant.musicgen.engine.codec import PiecewiseDecoder, encode, fold_norms
from tests.musicgen.engines import codec

backend.prepare()


def transformers_codec() -> Any:
    """As Meta's models have it: reflected edges, weight norms, two recurrent layers."""
    from audiocraft.models.encodec import HFEncodecCompressionModel
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(2)
    config = EncodecConfig(
        sampling_rate=32_000,
        num_filters=2,
        hidden_size=8,
        codebook_size=32,
        codebook_dim=8,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[1.0],
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    model: Any = EncodecModel(config)
    codec = HFEncodecCompressionModel(model.eval())
    codec.eval()
    return codec


CODECS = {
    "audiocraft": codec,
    "no recurrent layers": lambda: codec(lstm=0, norm="none"),
    "stereo": lambda: codec(2),
    "transformers": transformers_codec,
}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("sizes", [(60,), (1, 2, 3, 4, 50), (20, 20, 20), (59, 1)])
def test_pieces_are_the_whole(name: str, sizes: tuple[int, ...]) -> None:
    made = CODECS[name]()
    books = 8 if name == "stereo" else made.num_codebooks
    codes = torch.randint(
        0, made.cardinality, (books, sum(sizes)), generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        expected = made.decode(codes[None])[0]
        fold_norms(made)
        pieces, first = PiecewiseDecoder(made), 0
        found = []
        for size in sizes:
            last = first + size == sum(sizes)
            found.append(pieces.decode(codes[:, first : first + size], last=last))
            first += size
    whole = torch.cat(found, dim=1)
    assert whole.shape == expected.shape
    assert float((whole - expected).abs().max() / expected.abs().max()) < 1e-5
    if len(sizes) == 3:
        assert found[0].shape[1] > 0.4 * 20 * 640  # it is heard before the end


def test_norms_are_folded() -> None:
    for made in (codec(), transformers_codec()):
        sound = torch.randn(1, 1, 6400, generator=torch.Generator().manual_seed(3))
        before = made.encode(sound)[0]
        fold_norms(made)
        assert not [name for name in made.state_dict() if "weight_g" in name or "parametrizations" in name]
        assert torch.equal(made.encode(sound)[0], before)


def test_equal_lengths_are_encoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = codec()
    chance = np.random.default_rng(4)
    sounds = [torch.from_numpy(chance.normal(size=(1, 640 * n)).astype(np.float32)) for n in (5, 9, 5, 5)]
    real, calls = made.encode, []

    def counted(x: torch.Tensor) -> Any:
        calls.append(len(x))
        return real(x)

    monkeypatch.setattr(made, "encode", counted)
    with torch.no_grad():
        found = encode(made, sounds)
        assert sorted(calls) == [1, 3]
        for codes, sound in zip(found, sounds, strict=True):
            assert torch.equal(codes, real(sound[None])[0][0])
