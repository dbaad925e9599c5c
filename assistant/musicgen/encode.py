"""From a track's WAV to tokens: one resampling, then the codec in pieces of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.read import read_audio
from assistant.errors import MusicHelperError
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.musicgen import backend
from assistant.musicgen.arrays import Arrays
from assistant.musicgen.chroma import ChromaCache
from assistant.musicgen.loading import codec_for_tokens
from assistant.musicgen.separation import require_separator, separator_name, without
from assistant.musicgen.tokens import TokenCache, tracks_with_audio

if TYPE_CHECKING:
    import torch

PIECE_SECONDS = 26
CONTEXT_SECONDS = 2
"""Each piece is encoded with at least this much of its neighbours, whose frames are then left out."""
AT_ONCE, AT_ONCE_ON_GPU = 2, 4
"""Pieces that go through the codec together: its recurrent layers take as long for one as for several. Two
minutes at once take some 3 GiB in Meta's codec."""


def read_sound(path: Path, rate: int, channels: int, removed: Collection[str] = ()) -> NDArray[np.float32]:
    """A file at the codec's rate, `[channels, samples]`: mixed down, or doubled where it is mono; without the
    stems that are to be `removed`."""
    samples, _rate = read_audio(path, rate=rate)
    return fit_channels(without(samples, rate, removed), channels)


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
    removed: Collection[str] = (),
) -> tuple[TokenCache, dict[str, Any]]:
    """Encode what the cache lacks of these tracks (or all ready ones); the cache and a summary of it.

    With stems to be `removed` the tokens are of the sound without them, in a cache of their own. A track that
    cannot be read is named in the summary and costs no other.
    """
    place = backend.choose_device(device)
    codec, name = codec_for_tokens(model, library.paths, place)
    if removed:
        require_separator()
        name += f"-without-{'-'.join(sorted(removed))}-by-{separator_name()}"
    cache = TokenCache(library.paths.tokens, name, codec.num_codebooks)
    tracks = tracks_with_audio(library) if tracks is None else tracks

    def add(track: Track) -> None:
        assert track.wav is not None
        sound = read_sound(library.root / track.wav, codec.sample_rate, codec.channels, removed)
        cache.add(track.content, encode(codec, sound, place))

    built, failed = _add_lacking(cache, tracks, add, on_progress)
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


def encode_melodies(
    library: Library,
    conditioner: Any,
    device: torch.device,
    on_progress: Callable[[int, int], None],
    tracks: list[Track],
    *,
    token_rate: float,
    removed: Collection[str] = (),
) -> tuple[ChromaCache, list[list[str]]]:
    """Put the chroma of these tracks beside their tokens, as far as it is lacking; the cache, and the tracks
    that could not be read, each with the reason."""
    melodies = ChromaCache(library.paths.tokens, conditioner, tuple(sorted(removed)), token_rate)

    def add(track: Track) -> None:
        assert track.wav is not None
        melodies.add(track.content, read_sound(library.root / track.wav, melodies.rate, 1, removed), device)

    _built, failed = _add_lacking(melodies.arrays, tracks, add, on_progress)
    return melodies, failed


def _add_lacking(
    arrays: Arrays,
    tracks: list[Track],
    add: Callable[[Track], None],
    on_progress: Callable[[int, int], None],
) -> tuple[int, list[list[str]]]:
    """Add what is lacking; how many that were, and those that could not be read with the reason."""
    built, failed = 0, []
    with arrays.lock(), backend.threads(backend.usable_threads()):
        arrays.refresh()
        for number, track in enumerate(tracks):
            if track.content in arrays:
                continue
            on_progress(number, len(tracks))
            try:
                add(track)
                built += 1
            except (MusicHelperError, OSError, RuntimeError, ValueError) as error:
                if _is_disk(error):
                    raise
                failed.append([str(track.path), str(error).splitlines()[0] if str(error) else "?"])
        on_progress(len(tracks), len(tracks))
    return built, failed


def _is_disk(error: BaseException) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
