"""The engine's process: `python -m assistant.serving.server`. Started by `assistant.serving.start`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from assistant.detach import leave_caller
from assistant.i18n import LANGUAGE_VARIABLE, set_language
from assistant.runs.lock import ProcessLock
from assistant.serving.desk import WORKER_MODULE, Desk, Job
from assistant.serving.place import EnginePlace, engine_place, program_stamp
from assistant.serving.protocol import ENVIRONMENT_PREFIXES, LINE_LIMIT, Message, as_line, environment

_LOOK_SECONDS = 2.0
_PARTING_SECONDS = 2.0
_LOCK_TRIES, _LOCK_SECONDS = 5, 0.02


class Server:
    """Listens, and hands what clients ask for to the desk."""

    def __init__(self, place: EnginePlace, worker_module: str) -> None:
        self._place = place
        self._stamp = program_stamp()
        self._desk = Desk(lambda text: print(text, file=sys.stderr, flush=True), worker_module)
        self._staying = True
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the idle time is over or somebody asks to leave."""
        path = self._place.socket
        path.unlink(missing_ok=True)  # the lock is ours: whoever left it there is dead
        server = await asyncio.start_unix_server(self._greet, path=path, limit=LINE_LIMIT)
        path.chmod(0o600)
        own = path.stat()
        loop = asyncio.get_running_loop()
        work = asyncio.create_task(self._desk.work(lambda: self._staying))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, work.cancel)
        watch = asyncio.create_task(self._watch(own))
        self._leave = work.cancel
        try:
            await work
        except asyncio.CancelledError:
            pass
        finally:
            self._staying = False
            watch.cancel()
            with suppress(OSError):
                if _same(path, own):
                    path.unlink()
            server.close()
            self._desk.close()
            if self._clients:
                await asyncio.wait(self._clients, timeout=_PARTING_SECONDS)

    async def _watch(self, own: os.stat_result) -> None:
        """A runtime folder is removed at logout; an engine that nobody can find any more leaves."""
        while self._staying:
            await asyncio.sleep(_LOOK_SECONDS)
            if not _same(self._place.socket, own):
                self._staying = False

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if _uid_of(writer.get_extra_info("socket")) == os.getuid():
                await self._serve(reader, writer)
        except (OSError, ValueError, KeyError, TypeError, asyncio.LimitOverrunError) as error:
            print(f"a client was dropped: {error!r}", file=sys.stderr, flush=True)
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting: Message = {"stamp": self._stamp, "pid": os.getpid(), "log": os.fspath(self._place.log)}
        await _say(writer, greeting)
        line = await reader.readline()
        if not line:
            return
        message = json.loads(line)
        operation = message.get("op")
        if operation == "generate":
            await self._generate(message, reader, writer)
        elif operation == "status":
            await _say(writer, {"status": {**greeting, **self._desk.status()}})
        elif operation == "retire":
            self._staying = False
            await _say(writer, {"leaving": True})
        elif operation == "stop":
            await _say(writer, {"leaving": True})
            self._leave()
        else:
            await _say(writer, {"failure": f"unknown operation {operation!r}"})

    async def _generate(
        self, message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not self._staying:
            await _say(writer, {"leaving": True})
            return
        job = Job(message)
        self._desk.add(job)
        listening = asyncio.create_task(self._heed(job, reader))
        try:
            while (out := await job.outbox.get()) is not None:
                await _say(writer, out)
        finally:
            listening.cancel()
            self._desk.cancel(job)

    async def _heed(self, job: Job, reader: asyncio.StreamReader) -> None:
        """A word from the client while its job is done is `cancel`; so is its end."""
        with suppress(OSError, ValueError):
            await reader.readline()
        self._desk.cancel(job)


async def _say(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(as_line(message))
    await writer.drain()


def _uid_of(end: socket.socket) -> int:
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid


def _same(path: Path, own: os.stat_result) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


def _taken(lock: ProcessLock) -> bool:
    """Take the lock; more than one try, because a client that looks whether it is held holds it too."""
    for _try in range(_LOCK_TRIES):
        if lock.acquire({"pid": os.getpid()}):
            return True
        time.sleep(_LOCK_SECONDS)
    return False


def main(arguments: list[str]) -> int:
    """Leave the caller's process tree, session and terminal, then serve. Returns the exit status."""
    leave_caller()
    set_language(os.environ.get(LANGUAGE_VARIABLE, "auto"))
    for name in environment():
        if name.startswith(ENVIRONMENT_PREFIXES):
            del os.environ[name]  # each client brings its own
    place = engine_place()
    with place.lock() as lock:
        if _taken(lock):  # else another was quicker
            asyncio.run(Server(place, arguments[0] if arguments else WORKER_MODULE).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
