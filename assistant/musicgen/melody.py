"""Melodies for models that follow them: their chroma, and drums and bass taken out where a plug-in can.

A plug-in is an entry point of the group `musichelper.separators`; called without arguments it gives an
object with the method of `Separator`. With the package `demucs` installed audiocraft's own way is taken.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.errors import MusicHelperError
from assistant.i18n import _

GROUP = "musichelper.separators"


class Separator(Protocol):
    """What takes stems apart."""

    def melody(self, sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """A sound `[channels, samples]` without its drums and its bass, as long as before."""


def has_separator() -> bool:
    """Whether drums and bass will be taken out of a melody."""
    return bool(entry_points(group=GROUP)) or _has_demucs()


def without_drums(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The sound as the first plug-in gives it; as it is where there is none.

    Raises `MusicHelperError` where the plug-in fails.
    """
    for found in entry_points(group=GROUP):
        try:
            melody = np.asarray(found.load()().melody(sound, rate), np.float32)
            if melody.ndim != 2 or melody.shape[1] != sound.shape[1]:
                raise ValueError(f"melody() gave an array of shape {melody.shape}")
        except Exception as error:  # a stranger's code
            raise MusicHelperError(
                _("The separator “{name}” failed: {reason}.").format(name=found.name, reason=error),
                _("Uninstall it, or choose a file that needs no separation."),
            ) from error
        return np.ascontiguousarray(melody)
    return sound


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
