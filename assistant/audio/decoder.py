"""The decoder process: one file in, one 44.1 kHz PCM_16 WAV out, with tags and measurements.

Untrusted files are only ever opened here, under limits of memory, time and file size.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from assistant.audio.channels import interleaved
from assistant.audio.decode import (
    Sound,
    Unreadable,
    cut_off,
    no_sound,
    open_audio,
    open_tolerantly,
    unreadable,
)
from assistant.audio.diagnose import diagnose
from assistant.audio.formats import Content, sniff
from assistant.audio.measure import Measurer
from assistant.audio.open import create_sound
from assistant.audio.quantise import Quantiser, content_seed
from assistant.audio.render import open_midi, too_long
from assistant.audio.tags import read_tags
from assistant.audio.tracker import library_version, open_module
from assistant.errors import MusicHelperError
from assistant.files import NotAFile, open_regular
from assistant.i18n import _
from assistant.workers import Emit, Message, serve

RATE = 44100
SHORTEST = 0.1  # seconds
SILENCE = 1e-4  # of full scale: three steps of 16 bits
_FULL = 10 ** (-1 / 20)  # -1 dBFS, where a rendering is brought to
_MOST_GAIN = 10 ** (24 / 20)
_MOST_BYTES = (1 << 32) - (1 << 16)  # of a WAV
_MOST_KEPT = 256 << 20  # bytes of samples: 12 minutes
_RENDERED = (Content.MIDI, Content.TRACKER)
_LOUD = 0.9  # from here on, more may come that is too loud
_OVERSHOOT = 10 ** (1 / 20)  # what decoders overshoot and players cut off; more is turned down


class NotWritten(MusicHelperError):
    """The WAV could not be written, which is not the source's fault."""


class NotRead(MusicHelperError):
    """The source could not be read for a reason outside it, which may pass."""


def _not_read(error: OSError) -> MusicHelperError:
    if isinstance(error, NotAFile):
        return MusicHelperError(
            _("It is a folder, pipe, socket or device, not a file."), _("Put the music itself here.")
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotRead(
            _("The file may not be read: permission denied."),
            _("Give yourself the right to read it; it is tried again by itself."),
        )
    if error.errno == errno.ENOENT:
        return NotRead(_("The file is not there any more."), _("Put it back, or forget it."))
    return NotRead(
        _("The disk cannot read the file: {reason}.").format(reason=error.strerror or error),
        _("Check the disk and its cable; it is tried again by itself."),
    )


def _not_written() -> NotWritten:
    return NotWritten(
        _("The WAV cannot be written; the disk may be full."),
        _("Make room on the disk and check that you may write to the folder."),
    )


def convert(request: Message, emit: Emit) -> Message:
    """Convert `source` to `target` (None: only measure).

    With `keep_own`, a source that is itself a training-ready WAV is not written again: `own` in the
    answer tells. Other keys of the request: max_seconds, soundfont, measure (False: only convert), and
    listen, whether musicnn's networks are run.
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
    except Unreadable as error:
        raise diagnose(source) or error from error
    except OSError as error:
        raise _not_read(error) from error


def _convert(source: Path, target: Path | None, request: Message) -> Message:
    limit = float(request["max_seconds"])
    content = _content(source)
    known: dict[str, Any] = {}
    if content is Content.MIDI:
        sound, known = open_midi(source, request["soundfont"], limit)
    elif content is Content.TRACKER:
        sound = open_module(source)
    else:
        try:
            sound = open_audio(source, content)
        except MusicHelperError as error:
            if content is not Content.OTHER or not library_version():
                raise
            try:
                sound, content = _module_without_mark(source), Content.TRACKER
            except MusicHelperError:
                raise error from None  # the first reason is the better one
    if sound.declared is not None and sound.declared > limit:
        raise too_long(sound.declared, limit)
    own = sound.training_ready and bool(request["keep_own"])
    writing = None if own else target
    _check_size(sound, sound.declared, writing)
    quantiser = Quantiser(content_seed(source))
    # A rendering's level is known when it has ended, and to render it again takes long.
    first = None if content in _RENDERED else writing
    read = partial(
        _read,
        target=first,
        quantiser=quantiser,
        limit=limit,
        measuring=bool(request.get("measure", True)),
        listen=bool(request["listen"]) and content is not Content.MIDI,  # a score tells its instruments
        keeping=first is not writing,
    )
    measurer, frames, kept = read(sound)
    if _is_short(sound, frames) and content in (Content.FLAC, Content.AIFF, Content.WAV, Content.OGG):
        # libsndfile stops at a damaged place; what lies behind it may be sound.
        with contextlib.suppress(MusicHelperError):
            tolerant = open_tolerantly(source, content)
            again = read(tolerant)
            if again[1] > frames:
                (measurer, frames, kept), sound = again, replace(tolerant, declared=sound.declared)
    decoded = frames / sound.rate
    if _is_short(sound, frames):
        if frames == 0:
            raise unreadable()
        raise cut_off(decoded, sound.declared)
    if frames == 0:
        raise no_sound()
    if decoded < SHORTEST:
        raise MusicHelperError(
            _("The file is only {seconds:.2f} seconds long.").format(seconds=int(decoded * 100) / 100),
            _("Music needs a tenth of a second at least; copy or export it again."),
        )
    if measurer.peak < SILENCE:
        raise MusicHelperError(
            _("The file is silent from beginning to end."),
            _("Check the recording; nothing can be learnt from silence."),
        )
    gain = _gain(content, measurer.peak)
    if writing is not None and (gain != 1.0 or first is None):
        _check_size(sound, measurer.frames / RATE, writing)
        _write(sound, writing, quantiser, gain, kept)
    return {
        "duration": measurer.frames / RATE,
        "source_rate": sound.rate,
        "channels": sound.source_channels,
        "codec": sound.codec,
        "own": own,
        "tags": read_tags(source) if content not in _RENDERED else {},
        "measured": {**measurer.facts(gain if writing is not None else 1.0), **known},
        "fingerprint": base64.b64encode(measurer.fingerprint()).decode(),
    }


def _module_without_mark(source: Path) -> Sound:
    """Some modules have no mark at their beginning; what no other decoder knows may be one."""
    try:
        return open_module(source)
    except MusicHelperError:
        raise unreadable() from None


def _is_short(sound: Sound, frames: int) -> bool:
    """Whether clearly less was decoded than the file declares."""
    declared = sound.declared
    return declared is not None and frames / sound.rate < declared - max(0.25, 0.02 * declared)


def _content(source: Path) -> Content:
    with open_regular(source) as file:
        head = file.read(2048)
    if not head:
        raise MusicHelperError(
            _("The file is empty."), _("It may still be on its way; otherwise copy or download it again.")
        )
    content = sniff(head)
    if content is Content.PLAYLIST:
        raise MusicHelperError(
            _("The file is a playlist, not music."), _("Put the files that it names here instead.")
        )
    if content is Content.TEXT or not head.strip(b"\0"):
        raise unreadable()
    return content


class Peak:
    """Only the largest sample and the length, where nothing more is asked for."""

    def __init__(self) -> None:
        self.frames = 0
        self.peak = 0.0

    def add(self, block: np.ndarray[Any, Any]) -> None:
        """Take in the next frames."""
        if len(block):
            self.peak = max(self.peak, float(block.max()), -float(block.min()))
        self.frames += len(block)

    def facts(self, gain: float = 1.0) -> dict[str, Any]:
        """Nothing was measured."""
        return {}

    def fingerprint(self) -> bytes:
        """Nothing was measured."""
        return b""


def _gain(content: Content, peak: float) -> float:
    """What to multiply by: a rendering is brought to -1 dBFS, anything else only kept from clipping."""
    if content in _RENDERED:
        return min(_FULL / peak, _MOST_GAIN)
    return 1.0 if peak <= _OVERSHOOT else _FULL / peak


def _check_size(sound: Sound, seconds: float | None, target: Path | None) -> None:
    if target is not None and seconds is not None and seconds * RATE * sound.channels * 2 > _MOST_BYTES:
        raise MusicHelperError(
            _("The WAV would be larger than the 4 GiB that its format can hold."),
            _("Cut the file into pieces."),
        )


class _Kept:
    """The last samples of a stream, remembered for a second time where they are few enough.

    To decode or render again takes longer than anything else, but new memory for each block takes a
    quarter of the time of decoding.
    """

    def __init__(self) -> None:
        self.passed = 0
        """Blocks before the first that is remembered."""
        self.blocks: list[np.ndarray[Any, Any]] = []
        self.whole = True
        self._bytes = 0

    def add(self, block: np.ndarray[Any, Any]) -> None:
        self._bytes += block.nbytes
        if self._bytes <= _MOST_KEPT:
            self.blocks.append(block)
        else:
            self.blocks.clear()
            self.whole = False


def _read(
    sound: Sound,
    target: Path | None,
    quantiser: Quantiser,
    *,
    limit: float,
    measuring: bool,
    listen: bool,
    keeping: bool,
) -> tuple[Measurer | Peak, int, _Kept]:
    """Read the stream once, and write it where there is a target: the measurements, and frames read.

    Samples are remembered with `keeping`, and once they are so loud that more may be too loud.
    """
    measurer = Measurer(RATE, sound.channels, sound.declared, listen=listen) if measuring else Peak()
    kept = _Kept()
    frames = 0
    with _writer(target, sound.channels) as write:
        for block, frames in _at_rate(sound):
            if frames > limit * sound.rate:
                raise too_long(frames / sound.rate, limit)
            _check_size(sound, frames / sound.rate, target)
            measurer.add(block)
            if keeping or (target is not None and measurer.peak > _LOUD):
                kept.add(block)
            else:
                kept.passed += 1
            # Too loud is written a second time, turned down; until then there is no use in going on.
            if target is not None and measurer.peak <= _OVERSHOOT:
                write(quantiser(block))
    return measurer, frames, kept


def _write(sound: Sound, target: Path, quantiser: Quantiser, gain: float, kept: _Kept) -> None:
    """Write a stream that was read before, times `gain`."""
    blocks: Iterator[np.ndarray[Any, Any]] = (block for block, _frames in _at_rate(sound))
    if kept.whole:
        blocks = chain(islice(blocks, kept.passed), kept.blocks)
    with _writer(target, sound.channels) as write:
        for block in blocks:
            write(quantiser(block, gain))


def _at_rate(sound: Sound) -> Iterator[tuple[np.ndarray[Any, Any], int]]:
    """The blocks at 44.1 kHz, finite, each with the frames of the source read so far."""
    import soxr

    resampler = None
    if sound.rate != RATE:
        resampler = soxr.ResampleStream(sound.rate, RATE, sound.channels, dtype="float32", quality="HQ")
    frames = 0
    for block in sound.blocks():
        frames += len(block)
        flat = block.reshape(-1, order="A")
        if not math.isfinite(np.dot(flat, flat)):  # quicker than to ask of each; a large sum is no harm
            block = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
        yield (block if resampler is None else resampler.resample_chunk(interleaved(block))), frames
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros((0, sound.channels), np.float32), last=True), frames


def _no_write(_block: np.ndarray[Any, Any]) -> None:
    pass


@contextlib.contextmanager
def _writer(target: Path | None, channels: int) -> Iterator[Callable[[np.ndarray[Any, Any]], None]]:
    """What takes int16 blocks into a new WAV. Raises `NotWritten` where they do not all arrive."""
    import soundfile

    if target is None:
        yield _no_write
        return
    written = 0
    try:
        with create_sound(target, RATE, channels, "PCM_16", "WAV") as file:

            def write(block: np.ndarray[Any, Any]) -> None:
                nonlocal written
                file.write(block)
                written += len(block)

            yield write
    except soundfile.SoundFileError as error:
        raise _not_written() from error
    # A full disk may show only in the size.
    if target.stat().st_size < written * channels * 2:
        raise _not_written()


if __name__ == "__main__":
    serve({"convert": convert})
