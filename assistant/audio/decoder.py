"""The decoder process: one file in, one 44.1 kHz PCM_16 WAV out, with tags and measurements.

Untrusted files are only ever opened here, under limits of memory, time and file size.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.decode import Sound, cut_off, open_audio, open_tolerantly, unreadable
from assistant.audio.formats import Content, sniff
from assistant.audio.measure import Measurer
from assistant.audio.render import open_midi, too_long
from assistant.audio.tags import read_tags
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.workers import Emit, Message, serve

RATE = 44100
SHORTEST = 0.1  # seconds
SILENCE = 1e-4  # of full scale: three steps of 16 bits
_FULL = 10 ** (-1 / 20)  # -1 dBFS, where a rendering is brought to
_MOST_GAIN = 10 ** (24 / 20)
_OVERSHOOT = 10 ** (1 / 20)  # what decoders overshoot and players cut off; more is turned down


class NotWritten(MusicHelperError):
    """The WAV could not be written, which is not the source's fault."""


def _not_written() -> NotWritten:
    return NotWritten(
        _("The WAV cannot be written; the disk may be full."),
        _("Make room on the disk and check that you may write to the folder."),
    )


def convert(request: Message, emit: Emit) -> Message:
    """Convert `source` to `target` (None: only measure).

    With `keep_own`, a source that is itself a training-ready WAV is not written again: `own` in the
    answer tells. Other keys of the request: max_seconds, soundfont.
    """
    source = Path(request["source"])
    target = Path(request["target"]) if request["target"] is not None else None
    try:
        return _convert(source, target, request)
    except MemoryError as error:
        raise MusicHelperError(
            _("The file needs more memory than is allowed."),
            _("Raise intake.max_memory_mib in the configuration, or cut the file into pieces."),
        ) from error


def _convert(source: Path, target: Path | None, request: Message) -> Message:
    limit = float(request["max_seconds"])
    content = _content(source)
    known: dict[str, Any] = {}
    if content is Content.MIDI:
        sound, known = open_midi(source, request["soundfont"], limit)
    else:
        sound = open_audio(source, content)
    if sound.declared is not None and sound.declared > limit:
        raise too_long(sound.declared, limit)
    own = sound.training_ready and bool(request["keep_own"])
    writing = None if own else target
    measurer, frames = _pass(sound, writing, limit, 1.0, None)
    if _is_short(sound, frames) and content in (Content.FLAC, Content.AIFF, Content.WAV, Content.OGG):
        # libsndfile stops at a damaged place; what lies behind it may be sound.
        with contextlib.suppress(MusicHelperError):
            tolerant = open_tolerantly(source, content)
            again = _pass(tolerant, writing, limit, 1.0, None)
            if again[1] > frames:
                (measurer, frames), sound = again, replace(tolerant, declared=sound.declared)
    decoded = frames / sound.rate
    if _is_short(sound, frames):
        if frames == 0:
            raise unreadable()
        raise cut_off(decoded, sound.declared)
    if frames == 0:
        raise MusicHelperError(
            _("The file has no sound in it."),
            _("Copy or export it again; nothing can be learnt from an empty file."),
        )
    if decoded < SHORTEST:
        raise MusicHelperError(
            _("The file is only {seconds:.2f} seconds long.").format(seconds=decoded),
            _("Music needs a tenth of a second at least; copy or export it again."),
        )
    if measurer.peak < SILENCE:
        raise MusicHelperError(
            _("The file is silent from beginning to end."),
            _("Check the recording; nothing can be learnt from silence."),
        )
    gain = _gain(content, measurer.peak)
    if gain != 1.0 and writing is not None:
        _pass(sound, writing, limit, gain, measurer)
    return {
        "duration": measurer.frames / RATE,
        "source_rate": sound.rate,
        "channels": sound.source_channels,
        "codec": sound.codec,
        "own": own,
        "tags": read_tags(source) if content is not Content.MIDI else {},
        "measured": {**measurer.facts(gain if writing is not None else 1.0), **known},
    }


def _is_short(sound: Sound, frames: int) -> bool:
    """Whether clearly less was decoded than the file declares."""
    declared = sound.declared
    return declared is not None and frames / sound.rate < declared - max(0.25, 0.02 * declared)


def _content(source: Path) -> Content:
    with source.open("rb") as file:
        head = file.read(2048)
    if not head:
        raise MusicHelperError(
            _("The file is empty."), _("It may still be on its way; otherwise copy or download it again.")
        )
    content = sniff(head)
    if content is Content.TRACKER:
        raise MusicHelperError(
            _("Tracker modules (MOD, XM, IT, S3M) are not supported."),
            _("Export it as WAV or FLAC from a tracker program such as OpenMPT, and put that file here."),
        )
    if content is Content.PLAYLIST:
        raise MusicHelperError(
            _("The file is a playlist, not music."), _("Put the files that it names here instead.")
        )
    if content is Content.TEXT or not head.strip(b"\0"):
        raise unreadable()
    return content


def _gain(content: Content, peak: float) -> float:
    """What to multiply by: a rendering is brought to -1 dBFS, anything else only kept from clipping."""
    if content is Content.MIDI:
        return min(_FULL / peak, _MOST_GAIN)
    return 1.0 if peak <= _OVERSHOOT else _FULL / peak


def _pass(
    sound: Sound, target: Path | None, limit: float, gain: float, measured: Measurer | None
) -> tuple[Measurer, int]:
    """Read the stream once, write it where there is a target; gives the measurements and frames read."""
    import soundfile
    import soxr

    resampler = None
    if sound.rate != RATE:
        resampler = soxr.ResampleStream(sound.rate, RATE, sound.channels, dtype="float32", quality="HQ")
    measurer = measured or Measurer(RATE, sound.channels, sound.declared)
    writer = None
    if target is not None:
        try:
            writer = soundfile.SoundFile(
                os.fsencode(target), "w", RATE, sound.channels, "PCM_16", format="WAV"
            )
        except soundfile.SoundFileError as error:
            raise _not_written() from error
    frames = 0

    def take(block: np.ndarray[Any, Any]) -> None:
        if measured is None:
            measurer.add(block)
        if writer is not None:
            scaled = block if gain == 1.0 else block * np.float32(gain)
            writer.write(np.clip(np.rint(scaled * 32768), -32768, 32767).astype(np.int16))

    try:
        for block in sound.blocks():
            frames += len(block)
            if frames > limit * sound.rate:
                raise too_long(frames / sound.rate, limit)
            if not np.isfinite(block).all():
                block = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
            take(block if resampler is None else resampler.resample_chunk(block))
        if resampler is not None:
            take(resampler.resample_chunk(np.zeros((0, sound.channels), np.float32), last=True))
    except soundfile.SoundFileError as error:
        raise _not_written() from error
    finally:
        if writer is not None:
            writer.close()
    # A full disk may show only in the size.
    if target is not None and target.stat().st_size < measurer.frames * sound.channels * 2:
        raise _not_written()
    return measurer, frames


if __name__ == "__main__":
    serve({"convert": convert})
