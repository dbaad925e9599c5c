"""Melodies for models that follow them: their chroma, and drums and bass taken out where that can be done.

A plug-in for stems does that; with the package `demucs` installed audiocraft's own way is taken.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assistant.musicgen.separation import separator_name

BEATS = ("drums", "bass")
"""What is no part of a melody, as in audiocraft's `ChromaStemConditioner`."""


def has_separator() -> bool:
    """Whether drums and bass will be taken out of a melody."""
    return separator_name() is not None or _has_demucs()


@contextmanager
def no_demucs_needed() -> Iterator[None]:
    """Let audiocraft build melody models inside also where `demucs` is not installed."""
    if _has_demucs():
        yield
        return
    builders: Any = importlib.import_module("audiocraft.models.builders")
    theirs = builders.ChromaStemConditioner
    builders.ChromaStemConditioner = _conditioner()
    try:
        yield
    finally:
        builders.ChromaStemConditioner = theirs


def _has_demucs() -> bool:
    return importlib.util.find_spec("demucs") is not None


def _conditioner() -> Any:
    from audiocraft.modules.chroma import ChromaExtractor
    from audiocraft.modules.conditioners import ChromaStemConditioner, WaveformConditioner
    from audiocraft.utils.autocast import TorchAutocast

    class Conditioner(ChromaStemConditioner):
        """audiocraft's, without a separator: the chroma of what it is given."""

        def __init__(
            self,
            output_dim: int,
            sample_rate: int,
            n_chroma: int,
            radix2_exp: int,
            duration: float,
            match_len_on_eval: bool = True,
            device: Any = "cpu",
            eval_wavs: Any = None,
            n_eval_wavs: int = 0,
            **settings: Any,
        ) -> None:
            WaveformConditioner.__init__(self, dim=n_chroma, output_dim=output_dim, device=device)
            self.autocast = TorchAutocast(enabled=False)
            self.sample_rate, self.duration = sample_rate, duration
            self.match_len_on_eval = match_len_on_eval
            self._use_masking = not match_len_on_eval
            settings.pop("cache_path", None)
            self.chroma = ChromaExtractor(
                sample_rate=sample_rate, n_chroma=n_chroma, radix2_exp=radix2_exp, **settings
            ).to(device)
            self.chroma_len = self._get_chroma_len()
            self.eval_wavs = self.cache = None

        def _get_stemmed_wav(self, wav: Any, sample_rate: int) -> Any:
            return wav

    return Conditioner
