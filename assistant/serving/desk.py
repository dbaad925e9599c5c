"""What the engine does, one job after the other: the device, the process that computes, the queue."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from assistant.i18n import set_language
from assistant.runs.lock import device_wish
from assistant.serving.holding import DeviceHold, needs_lock, wish_for
from assistant.serving.protocol import Message
from assistant.workers import ReportedError, Worker, WorkerDied, WorkerError

WORKER_MODULE = "assistant.musicgen.worker"

_QUIET_SECONDS = 1.0
"""How long a job that is cancelled in the middle of a step or of loading may keep its client waiting."""
_LOOK_SECONDS = 0.5
"""How often the engine looks whether a run waits for its device."""


class Job:
    """What a client asked for. `outbox` takes what it is to be told; `None` is the end."""

    def __init__(self, message: Message) -> None:
        self.request: Message = message["request"]
        self.device = str(message.get("device", "cpu"))
        self.environment: dict[str, str] = message.get("environment", {})
        self.language = str(message.get("language", "en"))
        self.idle_seconds = float(message.get("idle_seconds", 0.0))
        self.outbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self.cancelled = False
        self.ended = False

    def tell(self, event: Message) -> None:
        """Hand an event to the client."""
        if not self.ended:
            self.outbox.put_nowait({"event": event})

    def end(self, answer: Message) -> None:
        """Hand the last message to the client; whatever comes later is dropped."""
        if not self.ended:
            self.ended = True
            self.outbox.put_nowait(answer)
            self.outbox.put_nowait(None)


class Desk:
    """The queue and the worker behind it. All methods belong to the event loop's thread."""

    def __init__(self, log: Callable[[str], None], worker_module: str = WORKER_MODULE) -> None:
        self._log = log
        self._module = worker_module
        self._jobs: deque[Job] = deque()
        self._current: Job | None = None
        self._arrived = asyncio.Event()
        self._worker: Worker | None = None
        self._environment: dict[str, str] = {}
        self._hold = DeviceHold()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._model = ""
        self._phase = "idle"
        self._quiet_since = time.monotonic()
        self._idle_seconds = 60.0

    # What clients ask for

    def add(self, job: Job) -> None:
        """Put a job at the end of the queue."""
        self._idle_seconds = job.idle_seconds
        self._jobs.append(job)
        if self._current is not None or len(self._jobs) > 1:
            self._tell_places()
        self._arrived.set()

    def cancel(self, job: Job) -> None:
        """End a job: at once where it waits, at its next step where it is being made."""
        if job.ended or job.cancelled:
            return
        job.cancelled = True
        if job is not self._current:
            with suppress(ValueError):
                self._jobs.remove(job)
            job.end({"cancelled": True})
            self._tell_places()
            return
        if self._worker is not None:
            self._worker.cancel()
        asyncio.get_running_loop().call_later(_QUIET_SECONDS, job.end, {"cancelled": True})

    def status(self) -> Message:
        """What it does now."""
        idle = 0.0 if self.busy else time.monotonic() - self._quiet_since
        return {
            "state": self._phase,
            "model": self._model,
            "device": self._hold.device or ("cpu" if self._model else ""),
            "queue": len(self._jobs) + (self._current is not None),
            "worker": self._worker.pid if self._worker is not None else None,
            "idle_for": round(idle, 1),
            "leaves_after": self._idle_seconds,
        }

    @property
    def busy(self) -> bool:
        """Whether a job is being done or waits."""
        return self._current is not None or bool(self._jobs)

    # The work

    async def work(self, stay: Callable[[], bool]) -> None:
        """Do jobs as they come; returns after the idle time, or when nothing waits and `stay()` is false."""
        while stay() or self._jobs:
            if not self._jobs:
                if time.monotonic() - self._quiet_since >= self._idle_seconds:
                    return
                await self._pause()
                continue
            self._current = self._jobs.popleft()
            self._tell_places()
            await self._do(self._current)
            self._current, self._phase = None, "idle"
            self._quiet_since = time.monotonic()

    def close(self) -> None:
        """Stop what is being done and let go of everything."""
        for job in (self._current, *self._jobs):
            if job is not None:
                job.end({"leaving": True})
        self._jobs.clear()
        if self._worker is not None:
            self._worker.kill()
        self._thread.shutdown(wait=True)
        self._unload()

    async def _pause(self) -> None:
        """Wait for a job or for the next look around."""
        self._arrived.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), _LOOK_SECONDS)
        if not self._jobs and self._hold.wished() is not None:
            self._unload()

    async def _do(self, job: Job) -> None:
        set_language(job.language)
        self._phase = "waiting"
        if self._hold.wished() is not None:
            self._unload()
        held = await self._take_device(job)
        if job.cancelled:
            job.end({"cancelled": True})
        elif held is not None:
            job.end({"held": held})
        else:
            await self._call(job)

    async def _take_device(self, job: Job) -> Message | None:
        """Take the job's device; what a run that has it, or waits for it, says of itself otherwise."""
        if self._hold.device and self._hold.device != job.device:
            self._unload()
        if needs_lock(job.device) and self._hold.device != job.device:
            waiting = wish_for(job.device)
            if waiting is not None:
                return waiting
        holder = self._hold.take(job.device)
        if holder is None or "engine" not in holder:
            return holder
        # The engine of another installation: it leaves when it is idle and sees the wish.
        job.tell({"event": "waiting", "for": "engine"})
        with device_wish(job.device) as wish:
            wish.acquire({"run": ""})
            while not job.cancelled:
                holder = self._hold.take(job.device)
                if holder is None or "engine" not in holder:
                    return holder
                await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _call(self, job: Job) -> None:
        if self._worker is not None and self._environment != job.environment:
            self._drop_worker()
        if self._worker is None:
            self._worker = Worker(self._module, environment=job.environment)
            self._environment = job.environment
        loop = asyncio.get_running_loop()
        worker = self._worker
        self._phase = "generating"

        def heed(event: Message) -> None:
            loop.call_soon_threadsafe(self._heed, job, event)

        if not worker.pid:
            heed({"event": "loading"})
        call = functools.partial(worker.call, "generate", job.request, on_event=heed)
        try:
            answer = await loop.run_in_executor(self._thread, call)
        except ReportedError as error:
            if error.kind == "Cancelled":
                job.end({"cancelled": True})
            else:
                job.end({"error": {"title": error.title, "hint": error.hint, "kind": error.kind}})
        except WorkerDied as error:
            self._log(error.log)
            self._model = ""
            self._hold.release()
            job.end({"cancelled": True} if job.cancelled else {"died": {"signal": error.signal}})
        except WorkerError as error:
            self._log(error.log)
            job.end({"failure": error.title})
        else:
            self._model = str(job.request.get("spec", {}).get("model", ""))
            job.end({"answer": answer})

    def _heed(self, job: Job, event: Message) -> None:
        if job.cancelled and self._worker is not None:
            self._worker.cancel()  # the first time the call had perhaps not begun
        kind = event.get("event")
        if kind == "loading":
            if self._phase == "loading":
                return
            self._phase = "loading"
        elif kind is not None:
            self._phase = "generating"
        job.tell(event)

    def _tell_places(self) -> None:
        for place, job in enumerate(self._jobs, start=1 if self._current is not None else 0):
            if place:
                job.tell({"event": "queued", "ahead": place})

    def _drop_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker, self._model = None, ""

    def _unload(self) -> None:
        self._drop_worker()
        self._hold.release()
