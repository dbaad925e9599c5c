"""Streams of samples from audio files: libsndfile where it is at its best, FFmpeg's libraries otherwise.

Runs in the decoder process. Nothing but the one file is ever opened: a playlist under a false name
gets nothing, because the libraries see an open file and may open no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from assistant.audio.channels import mixing
from assistant.audio.declared import asf_seconds, chunk_share, mp3_seconds, ogg_is_cut
from assistant.audio.formats import Content
from assistant.audio.open import open_sound
from assistant.errors import MusicHelperError
from assistant.i18n import _

Samples = np.ndarray[Any, np.dtype[np.float32]]

BLOCK_FRAMES = 1 << 18
_MAX_CHANNELS = 64

# Demuxers whose duration is written in the file; the others' is a guess from the bit rate.
_HONEST = {
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "flac",
    "ape",
    "wv",
    "tta",
    "mpc",
    "mpc8",
    "dsf",
}
_DEMUXERS = (
    "aac,ac3,aiff,ape,asf,au,caf,dsf,dts,eac3,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,mpc,mpc8,"
    "ogg,tta,w64,wav,wv,xwma"
)


@dataclass(frozen=True)
class Sound:
    """An audio stream that can be read as often as needed."""

    rate: int
    channels: int
    """1 or 2, after mixing down."""
    source_channels: int
    codec: str
    declared: float | None
    """Seconds that the file says it has; None where it does not say."""
    blocks: Callable[[], Iterator[Samples]]
    """Starts from the beginning; gives float32 arrays [frames, channels], of either order in memory."""
    training_ready: bool = False
    """Whether the file is itself 44.1 kHz PCM_16 WAV of one or two channels."""


def open_audio(path: Path, content: Content) -> Sound:
    """Open an audio file. Raises `MusicHelperError` where no decoder can read it."""
    # FFmpeg reads MP3 and Opus: libsndfile takes an MP3's length from an estimate, and its Opus is
    # three times slower.
    if content in (Content.WAV, Content.AIFF, Content.FLAC, Content.OGG, Content.OTHER):
        try:
            return _open_soundfile(path, content)
        except (soundfile.SoundFileError, OSError, ValueError, _Unsuited):
            pass
    return _open_av(path, content)


def open_tolerantly(path: Path, content: Content) -> Sound:
    """Open an audio file with the decoder that passes over damaged places."""
    return _open_av(path, content)


class _Unsuited(Exception):
    """The other decoder does this file better."""


def _open_soundfile(path: Path, content: Content) -> Sound:
    with open_sound(path) as file:
        frames, rate, channels = file.frames, file.samplerate, file.channels
        container, codec = file.format, file.subtype
        if container == "MP3" or channels > 2:
            raise _Unsuited  # which loudspeaker a channel is for, only the other knows
        if container == "FLAC" and frames >= 1 << 50:
            raise _Unsuited  # of a stream that was never told its length, libsndfile loses the last block
        if container == "FLAC" and frames > 0:
            file.read(1024, dtype="float32")  # a damaged start shows at once
    declared: float | None = frames / rate
    if container in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"):
        share = chunk_share(path)
        declared = frames / rate / share if share > 0 else None
    elif container == "OGG" and ogg_is_cut(path):
        raise cut_off()
    elif frames >= 1 << 50:  # a stream that was never told its length
        declared = None

    def blocks() -> Iterator[Samples]:
        with open_sound(path) as file:
            while True:
                try:
                    block = read_floats(file, BLOCK_FRAMES)
                except soundfile.SoundFileError:
                    return  # what is missing shows against the declared length
                if not len(block):
                    return
                yield block

    return Sound(
        rate=rate,
        channels=channels,
        source_channels=channels,
        codec=f"{container} {codec}",
        declared=declared,
        blocks=blocks,
        training_ready=(container, codec, rate) == ("WAV", "PCM_16", 44100),
    )


def read_floats(file: soundfile.SoundFile, frames: int) -> Samples:
    """The next [frames, channels]; integers are made floats here, which libsndfile is slow at."""
    kind = "int16" if file.subtype == "PCM_16" else "float32"
    block = file.read(frames, dtype=kind, always_2d=True)
    samples: Samples = block * np.float32(1 / 32768) if kind == "int16" else block
    return samples


def _open_av(path: Path, content: Content) -> Sound:
    import av

    try:
        with _av_audio(path) as (container, stream):
            name = container.format.name
            first = next(_frames(container, stream), None)
            if first is None:
                raise unreadable()
            rate, channels, layout = first.sample_rate, len(first.layout.channels), first.layout.name
            names = [channel.name for channel in first.layout.channels]
            codec = stream.codec_context.name
            declared = None
            if name == "mp3":
                declared = mp3_seconds(path)
            elif name == "asf":
                declared = asf_seconds(path)
            elif name == "caf" and container.duration:
                # What is counted in bytes is shorter where the file is; packets are counted in a table.
                share = chunk_share(path) if codec.startswith("pcm") else 1.0
                declared = container.duration / 1e6 / share if share > 0 else None
            elif name in _HONEST and container.duration:
                declared = container.duration / 1e6
    except (av.error.FFmpegError, ValueError, IndexError, OSError) as error:
        raise unreadable() from error
    if not (0 < rate <= 1 << 20 and 0 < channels <= _MAX_CHANNELS):
        raise unreadable()
    if content in (Content.OGG, Content.OPUS) and ogg_is_cut(path):
        raise cut_off()
    matrix = mixing(names) if channels > 2 else None

    def blocks() -> Iterator[Samples]:
        with _av_audio(path) as (container, stream):
            for block in _gathered(_frames(container, stream), layout, rate, channels):
                yield block if matrix is None else block @ matrix

    return Sound(
        rate=rate,
        channels=min(channels, 2),
        source_channels=channels,
        codec=codec,
        declared=declared,
        blocks=blocks,
    )


@contextmanager
def _av_audio(path: Path) -> Iterator[tuple[Any, Any]]:
    import av

    def refuse(*_call: object, **_options: object) -> None:
        raise PermissionError("nothing but the one file is opened")

    with (
        path.open("rb") as file,
        av.open(
            file,
            options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"},
            metadata_errors="replace",
            io_open=refuse,
        ) as container,
    ):
        if not container.streams.audio:
            raise no_sound()
        stream = container.streams.best("audio") or container.streams.audio[0]
        if stream.codec_context is None:  # the codec is none that is known
            raise unreadable()
        stream.codec_context.thread_count = 1
        yield container, stream


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """The decoded frames; a damaged packet is passed over, as players do."""
    import av

    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                continue
    except av.error.FFmpegError:
        return


def _gathered(frames: Iterator[Any], layout: str, rate: int, channels: int) -> Iterator[Samples]:
    """Arrays [frames, channels] of a good size: codecs give a hundredth of a second at a time."""
    import av

    fifo = av.AudioFifo()
    # PyAV breaks down on frames of eight planes; most codecs give planes, so few channels go without.
    kind = "fltp" if channels <= 2 else "flt"
    wanted = (kind, layout, rate)
    resampler: Any = None
    source: Any = None
    for frame in frames:
        frame.pts = None  # a jump in the clock is not a reason to fill in silence
        # PyAV's queue refuses another format or rate, but reads planes that are not there.
        fits = (
            resampler is None
            and frame.layout.nb_channels == channels
            and (fifo.samples_written > 0 or _kind(frame) == wanted)
        )
        if fits:
            try:
                fifo.write(frame)
            except ValueError:
                fits = False
        if not fits:
            given = _kind(frame)
            if given != source:  # the first, or the stream changed on the way
                _drain(resampler, fifo)
                if fifo.samples:
                    yield _array(fifo.read(0), channels)
                fifo = av.AudioFifo()  # it takes frames of one clock only, and a resampler has its own
                resampler, source = av.AudioResampler(*wanted), given
            for converted in resampler.resample(frame):
                converted.pts = None
                fifo.write(converted)
        while fifo.samples >= BLOCK_FRAMES:
            yield _array(fifo.read(BLOCK_FRAMES), channels)
    _drain(resampler, fifo)
    if fifo.samples:
        yield _array(fifo.read(0), channels)


def _kind(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _drain(resampler: Any, fifo: Any) -> None:
    import av

    if resampler is None:
        return
    with suppress(av.error.FFmpegError, ValueError):
        for frame in resampler.resample(None):
            frame.pts = None
            fifo.write(frame)


def _array(frame: Any, channels: int) -> Samples:
    array: Samples = frame.to_ndarray()
    return array.reshape(-1, channels) if channels > 2 else array.T


class Unreadable(MusicHelperError):
    """No decoder understands the file, or there is nothing in it to understand."""


def unreadable() -> MusicHelperError:
    """The error for a file that no decoder understands."""
    return Unreadable(
        _("The file cannot be read as audio."),
        _("It may be damaged, or not be what its name says. Play it, and copy or export it again."),
    )


def no_sound() -> MusicHelperError:
    """The error for a sound file without sound, or a video without a sound track."""
    return Unreadable(
        _("The file has no sound in it."),
        _("It is empty, or a video or picture without a sound track; copy or export it again."),
    )


def cut_off(decoded: float | None = None, declared: float | None = None) -> MusicHelperError:
    """The error for a file whose end is missing."""
    hint = _("Copy or download it again; it may not have been complete.")
    if decoded is None or declared is None:
        return MusicHelperError(_("The file is cut off: its end is missing."), hint)
    return MusicHelperError(
        _("The file is cut off: only {decoded:.1f} of {declared:.1f} seconds can be read.").format(
            decoded=decoded, declared=declared
        ),
        hint,
    )
