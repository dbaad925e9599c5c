"""The musicnn networks (Pons and Serra 2019) in numpy: tags and features of 3-second patches of music.

The weights come from the installed package `musicnn` (ISC licence; trained on MagnaTagATune and on the
Million Song Dataset), whose code is not imported. Architecture after "musicnn: Pre-trained convolutional
neural networks for music audio tagging", arXiv 1909.06654. To be used in a worker process only.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from assistant.audio.checkpoint import read_checkpoint
from assistant.audio.mel import to_mel
from assistant.errors import MusicHelperError
from assistant.i18n import _

RATE = 16_000
WINDOW, HOP, MELS = 512, 256, 96
PATCH_FRAMES = 187
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP
"""Samples of a patch: its first and last frame are centred on its ends."""
FEATURES = 200
Model = Literal["MTT", "MSD"]
TAGS: dict[Model, tuple[str, ...]] = {
    "MTT": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano",
        "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing",
        "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal",
        "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice",
        "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice",
        "choral",
    ),
    "MSD": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
        "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
        "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk",
        "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar",
        "hip-hop", "70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro",
        "heavy metal", "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
    ),
}  # fmt: skip
_EPSILON = 1e-3  # of TensorFlow's batch normalisation

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """What a network makes of patches."""

    tags: Array
    """Probabilities [patches, 50] in the order of `TAGS`."""
    features: Array
    """The normalised activations of the layer before the last, [patches, 200]."""


def listen(patches: Array, model: Model) -> Heard:
    """Run a network on log-mel patches [patches, 187, 96].

    Raises `MusicHelperError` where the weights are not installed or damaged.
    """
    return _network(model)(np.ascontiguousarray(patches, np.float32))


def log_mel(samples: Array) -> Array:
    """The logarithmic mel spectrogram [frames, 96] of mono samples at 16 kHz, as the networks know it."""
    padded = np.pad(samples.astype(np.float32), WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectra = np.abs(np.fft.rfft(frames * taper.astype(np.float32), axis=1)) ** 2
    # Half precision, as in training.
    mel = to_mel(spectra.astype(np.float32), RATE, WINDOW, MELS).astype(np.float16)
    level: Array = np.log10(np.float32(10000) * mel.astype(np.float32) + 1)
    return level


def weights_folder() -> Path | None:
    """Where the package's weights are; None where it is not installed."""
    package = importlib.util.find_spec("musicnn")  # found, not imported
    for folder in (package.submodule_search_locations or ()) if package else ():
        if (Path(folder) / "MTT_musicnn" / ".index").is_file():
            return Path(folder)
    return None


@lru_cache(maxsize=2)
def _network(model: Model) -> _Network:
    folder = weights_folder()
    if folder is None:
        raise MusicHelperError(
            _("The weights of musicnn are not installed."),
            _("Install the package musicnn, or set caption.listen to false in the configuration."),
        )
    try:
        return _Network(read_checkpoint(folder / f"{model}_musicnn"))
    except (OSError, ValueError, KeyError) as error:
        raise MusicHelperError(
            _("The weights of musicnn cannot be read."),
            _("Install the package musicnn again, or set caption.listen to false in the configuration."),
        ) from error


class _Network:
    """Batches of patches through the layers; convolutions are products of views, without copies."""

    def __init__(self, weights: dict[str, Any]) -> None:
        def scale_and_shift(number: int) -> tuple[Array, Array]:
            name = "batch_normalization" + (f"_{number}" if number else "")
            gamma, beta, mean, variance = (
                weights[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            scale = gamma / np.sqrt(variance + _EPSILON)
            return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)

        def convolution(number: int) -> tuple[Array, Array]:
            name = "conv2d" + (f"_{number}" if number else "")
            return weights[f"{name}/kernel"][:, :, 0, :], weights[f"{name}/bias"]

        self._norms = [scale_and_shift(number) for number in range(11)]
        self._convolutions = [convolution(number) for number in range(8)]
        self._dense = [(weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in ("dense", "dense_1")]

    def __call__(self, patches: Array) -> Heard:
        scale, shift = self._norms[0]
        normed = patches * scale + shift
        front = np.concatenate(
            [self._timbral(normed, 0), self._timbral(normed, 1), *self._temporal(normed)], axis=2
        )
        first = self._middle(front, 5)
        second = first + self._middle(first, 6)
        third = second + self._middle(second, 7)
        layers = np.concatenate([front, first, second, third], axis=2)
        pooled = np.stack([layers.max(axis=1), layers.mean(axis=1)], axis=2).reshape(len(patches), -1)
        features = self._normalised(pooled, 9) @ self._dense[0][0] + self._dense[0][1]
        features = self._normalised(np.maximum(features, 0), 10)
        logits = features @ self._dense[1][0] + self._dense[1][1]
        return Heard(1 / (1 + np.exp(-logits)), features)

    def _normalised(self, values: Array, number: int) -> Array:
        scale, shift = self._norms[number]
        return values * scale + shift

    def _timbral(self, patches: Array, number: int) -> Array:
        """Filters of 7 frames and many bands, the largest answer over all bands: [patches, 187, 204]."""
        kernel, bias = self._convolutions[number]
        time, width, filters = kernel.shape
        count, frames, bands = patches.shape
        # The 7 frames of a band lie together, so that a filter's input is one run of memory.
        padded = np.pad(patches, ((0, 0), (time // 2, time // 2), (0, 0)))
        runs = np.lib.stride_tricks.sliding_window_view(padded, time, axis=1).reshape(count * frames, -1)
        flat = np.ascontiguousarray(kernel.transpose(1, 0, 2)).reshape(width * time, filters)
        answers = (
            runs[:, start * time : (start + width) * time] @ flat for start in range(bands - width + 1)
        )
        return self._pooled(answers, bias, number + 1).reshape(count, frames, filters)

    def _temporal(self, patches: Array) -> list[Array]:
        """Filters of one band and many frames, the largest answer over all bands: [patches, 187, 51] each."""
        count, frames, bands = patches.shape
        longest = self._convolutions[2][0].shape[0]
        before = (longest - 1) // 2
        padded = np.pad(patches, ((0, 0), (before, longest - 1 - before), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded.transpose(2, 0, 1), longest, axis=2)
        found = []
        for number in (2, 3, 4):
            kernel, bias = self._convolutions[number]
            length = kernel.shape[0]
            skip = before - (length - 1) // 2
            answers = (
                windows[band, :, :, skip : skip + length].reshape(-1, length) @ kernel[:, 0]
                for band in range(bands)
            )
            found.append(self._pooled(answers, bias, number + 1).reshape(count, frames, -1))
        return found

    def _pooled(self, answers: Any, bias: Array, number: int) -> Array:
        """The maximum over bands after bias, rectifier and normalisation.

        A negative scale turns the order round, so that the smallest answer counts there.
        """
        scale, shift = self._norms[number]
        highest: Any = None
        lowest: Any = None
        turned = scale < 0
        for answer in answers:
            if highest is None:
                highest, lowest = answer, answer[:, turned]
            else:
                np.maximum(highest, answer, out=highest)
                lowest = np.minimum(lowest, answer[:, turned])
        highest[:, turned] = lowest
        pooled: Array = np.maximum(highest + bias, 0) * scale + shift
        return pooled

    def _middle(self, layer: Array, number: int) -> Array:
        kernel, bias = self._convolutions[number]
        frames = layer.shape[1]
        padded = np.pad(layer, ((0, 0), (3, 3), (0, 0)))
        total = sum(padded[:, step : step + frames] @ kernel[step] for step in range(len(kernel)))
        return self._normalised(np.maximum(total + bias, 0), number + 1)
