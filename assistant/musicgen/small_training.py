"""Making the small model; runs in a worker or a run's process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.read import read_audio, seconds_of
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.blueprint import SAMPLE_RATE, as_yaml, codec_config, lm_config, package
from assistant.musicgen.codec import train_codec
from assistant.musicgen.encode import fit_channels
from assistant.musicgen.export import write_model
from assistant.musicgen.loading import codec_hash, parameters_of
from assistant.musicgen.models import BUILT_IN, OWN_LICENCE
from assistant.musicgen.tokens import tracks_with_audio

EXCERPTS = 240
EXCERPT_SECONDS = 4.0
_SILENT = 1e-3


def make_small_model(
    library: Library,
    seconds: float,
    seed: int,
    emit: Callable[[dict[str, Any]], None],
) -> Path:
    """Train the codec, draw the language model's first weights, write both; returns the folder."""
    backend.prepare()
    import torch
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    emit({"event": "codec", "done": 0, "total": round(seconds), "loss": None})
    excerpts = read_excerpts(library, np.random.default_rng(seed))
    torch.manual_seed(seed)
    settings = OmegaConf.create(codec_config())
    settings.device = "cpu"
    codec = builders.get_compression_model(settings)
    with backend.threads(backend.usable_threads()):
        result = train_codec(
            codec,
            excerpts,
            SAMPLE_RATE,
            seconds=seconds,
            seed=seed,
            on_progress=lambda share, steps, loss: emit(
                {
                    "event": "codec",
                    "done": round(share * seconds),
                    "total": round(seconds),
                    "steps": steps,
                    "loss": loss,
                }
            ),
        )
    torch.manual_seed(seed)
    lm = builders.get_lm_model(OmegaConf.create(lm_config()))
    folder = library.paths.models / BUILT_IN
    write_model(
        folder,
        lm_state=lm.state_dict(),
        lm_config=as_yaml(lm_config()),
        codec=package(codec.state_dict(), as_yaml(codec_config())),
        card={
            "kind": "built-in",
            "licence": OWN_LICENCE,
            "parameters": parameters_of(lm),
            "codec": {"hash": codec_hash(codec), "parameters": parameters_of(codec), **asdict(result)},
            "data": {"tracks": len(tracks_with_audio(library)), "excerpts": len(excerpts)},
            "trained": False,
        },
    )
    return folder


def read_excerpts(library: Library, chooser: np.random.Generator) -> list[NDArray[np.float32]]:
    """Random mono pieces of random tracks at the codec's rate, none of them silent."""
    tracks = tracks_with_audio(library)
    excerpts: list[NDArray[np.float32]] = []
    order = [int(i) for i in chooser.permutation(len(tracks))] * max(1, -(-EXCERPTS // max(1, len(tracks))))
    for index in order[:EXCERPTS]:
        wav = tracks[index].wav
        assert wav is not None
        path = library.root / wav
        try:
            spare = max(0.0, seconds_of(path) - EXCERPT_SECONDS)
            samples, _rate = read_audio(
                path, rate=SAMPLE_RATE, start=float(chooser.uniform(0, spare)), duration=EXCERPT_SECONDS
            )
        except (MusicHelperError, OSError, RuntimeError):
            continue
        mono = fit_channels(samples, 1)[0]
        if mono.size > SAMPLE_RATE // 2 and float(np.abs(mono).max()) > _SILENT:
            excerpts.append(mono)
    if not excerpts:
        raise MusicHelperError(
            _("The library has no track to learn from."),
            _("Put music into its folders and run `musichelper watch --once`."),
        )
    return excerpts
