"""The chroma that a melody model learns to follow: of whole tracks, once, kept beside their tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.musicgen.arrays import Arrays
from assistant.musicgen.melody import BEATS
from assistant.musicgen.separation import separator_name, without

if TYPE_CHECKING:
    import torch

_PIECE_FRAMES = 512
_CONTEXT_WINDOWS = 2
"""Windows on each side of a piece, whose frames are then left out."""


@dataclass(frozen=True)
class Melodies:
    """The chroma of some crops."""

    chroma: NDArray[np.float32]
    """`[batch, frames, bins]`"""
    heard: NDArray[np.bool_]
    """`[batch, frames]`: not where the track is over, and nowhere in a crop that is learnt without it."""

    def part(self, rows: slice) -> Melodies:
        """Those of some of the crops."""
        return Melodies(self.chroma[rows], self.heard[rows])


class ChromaCache:
    """The chroma of tracks as one model's conditioner makes it: float32 `[bins, frames]` by content."""

    def __init__(self, root: Path, conditioner: Any, removed: tuple[str, ...], token_rate: float) -> None:
        extractor = conditioner.chroma
        self._conditioner = conditioner
        self.rate = int(conditioner.sample_rate)
        self._hop, self._token_rate = int(extractor.winhop), token_rate
        settings = (
            self.rate,
            extractor.n_chroma,
            extractor.nfft,
            extractor.winlen,
            extractor.winhop,
            extractor.argmax,
            extractor.norm,
            type(conditioner).__qualname__,
            separator_name(),
            removed,
        )
        key = hashlib.blake2b(repr(settings).encode(), digest_size=8).hexdigest()
        self.arrays = Arrays(root / f"chroma-{key}", int(extractor.n_chroma), np.float32)

    def add(self, content: str, sound: NDArray[np.float32], device: torch.device) -> None:
        """Keep the chroma of a whole track `[1, samples]`, without drums and bass where that can be done."""
        self.arrays.add(content, chroma_of(self._conditioner, without(sound, self.rate, BEATS), device))

    def crop(self, content: str, start: int, frames: int, sounding: int) -> Melodies:
        """Of a crop of so many frames of tokens, of which the first `sounding` are music.

        The frames are those of audiocraft's `ChromaStemConditioner._extract_chroma_chunk`, and the mask that
        of `WaveformConditioner.forward`.
        """
        chroma_rate = self.rate / self._hop
        samples = round(frames / self._token_rate * self.rate)
        length, first = int(chroma_rate * samples / self.rate), int(chroma_rate * (start / self._token_rate))
        whole = self.arrays.read(content)[:, first : first + length]
        chroma = np.zeros((1, length, self.arrays.rows), np.float32)
        chroma[0, : whole.shape[1]] = whole.T
        lasts = sounding / self._token_rate * self.rate / self._hop
        return Melodies(chroma, np.arange(length)[None] < lasts)


def chroma_of(conditioner: Any, sound: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    """The chroma `[bins, frames]` of a track `[1, samples]`, by audiocraft's `ChromaStemConditioner`.

    The spectra are made in pieces, so that a track of hours needs no more memory than a song.
    """
    import torch

    extractor = conditioner.chroma
    hop = int(extractor.winhop)
    context = _CONTEXT_WINDOWS * -(-int(extractor.nfft) // hop)
    wave = torch.from_numpy(np.ascontiguousarray(sound)).to(device)[None]
    with torch.no_grad():
        wave = conditioner._get_stemmed_wav(wave, conditioner.sample_rate)
        samples = wave.shape[-1]
        frames = samples // hop + 1
        parts = []
        for first in range(0, frames, _PIECE_FRAMES):
            last = min(frames, first + _PIECE_FRAMES)
            begin = max(0, first - context)
            end = samples if last == frames else min(samples, (last + context) * hop)
            piece = conditioner._extract_chroma(wave[..., begin * hop : end])[0]
            parts.append(piece[first - begin : None if last == frames else last - begin].cpu())
    return torch.cat(parts).T.numpy()


def together(parts: list[Melodies]) -> Melodies:
    """Those of single crops as those of a batch."""
    return Melodies(
        np.concatenate([one.chroma for one in parts]), np.concatenate([one.heard for one in parts])
    )
