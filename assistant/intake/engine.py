"""The work of intake: tracks that wait are converted, captioned and made ready."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from assistant.audio.guard import ConversionFailed, Converted, Decoders, cannot_write, decoder_version
from assistant.caption.captioner import check_captioner
from assistant.files import clear_left_behind
from assistant.i18n import _
from assistant.intake.adopt import adopt
from assistant.intake.events import IntakeEvent
from assistant.intake.finish import finish
from assistant.intake.names import plan_names
from assistant.intake.quarantine import write_refused
from assistant.intake.retry import MOST_ENDS, after_fault, after_trouble
from assistant.intake.space import Rest, free_bytes, is_passing, reserve_bytes, wav_bytes
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.scan import Refused, display_name

_BATCH = 500
_LOOK_SECONDS = 2.0
_MADE_KEPT = 20_000


@dataclass(frozen=True)
class _Work:
    track: Track
    """As it was before the attempt."""
    target: Path
    started: float
    bytes: int
    """What the WAV may take."""


class Engine:
    """Takes waiting tracks of one library through the decoders. Belongs to one thread.

    `fill` and `collect` give events; call them in turn until `idle`, or for ever: tracks whose time has
    come are found without `look`. With `at_once` those put off earlier do not wait for their time.
    """

    def __init__(self, library: Library, *, at_once: bool = False) -> None:
        check_captioner(library.settings.caption)
        self._library = library
        self._decoders = Decoders(library.settings.intake, listen=library.settings.caption.listen)
        self._threads = ThreadPoolExecutor(self._decoders.count, thread_name_prefix="intake")
        self._running: dict[Future[Converted], _Work] = {}
        self._queue: deque[int] = deque()
        self._more = False
        self._looked = 0.0
        self._put_off_before = time.time() if at_once else 0.0
        self._reserved: set[Path] = set()
        self._rest = Rest(library)
        self._rest_told = False
        self._begun = False
        self._refused: set[Refused] = set()
        self.counts = {"ready": 0, "failed": 0, "skipped": 0}
        self.made: dict[Path, None] = {}
        """The WAVs, relative, that were written last: their events are our own."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def idle(self) -> bool:
        """Nothing runs, and nothing can be begun now."""
        return not self._running and (bool(self.paused) or not (self._queue or self._more))

    @property
    def paused(self) -> str:
        """Why the whole intake rests, in words; empty while it works."""
        return self._rest.reason

    @property
    def working(self) -> list[str]:
        """The files in the decoders, as text."""
        return [display_name(work.track.path) for work in self._running.values()]

    def close(self) -> None:
        """Stop what runs; its tracks wait again."""
        self._decoders.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for future, work in self._running.items():
            made = future.done() and not future.cancelled() and future.exception() is None
            try:
                self._leave(work, made=made and not future.result().own)
            except sqlite3.OperationalError as error:  # the next start finds it in work
                if not is_passing(error):
                    raise
        self._running.clear()

    def look(self) -> None:
        """Queue the tracks that wait, as the ledger has them now."""
        try:
            if not self._begun:
                self._recover()
            found = self._library.ledger.due_tracks(
                time.time(), put_off_before=self._put_off_before, limit=_BATCH
            )
        except sqlite3.OperationalError as error:
            self._rest.begin_for(error)
            return
        self._queue, self._more = deque(found), len(found) == _BATCH
        self._looked = time.monotonic()

    def refuse(self, refused: Sequence[Refused]) -> Iterator[IntakeEvent]:
        """Name what a scan found to be no readable file: each once, until it is gone."""
        write_refused(self._library, refused)
        for one in refused:
            if one not in self._refused:
                self.counts["failed"] += 1
                yield IntakeEvent("failed", display_name(one.path), reason=one.reason, hint=one.hint)
        self._refused = set(refused)

    def fill(self) -> Iterator[IntakeEvent]:
        """Start as many conversions as there are decoders; what needs none is done at once."""
        if not self.paused or self._rest.over():
            if self._rest_told:
                self._rest_told = False
                yield IntakeEvent("resumed", "")
            try:
                yield from self._fill()
            except sqlite3.OperationalError as error:
                self._rest.begin_for(error)
                self._begun = False  # rows may say something else than what runs
        if self.paused and not self._rest_told:
            self._rest_told = True
            yield IntakeEvent("paused", "", reason=self._rest.reason, hint=self._rest.hint)

    def collect(self, timeout: float) -> Iterator[IntakeEvent]:
        """Wait up to `timeout` seconds for conversions, and finish those that ended."""
        if not self._running:
            return
        ended, _still = wait(self._running, timeout, FIRST_COMPLETED)
        for future in ended:
            work = self._running.pop(future)
            self._reserved.discard(work.target)
            try:
                yield self._end(future, work)
            except sqlite3.OperationalError as error:
                self._rest.begin_for(error)
                self._begun = False

    def _recover(self) -> None:
        """Clear up after a program that was ended: what it worked on waits again.

        So does what an older decoder failed on.
        """
        ledger = self._library.ledger
        clear_left_behind(self._library.paths.state)
        running = {work.track.id for work in self._running.values()}
        for track in ledger.iterate_tracks(state="working"):
            if track.id in running:
                continue
            if track.attempts >= MOST_ENDS:
                self._fail(
                    track,
                    _("The program ended {times} times while it read this file.").format(
                        times=track.attempts
                    ),
                    _("It is probably damaged. Replace it, or touch it to try again."),
                )
            else:
                ledger.update_track(track.id, state="waiting")
        ledger.try_again(ledger.failed_with_another_decoder(decoder_version()))
        self._begun = True

    def _fill(self) -> Iterator[IntakeEvent]:
        while len(self._running) < self._decoders.count:
            if not self._queue and (self._more or time.monotonic() - self._looked >= _LOOK_SECONDS):
                self.look()
            if not self._queue:
                return
            track = self._library.ledger.track(self._queue[0])
            if track is None or track.state not in ("waiting", "failed"):
                self._queue.popleft()
                continue
            room = self._room(track)
            if room == "wait":
                return
            self._queue.popleft()
            if room == "none":
                yield self._put_off(track, _no_room(track, self._library))
                continue
            try:
                text = adopt(self._library, track, self._reserved)
            except OSError as error:
                yield self._put_off(track, cannot_write(error, self._library.root / track.path.parent))
                continue
            if text is not None:
                yield self._event("skipped", track, reason=_("It was taken in before."), caption=text)
                continue
            yield self._start(track)

    def _room(self, track: Track) -> Literal["enough", "wait", "none"]:
        """Whether the disk has room for the track's WAV beside those in work."""
        folder, settings = self._library.root / track.path.parent, self._library.settings.intake
        if self._rest.begin_if_full(folder):
            return "wait"
        try:
            left = free_bytes(folder) - reserve_bytes(folder, settings)
        except OSError:
            return "enough"  # the attempt itself says what is wrong
        left -= wav_bytes(track.path, track.size, settings)
        if left >= sum(work.bytes for work in self._running.values()):
            return "enough"
        return "wait" if self._running else "none" if left < 0 else "enough"

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
        size = wav_bytes(track.path, track.size, self._library.settings.intake)
        self._running[future] = _Work(track, names.wav, time.monotonic(), size)
        return IntakeEvent("working", display_name(track.path), track=track.id)

    def _end(self, future: Future[Converted], work: _Work) -> IntakeEvent:
        track = work.track
        try:
            converted = future.result()
        except FileExistsError:  # the person put a file there meanwhile
            self._leave(work)
            self._queue.append(track.id)
            return self._event("skipped", track, reason=_("Its WAV gets another name."))
        except ConversionFailed as error:
            changed = self._changed(work, made=False)
            if changed is not None:
                return changed
            if error.permanent:
                return self._fail(track, error.title, error.hint)
            return self._put_off(track, (error.title, error.hint))
        changed = self._changed(work, made=not converted.own)
        if changed is not None:
            return changed
        try:
            done = finish(self._library, track, work.target, converted, self._reserved)
        except OSError as error:
            return self._put_off(track, cannot_write(error, self._library.root / track.path.parent))
        if not converted.own:
            self.made[done.wav] = None
            if len(self.made) > _MADE_KEPT:
                del self.made[next(iter(self.made))]
        return self._event(
            "ready",
            track,
            hint=done.caption.problem,
            wav=display_name(done.wav),
            caption=done.caption.text,
            duration=converted.duration,
            seconds=time.monotonic() - work.started,
            duplicate_of=done.duplicate_of,
        )

    def _changed(self, work: _Work, *, made: bool) -> IntakeEvent | None:
        """The event where the source is not what it was when the work began; its next scan takes it up."""
        track = work.track
        try:
            stat = (self._library.root / track.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            self._leave(work)
            self._discard(work, made)
            self._library.ledger.update_track(track.id, state="missing")
            return self._event("skipped", track, reason=_("It was removed while it was read."))
        except OSError:
            return None
        if (stat.st_size, stat.st_mtime_ns) == (track.size, track.mtime_ns):
            return None
        self._leave(work)
        self._discard(work, made)
        later = time.time() + self._library.settings.intake.scan_seconds
        self._library.ledger.update_track(track.id, retry_at=later)
        return self._event("skipped", track, reason=_("It changed while it was read."))

    def _discard(self, work: _Work, made: bool) -> None:
        """Remove a WAV that was just made of what is not there any more."""
        if made:
            (self._library.root / work.target).unlink(missing_ok=True)
            self._library.ledger.update_track(work.track.id, wav=None)

    def _fail(self, track: Track, reason: str, hint: str) -> IntakeEvent:
        """A fault of the file: it counts, and is tried again a few times."""
        attempts = track.attempts if track.state == "working" else track.attempts + 1
        self._library.ledger.update_track(
            track.id,
            state="failed",
            reason=reason,
            hint=hint,
            attempts=attempts,
            retry_at=after_fault(attempts, time.time()),
            decoder=decoder_version(),
            wav=None,
            caption=None,
            info=None,
        )
        return self._event("failed", track, reason=reason, hint=hint)

    def _put_off(self, track: Track, trouble: tuple[str, str]) -> IntakeEvent:
        """A trouble that may pass (a full disk, a folder that may not be written to): the track waits."""
        reason, hint = trouble
        self._library.ledger.update_track(
            track.id,
            state="waiting",
            reason=reason,
            hint=hint,
            attempts=track.attempts,
            retry_at=after_trouble(track, time.time()),
        )
        return self._event("failed", track, reason=reason, hint=hint)

    def _leave(self, work: _Work, *, made: bool = False) -> None:
        """Let the track wait again; a WAV that was `made` stays ours, and is written over next time."""
        track = work.track
        wav = work.target if made else track.wav
        self._library.ledger.update_track(track.id, state="waiting", attempts=track.attempts, wav=wav)

    def _event(self, event: str, track: Track, **values: object) -> IntakeEvent:
        self.counts[event] += 1
        return IntakeEvent(event, display_name(track.path), track=track.id, **values)  # type: ignore[arg-type]


def _no_room(track: Track, library: Library) -> tuple[str, str]:
    needed = wav_bytes(track.path, track.size, library.settings.intake)
    return (
        _("The disk has no room for the WAV, which may take {needed} MiB.").format(needed=-(-needed >> 20)),
        _("Make room; it is tried again by itself."),
    )
