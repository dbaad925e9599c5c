"""The work of intake: tracks that wait are converted, captioned and made ready."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType

from assistant.audio.guard import ConversionFailed, Converted, Decoders
from assistant.audio.tags import title_from_name
from assistant.caption.files import Origin, write_caption
from assistant.files import write_text
from assistant.i18n import _
from assistant.intake.adopt import adopt
from assistant.intake.events import IntakeEvent
from assistant.intake.names import plan_names
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import display_name

_MOST_ATTEMPTS = 3
_RETRY_SECONDS = 60.0


class Engine:
    """Takes waiting tracks of one library through the decoders. Belongs to one thread.

    `fill` and `collect` give events; call them in turn until `idle`.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._decoders = Decoders(library.settings.intake)
        self._threads = ThreadPoolExecutor(self._decoders.count, thread_name_prefix="intake")
        self._running: dict[Future[Converted], tuple[Track, Path, float]] = {}
        self._queue: deque[int] = deque()
        self._later: dict[int, float] = {}  # after a passing trouble: when to try again
        self._reserved: set[Path] = set()
        self.counts = {"ready": 0, "failed": 0, "skipped": 0}
        self.made: set[Path] = set()
        """WAVs, relative, that were written since the start: their events are our own."""
        self._recover()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing is queued."""
        return not self._running and not self._queue

    @property
    def working(self) -> list[str]:
        """The files in the decoders, as text."""
        return [display_name(track.path) for track, _target, _started in self._running.values()]

    def close(self) -> None:
        """Stop what runs; its tracks wait again."""
        self._decoders.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for track, target, _started in self._running.values():
            self._leave(track, target)
        self._running.clear()

    def look(self) -> None:
        """Queue the tracks that wait, as the ledger has them now."""
        now = time.monotonic()
        busy = {track.id for track, _target, _started in self._running.values()}
        self._queue = deque(
            track.id
            for track in self._library.ledger.tracks(state="waiting")
            if track.id not in busy and self._later.get(track.id, 0.0) <= now
        )

    def fill(self) -> Iterator[IntakeEvent]:
        """Start as many conversions as there are decoders; what needs none is done at once."""
        ledger = self._library.ledger
        while self._queue and len(self._running) < self._decoders.count:
            track = ledger.track(self._queue.popleft())
            if track is None or track.state != "waiting":
                continue
            try:
                text = adopt(self._library, track, self._reserved)
            except OSError as error:
                yield self._put_off(track, _cannot_write(error))
                continue
            if text is not None:
                yield self._event("skipped", track, reason=_("It was taken in before."), caption=text)
                continue
            yield self._start(track)

    def collect(self, timeout: float) -> Iterator[IntakeEvent]:
        """Wait up to `timeout` seconds for conversions, and finish those that ended."""
        if not self._running:
            return
        ended, _still = wait(self._running, timeout, FIRST_COMPLETED)
        for future in ended:
            track, target, started = self._running.pop(future)
            self._reserved.discard(target)
            yield self._end(future, track, target, time.monotonic() - started)

    def _recover(self) -> None:
        """Tracks that were in work when the program ended wait again, but not for ever."""
        for track in self._library.ledger.tracks(state="working"):
            if track.attempts >= _MOST_ATTEMPTS:
                self._fail(
                    track,
                    _("The program ended {times} times while it read this file.").format(
                        times=track.attempts
                    ),
                    _("It is probably damaged. Replace it, or touch it to try again."),
                )
            else:
                self._library.ledger.update_track(track.id, state="waiting")

    def _start(self, track: Track) -> IntakeEvent:
        names = plan_names(self._library, track, self._reserved)
        ours = track.wav == names.wav or (self._library.root / names.info).exists()
        # The name is written down first: a WAV that a crash leaves behind is known as ours.
        self._library.ledger.update_track(
            track.id, state="working", attempts=track.attempts + 1, wav=names.wav
        )
        self._reserved.add(names.wav)
        root = self._library.root
        future = self._threads.submit(
            self._decoders.convert, root / track.path, root / names.wav, overwrite=ours, keep_own=True
        )
        self._running[future] = (track, names.wav, time.monotonic())
        return IntakeEvent("working", display_name(track.path), track=track.id)

    def _end(self, future: Future[Converted], track: Track, target: Path, seconds: float) -> IntakeEvent:
        try:
            converted = future.result()
        except FileExistsError:  # the person put a file there meanwhile
            self._leave(track, target)
            self._queue.append(track.id)
            return self._event("skipped", track, reason=_("Its WAV gets another name."))
        except ConversionFailed as error:
            if error.permanent:
                return self._fail(track, error.title, error.hint)
            return self._put_off(track, (error.title, error.hint))
        if self._changed(track):
            self._leave(track, target)
            self._later[track.id] = time.monotonic() + self._library.settings.intake.quiet_seconds
            return self._event("skipped", track, reason=_("It changed while it was read."))
        try:
            return self._finish(track, target, converted, seconds)
        except OSError as error:
            return self._put_off(track, _cannot_write(error))

    def _finish(self, track: Track, target: Path, converted: Converted, seconds: float) -> IntakeEvent:
        library = self._library
        current = library.ledger.track(track.id) or track
        names = plan_names(library, current, self._reserved, own=converted.own)
        wav = track.path if converted.own else target
        if not converted.own:
            self.made.add(wav)
        tags = converted.tags
        origin = Origin(
            source=display_name(track.path.name),
            content=track.content,
            wav=display_name(wav.name),
            title=tags.get("title") or title_from_name(track.path.name),
            artist=tags.get("artist") or tags.get("albumartist") or "",
            album=tags.get("album", ""),
            duration=converted.duration,
            facts={**converted.measured, "channels": converted.channels, "codec": converted.codec},
            tags=tags,
        )
        text = write_caption(
            library.root / names.info,
            library.root / names.caption,
            origin,
            library.genre_of(track.path),
            foreign=names.foreign_caption,
        )
        library.ledger.update_track(
            track.id,
            state="ready",
            reason="",
            hint="",
            attempts=0,
            wav=wav,
            caption=names.caption,
            info=names.info,
            duration=converted.duration,
            title=origin.title,
            artist=origin.artist,
            album=origin.album,
        )
        return self._event(
            "ready", track, wav=display_name(wav), caption=text, duration=converted.duration, seconds=seconds
        )

    def _changed(self, track: Track) -> bool:
        try:
            stat = (self._library.root / track.path).stat()
        except OSError:
            return True
        return (stat.st_size, stat.st_mtime_ns) != (track.size, track.mtime_ns)

    def _fail(self, track: Track, reason: str, hint: str) -> IntakeEvent:
        self._library.ledger.update_track(
            track.id, state="failed", reason=reason, hint=hint, wav=None, caption=None, info=None
        )
        return self._event("failed", track, reason=reason, hint=hint)

    def _put_off(self, track: Track, trouble: tuple[str, str]) -> IntakeEvent:
        """A passing trouble (a full disk, a folder that may not be written to): the track waits on."""
        reason, hint = trouble
        self._library.ledger.update_track(track.id, state="waiting", reason=reason, hint=hint, attempts=0)
        self._later[track.id] = time.monotonic() + _RETRY_SECONDS
        return self._event("failed", track, reason=reason, hint=hint)

    def _leave(self, track: Track, target: Path) -> None:
        made = (self._library.root / target).exists()
        values = {} if made and target == track.wav else {"wav": track.wav}
        self._library.ledger.update_track(track.id, state="waiting", attempts=track.attempts, **values)

    def _event(self, event: str, track: Track, **values: object) -> IntakeEvent:
        self.counts[event] += 1
        return IntakeEvent(event, display_name(track.path), track=track.id, **values)  # type: ignore[arg-type]


def write_quarantine(library: Library) -> None:
    """Write down what could not be read and why, one JSON document a line; no file where all is well."""
    failed = library.ledger.tracks(state="failed")
    lines = [
        json.dumps(
            {
                "path": display_name(track.path),
                "reason": track.reason,
                "hint": track.hint,
                "content": track.content,
            },
            ensure_ascii=False,
        )
        for track in failed
    ]
    text = "".join(line + "\n" for line in lines)
    path = library.paths.quarantine
    if not text:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_text("utf-8") != text:
        write_text(path, text)


def _cannot_write(error: OSError) -> tuple[str, str]:
    return (
        _("The caption cannot be written: {reason}.").format(reason=error.strerror),
        _("Make room on the disk and check that you may write to the folder."),
    )
