"""The process that takes in new files as long as the app lives. Started by `IntakeFeed`, not imported."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from assistant.config import Settings
from assistant.errors import Cancelled
from assistant.library.library import Library
from assistant.workers import Emit, Message, check_cancelled, serve

LOOK_SECONDS = 0.1


def take_in(request: Message, emit: Emit) -> Message:
    """Watch the library at `root` until the call is cancelled; each step is an event."""
    from assistant.intake.watch import watch
    from assistant.label.decisions import Labeller

    stop, settings = threading.Event(), msgspec.convert(request["settings"], Settings)
    threading.Thread(target=_stop_when_cancelled, args=(stop,), daemon=True).start()
    with Library(Path(request["root"]), settings) as library:
        Labeller(library).recover()
        for event in watch(library, stop):
            try:
                emit({"event": event.event, "path": event.path, "reason": event.reason, "hint": event.hint})
            except Cancelled:
                stop.set()  # what is in work is put back first
    return {}


def _stop_when_cancelled(stop: threading.Event) -> None:
    while not stop.wait(LOOK_SECONDS):
        try:
            check_cancelled()
        except Cancelled:
            stop.set()


if __name__ == "__main__":
    serve({"take_in": take_in})
