"""Reaching the engine: the one that runs, or a new one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.serving.place import EnginePlace, engine_place, program_stamp
from assistant.serving.protocol import Link, Message
from assistant.workers import Emit

SERVER_COMMAND: tuple[str, ...] = (sys.executable, "-m", "assistant.serving.server")


_START_SECONDS = 30.0
_GREETING_SECONDS = 10.0
_POLL_SECONDS = 0.05
_RELAUNCH_SECONDS = 5.0
_LOG_TAIL_BYTES = 2000


def connect(place: EnginePlace) -> tuple[Link, Message] | None:
    """A link to the engine that runs, with its greeting; None where none runs."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.connect(os.fspath(place.socket))
        link = Link(end)
        return link, link.receive(_GREETING_SECONDS)
    except (OSError, ValueError):  # a socket that nobody answers any more
        end.close()
        return None


def reach(on_event: Emit, cancelled: Callable[[], bool]) -> Link | None:
    """A link to an engine of exactly this program; starts it, and lets an older one finish first.

    None after `cancelled()`. Events: {"event": "starting"} and {"event": "waiting", "for": "upgrade"}.
    Raises `MusicHelperError` where none can be started.
    """
    place, stamp = engine_place(), program_stamp()
    told: set[str] = set()
    deadline = time.monotonic() + _START_SECONDS
    launched = 0.0
    while not cancelled():
        found = connect(place)
        if found is not None:
            link, greeting = found
            if greeting.get("stamp") == stamp:
                return link
            with link:
                _retire(link)
        if _is_held(place):
            if found is not None and "waiting" not in told:
                told.add("waiting")
                on_event({"event": "waiting", "for": "upgrade"})
            if found is not None or "waiting" in told:
                deadline = time.monotonic() + _START_SECONDS  # it may have work to finish
        elif time.monotonic() - launched > _RELAUNCH_SECONDS:
            if not launched:
                on_event({"event": "starting"})
            _launch(place)
            launched = time.monotonic()
        if time.monotonic() > deadline:
            raise _not_started(place)
        time.sleep(_POLL_SECONDS)
    return None


def status() -> dict[str, Any] | None:
    """What the engine says of itself; None where none runs."""
    found = connect(engine_place())
    if found is None:
        return None
    with found[0] as link:
        try:
            link.send({"op": "status"})
            answer: dict[str, Any] = link.receive(_GREETING_SECONDS)["status"]
        except (OSError, KeyError):
            return None
    return answer


def stop(wait_seconds: float = 20.0) -> bool:
    """End the engine, and what it makes; whether there was one. The device and the memory are free then.

    Raises `MusicHelperError` where it does not leave in time.
    """
    place = engine_place()
    found = connect(place)
    if found is None:
        return False
    with found[0] as link:
        try:
            link.send({"op": "stop"})
            link.receive(_GREETING_SECONDS)
        except OSError:
            pass  # it leaves already
    deadline = time.monotonic() + wait_seconds
    while _is_held(place):
        if time.monotonic() > deadline:
            raise MusicHelperError(
                _("The engine, process {pid}, does not leave.").format(pid=found[1].get("pid")),
                _("End it with `kill {pid}`.").format(pid=found[1].get("pid")),
            )
        time.sleep(_POLL_SECONDS)
    return True


def _retire(link: Link) -> None:
    try:
        link.send({"op": "retire"})
        link.receive(_GREETING_SECONDS)
    except OSError:
        pass  # it leaves already


def _is_held(place: EnginePlace) -> bool:
    lock = place.lock()
    if lock.acquire():
        lock.release()
        return False
    return True


def _launch(place: EnginePlace) -> None:
    with place.log.open("wb") as log:
        process = subprocess.Popen(
            SERVER_COMMAND,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",  # the folder it was started from may be unmounted
        )
    process.wait(_START_SECONDS)


def _not_started(place: EnginePlace) -> MusicHelperError:
    return MusicHelperError(
        _("The engine that generates could not be started: {detail}").format(detail=_last_line(place.log)),
        _("The whole story is in {log}.").format(log=place.log),
    )


def _last_line(log: Path) -> str:
    try:
        lines = log.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else _("its process said nothing")
