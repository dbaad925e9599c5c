"""A library with a few made-up tracks and a model small enough for a test, both with real files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.library.library import Library
from assistant.musicgen import blueprint

NAME = "tiny"


def add_tracks(library: Library, number: int = 6, seconds: float = 3.0) -> None:
    """Chords of a few tones with a beat, half of them in jazz, half in rock."""
    for index in range(number):
        genre = ("jazz", "rock")[index % 2]
        path = Path(genre) / f"song{index}.wav"
        soundfile.write(library.root / path, chord(index, seconds), 44_100, subtype="PCM_16")
        caption = path.with_suffix(".txt")
        (library.root / caption).write_text(f"A {genre} tune number {index}.\n")
        data = (library.root / path).read_bytes()
        stat = (library.root / path).stat()
        content = hashlib.blake2b(data, digest_size=16).hexdigest()
        track = library.ledger.add_track(path, content, stat.st_size, stat.st_mtime_ns)
        library.ledger.update_track(
            track.id,
            state="ready",
            wav=path,
            caption=caption,
            duration=seconds,
            artist=f"Artist {index // 2}",
        )


def chord(index: int, seconds: float, rate: int = 44_100) -> np.ndarray[Any, Any]:
    """`[samples]` between -1 and 1."""
    time = np.arange(int(seconds * rate)) / rate
    root = 110 * 2 ** (index / 12)
    tones = sum(np.sin(2 * np.pi * root * ratio * time) for ratio in (1, 1.26, 1.5, 3))
    beat = 0.3 + 0.7 * np.exp(-6 * (time * (2 + index % 3) % 1.0))
    return (0.15 * tones * beat).astype(np.float32)


def tiny_configs() -> tuple[dict[str, Any], dict[str, Any]]:
    """The built-in model's configurations, much smaller."""
    codec, lm = blueprint.codec_config(), blueprint.lm_config(span_seconds=2.0)
    codec["seanet"].update(n_filters=2, dimension=8)
    codec["rvq"]["bins"] = 32
    lm["transformer_lm"].update(dim=32, num_heads=2, num_layers=2, card=32)
    lm["conditioners"]["description"]["lut"].update(n_bins=256, dim=8)
    return codec, lm


def write_tiny_model(
    library: Library,
    name: str = NAME,
    *,
    change: Callable[[dict[str, Any]], None] = lambda _config: None,
) -> Path:
    """A model folder with random weights; `change` makes its language model another one."""
    from assistant.musicgen import backend

    backend.prepare()
    import torch
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen.export import write_model
    from assistant.musicgen.melody import no_demucs_needed

    codec_config, lm_config = tiny_configs()
    change(lm_config)
    torch.manual_seed(0)
    codec = builders.get_compression_model(OmegaConf.create({**codec_config, "device": "cpu"}))
    with no_demucs_needed():
        lm = builders.get_lm_model(OmegaConf.create(lm_config))
    folder = library.paths.models / name
    write_model(
        folder,
        lm_state=lm.state_dict(),
        lm_config=blueprint.as_yaml(lm_config),
        codec=blueprint.package(codec.state_dict(), blueprint.as_yaml(codec_config)),
        card={"kind": "folder", "licence": "MIT"},
    )
    return folder
