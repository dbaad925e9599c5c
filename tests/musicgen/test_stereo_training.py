from __future__ import annotations

from typing import Any

import numpy as np
import soundfile
import torch

from assistant.library.library import Library
from assistant.musicgen import loading
from assistant.musicgen.encode import encode_library, read_sound
from assistant.musicgen.engine.engine import Clip, Request
from assistant.musicgen.models import load_model
from tests.musicgen.engines import STEREO
from tests.musicgen.finetunes import go, of, spec
from tests.musicgen.tiny_models import NAME, add_tracks, chord, write_tiny_model


def in_stereo(config: dict[str, Any]) -> None:
    """Make a configuration that of Meta's stereo models: two channels, their codes in turn."""
    config["channels"] = 2
    config["interleave_stereo_codebooks"] = {"use": True, "per_timestep": False}
    config["transformer_lm"]["n_q"] = len(STEREO)
    config["codebooks_pattern"]["delay"]["delays"] = list(STEREO)


def test_eight_codebooks_go_from_the_file_to_the_clip(library: Library) -> None:
    add_tracks(library, number=4, seconds=2.0)
    wide = np.stack([chord(0, 2.0), chord(7, 2.0)], axis=1)
    soundfile.write(library.root / "jazz" / "song0.wav", wide, 44_100, subtype="PCM_16")
    write_tiny_model(library, change=in_stereo)
    with library:
        cache, _summary = encode_library(library, NAME, "cpu", lambda _done, _total: None)
        (first,) = (track for track in library.ledger.tracks() if track.path.name == "song0.wav")
        tokens = cache.read(first.content)
        codec, _name = loading.codec_for_tokens(NAME, library.paths, torch.device("cpu"))
        sound = read_sound(library.root / "jazz" / "song0.wav", codec.sample_rate, 2)
        with torch.inference_mode():
            expected, _scale = codec.encode(torch.from_numpy(sound)[None])
        assert np.array_equal(tokens, expected[0].numpy())
        assert tokens.shape[0] == 8
        assert not np.allclose(sound[0], sound[1])

        wanted = spec("wide", steps=4, sample_every=4, sample_seconds=0.5, condition_dropout=0.0)
        events = go(library, wanted, "run-wide")
        assert all(len(event["losses"]) == 8 for event in of(events, "step"))
        for event in of(events, "sample"):
            assert soundfile.info(event["path"]).channels == 2
        model = load_model("wide", library.root, "cpu", "float32")
        (made,) = model.make([Clip(seed=1, prompts=("jazz",))], Request(frames=25))
        assert made.shape == (2, 16_000)
        assert not np.array_equal(made[0], made[1])
