"""From a track's WAV to tokens: one resampling, then the codec in pieces of bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.read import read_audio
from assistant.errors import MusicHelperError
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.loading import codec_for_tokens
from assistant.musicgen.tokens import TokenCache, tracks_with_audio

if TYPE_CHECKING:
    import torch

PIECE_SECONDS = 26
CONTEXT_SECONDS = 2
"""Each piece is encoded with at least this much of its neighbours, whose frames are then left out."""
AT_ONCE, AT_ONCE_ON_GPU = 2, 4
"""Pieces that go through the codec together: its recurrent layers take as long for one as for several. Two
minutes at once take some 3 GiB in Meta's codec."""


def read_mono(path: Path, rate: int, channels: int = 1) -> NDArray[np.float32]:
    """A file at the codec's rate, `[channels, samples]`: mixed down, or doubled where it is mono."""
    samples, _rate = read_audio(path, rate=rate)
    return fit_channels(samples, channels)


def fit_channels(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """`[any, samples]` as `[channels, samples]`."""
    if samples.shape[0] == channels:
        return samples
    mono = samples.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.repeat(mono, channels, axis=0)


def encode(codec: Any, samples: NDArray[np.float32], device: torch.device) -> NDArray[np.int16]:
    """Tokens `[codebooks, frames]` of `[channels, samples]` at the codec's rate."""
    import torch

    from assistant.musicgen.engine import codec as codecs

    hop = round(codec.sample_rate / codec.frame_rate)
    piece, context = PIECE_SECONDS * codec.sample_rate // hop, CONTEXT_SECONDS * codec.sample_rate // hop
    frames = -(-samples.shape[1] // hop)
    window = piece + 2 * context
    firsts = range(0, frames, piece)
    # All windows are of one length, those at the ends too, so that they can go together.
    begins = [max(0, min(first - context, frames - window)) for first in firsts]
    together = AT_ONCE if device.type == "cpu" else AT_ONCE_ON_GPU
    parts = []
    for place in range(0, len(begins), together):
        some = slice(place, place + together)
        waves = [
            torch.from_numpy(np.ascontiguousarray(samples[:, first : first + window * hop])).to(device)
            for first in (begin * hop for begin in begins[some])
        ]
        with torch.inference_mode():
            found = codecs.encode(codec, waves)
        for first, begin, codes in zip(firsts[some], begins[some], found, strict=True):
            last = min(frames, first + piece)
            parts.append(codes[:, first - begin : last - begin].to("cpu", torch.int16).numpy())
    return np.concatenate(parts, axis=1)


def encode_library(
    library: Library,
    model: str,
    device: str,
    on_progress: Callable[[int, int], None],
    tracks: list[Track] | None = None,
) -> tuple[TokenCache, dict[str, Any]]:
    """Encode what the cache lacks of these tracks (or all ready ones); the cache and a summary of it.

    A track that cannot be read is named in the summary and costs no other.
    """
    place = backend.choose_device(device)
    codec, name = codec_for_tokens(model, library.paths, place)
    cache = TokenCache(library.paths.tokens, name, codec.num_codebooks)
    tracks = tracks_with_audio(library) if tracks is None else tracks
    failed, built = [], 0
    with cache.lock(), backend.threads(backend.usable_threads()):
        cache.refresh()
        for number, track in enumerate(tracks):
            if track.content not in cache:
                on_progress(number, len(tracks))
                assert track.wav is not None
                try:
                    samples = read_mono(library.root / track.wav, codec.sample_rate, codec.channels)
                    cache.add(track.content, encode(codec, samples, place))
                    built += 1
                except (MusicHelperError, OSError, RuntimeError, ValueError) as error:
                    if _is_disk(error):
                        raise
                    failed.append([str(track.path), str(error).splitlines()[0] if str(error) else "?"])
        on_progress(len(tracks), len(tracks))
    here = [track for track in tracks if track.content in cache]
    seconds = sum(cache.frames(track.content) for track in here) / float(codec.frame_rate)
    return cache, {
        "tracks": len(here),
        "built": built,
        "seconds": seconds,
        "failed": failed,
        "codec": name,
        "frame_rate": float(codec.frame_rate),
    }


def _is_disk(error: BaseException) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
