"""A pool of decoder processes: one bad file costs one process, never the program."""

from __future__ import annotations

import errno
import os
import queue
import signal
import threading
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assistant.config import IntakeSettings
from assistant.errors import FileError
from assistant.files import whole_file
from assistant.i18n import _
from assistant.workers import Limits, ReportedError, Worker, WorkerDied, WorkerError, WorkerTimeout

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
# Blocks of samples are as large as what malloc gives back to the system at once, only to ask for it again.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}
_WAV_BYTES_PER_MINUTE = 60 * 44100 * 4
_MOST_WORKERS = 32
_LITTLE_SPACE = 4 << 20

DECODER = 1
"""Raised when the decoders learn to read what they could not: files set aside are then tried again."""
_READERS = ("av", "soundfile")


@dataclass(frozen=True)
class Converted:
    """What came out of a conversion."""

    duration: float
    """Seconds of the WAV."""
    source_rate: int
    channels: int
    """Of the source."""
    codec: str
    own: bool
    """The source is itself a training-ready WAV, and nothing was written."""
    tags: dict[str, str]
    measured: dict[str, Any]
    """Facts by name: value, source, confidence."""
    fingerprint: str = ""
    """What it sounds like (assistant.audio.fingerprint) in base64; empty where it is too short or plain."""


class ConversionFailed(FileError):
    """A file could not be converted. `permanent` is false where another attempt may succeed."""

    def __init__(self, path: Path, title: str, hint: str, *, permanent: bool) -> None:
        super().__init__(path, title, hint)
        self.permanent = permanent


@cache
def decoder_version() -> str:
    """What reads the files, as the ledger notes it: our own version and the libraries'."""
    from assistant.audio.tracker import library_version

    found = [str(DECODER)]
    for package in _READERS:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    modules = library_version()
    if modules:
        found.append(f"libopenmpt {modules}")
    return ", ".join(found)


def worker_count(settings: IntakeSettings) -> int:
    """The number of decoder processes: configured, or one for each core that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(settings.workers or cores, _MOST_WORKERS))


class Decoders:
    """Converts files in child processes with limits. Calls may come from several threads at once."""

    def __init__(self, settings: IntakeSettings, *, listen: bool = False) -> None:
        self._settings = settings
        self._listen = listen
        self.count = worker_count(settings)
        # Twice the longest WAV, so that a reader of the limit's length is never cut by it.
        limits = Limits(
            memory_bytes=settings.max_memory_mib << 20,
            cpu_seconds=self.timeout,
            file_bytes=int(settings.max_minutes * _WAV_BYTES_PER_MINUTE * 2) + (1 << 20),
            open_files=64,
            confined=True,
            gives_way=True,
        )
        self._workers = [
            Worker("assistant.audio.decoder", limits=limits, environment=_ONE_THREAD | _MALLOC)
            for _number in range(self.count)
        ]
        self._free: queue.Queue[Worker] = queue.Queue()
        for worker in self._workers:
            self._free.put(worker)
        self._closing = threading.Event()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def timeout(self) -> int:
        """Seconds that one file may take."""
        return int(60 + 5 * self._settings.max_minutes)

    def convert(
        self,
        source: Path,
        target: Path,
        *,
        overwrite: bool = True,
        keep_own: bool = False,
        measure: bool = True,
    ) -> Converted:
        """Make `target`, whole or not at all, from `source`.

        With `keep_own` a source that is already 44.1 kHz PCM_16 WAV is only measured; without `measure`
        nothing is measured, which is quicker. Raises
        `ConversionFailed` with the reason, and `FileExistsError` where the target exists and may not be
        overwritten.
        """
        worker = self._free.get()
        try:
            if self._closing.is_set():
                raise _stopped(source)
            return self._convert(worker, source, target, overwrite, keep_own, measure)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """Stop all processes; conversions in progress fail as not permanent."""
        self._closing.set()
        for worker in self._workers:
            worker.kill()
        for _number in self._workers:
            self._free.get().close()

    def _convert(
        self, worker: Worker, source: Path, target: Path, overwrite: bool, keep_own: bool, measure: bool
    ) -> Converted:
        request: dict[str, Any] = {
            "source": str(source),
            "keep_own": keep_own,
            "measure": measure,
            "max_seconds": self._settings.max_minutes * 60,
            "soundfont": self._settings.soundfont,
            "listen": self._listen,
        }
        if keep_own and source == target:
            return self._answer(worker, source, request | {"target": None})
        try:
            with whole_file(target, overwrite=overwrite) as temporary:
                temporary.touch(exist_ok=False)  # where it cannot be made, the reason is known here
                converted = self._answer(worker, source, request | {"target": str(temporary)})
                if converted.own:
                    raise _Own(converted)
            return converted
        except _Own as own:
            return own.converted
        except FileExistsError:
            raise
        except OSError as error:
            title, hint = cannot_write(error, target.parent)
            raise ConversionFailed(source, title, hint, permanent=False) from error

    def _answer(self, worker: Worker, source: Path, request: dict[str, Any]) -> Converted:
        try:
            for last_attempt in (False, True):
                try:
                    return Converted(**worker.call("convert", request, timeout=self.timeout))
                except WorkerDied:
                    if last_attempt or self._closing.is_set():
                        raise
            raise AssertionError
        except ReportedError as error:
            if error.kind == "NotWritten" and request["target"] is not None:
                # The libraries do not say why; where nearly nothing is free, that is the reason.
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                folder = Path(request["target"]).parent
                if _free_bytes(folder) < _LITTLE_SPACE:
                    raise ConversionFailed(source, *cannot_write(full, folder), permanent=False) from error
            permanent = error.kind not in ("NotWritten", "NotRead")
            raise ConversionFailed(source, error.title, error.hint, permanent=permanent) from error
        except WorkerTimeout as error:
            title = _("Reading the file took longer than {seconds} seconds and was stopped.")
            raise ConversionFailed(
                source,
                title.format(seconds=self.timeout),
                _("It may be damaged; otherwise cut it into pieces."),
                permanent=True,
            ) from error
        except WorkerError as error:
            if self._closing.is_set():
                raise _stopped(source) from error
            if isinstance(error, WorkerDied) and error.signal in (signal.SIGKILL, signal.SIGTERM):
                # No decoder ends itself so: the system does when memory runs out, or a person.
                raise ConversionFailed(
                    source,
                    _("The decoder was ended from outside."),
                    _("Perhaps memory ran short; it is tried again later. Fewer intake.workers need less."),
                    permanent=False,
                ) from error
            raise ConversionFailed(
                source,
                _("The decoder broke down on this file."),
                _("It is probably damaged. Play it, and copy or export it again."),
                permanent=True,
            ) from error


class _Own(Exception):
    def __init__(self, converted: Converted) -> None:
        super().__init__()
        self.converted = converted


def cannot_write(error: OSError, folder: Path) -> tuple[str, str]:
    """Why something could not be written into a folder, and what to do, in the person's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            _("The disk is full: {free} MiB are free.").format(free=_free_bytes(folder) >> 20),
            _("Make room; it is tried again by itself."),
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            _("The folder may not be written to: {reason}.").format(reason=error.strerror),
            _("Give yourself the right to write there; it is tried again by itself."),
        )
    return (
        _("The files beside it cannot be written: {reason}.").format(reason=error.strerror),
        _("Look at the disk and the folder; it is tried again by itself."),
    )


def _free_bytes(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _stopped(source: Path) -> ConversionFailed:
    return ConversionFailed(source, _("The work was stopped."), "", permanent=False)
