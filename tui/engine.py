"""The thread that generates: one warm generator, one request after the other."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.errors import Cancelled, MusicHelperError
from assistant.library.library import Library
from tui.messages import Failed, Generated, GenerationEnded, GenerationMoved
from tui.studio_messages import FirstSound

if TYPE_CHECKING:
    from textual.app import App

    from assistant.serving.client import Generator


@dataclass(frozen=True)
class _Request:
    asker: MessagePump
    values: dict[str, Any]


class Engine:
    """Generation beside the screen. The generator belongs to its thread; only `cancel` reaches in."""

    def __init__(self, app: App[Any], root: Path, settings: Settings) -> None:
        self._app = app
        self._root = root
        self._settings = settings
        self._requests: queue.Queue[_Request | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._generator: Generator | None = None
        self._cancelled = False
        self.busy = False

    def generate(self, asker: MessagePump, values: dict[str, Any]) -> None:
        """Answers with `GenerationMoved` on the way, `Generated` or `Failed`, and `GenerationEnded`.

        The values are fields of `GenerateSpec`.
        """
        self.busy, self._cancelled = True, False
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
            self._thread.start()
        self._requests.put(_Request(asker, values))

    def cancel(self) -> None:
        """Stop what is being generated."""
        self._cancelled = True
        if self._generator is not None:
            self._generator.cancel()

    def close(self) -> None:
        """Stop, and end the generator's process."""
        if self._thread is None:
            return
        self._cancelled = True
        self._requests.put(None)
        if self._generator is not None and self.busy:
            self._generator.cancel()
        self._thread.join(1.0)

    def _work(self) -> None:
        with Library(self._root, self._settings) as library:
            try:
                while (request := self._requests.get()) is not None:
                    self._handle(library, request)
            finally:
                if self._generator is not None:
                    self._generator.close()

    def _handle(self, library: Library, request: _Request) -> None:
        from assistant.musicgen.spec import GenerateSpec
        from assistant.serving.client import Generator
        from tui.bridge import explain

        cancelled = self._cancelled
        try:
            if not cancelled:
                if self._generator is None:
                    self._generator = Generator(library)
                spec = GenerateSpec.from_settings(self._settings, **request.values).check()

                def heed(event: dict[str, Any]) -> None:
                    kind = event.get("event")
                    if kind == "tokens":
                        moved = GenerationMoved(
                            int(event.get("clip") or 0), spec.count, int(event["done"]), int(event["total"])
                        )
                        request.asker.post_message(moved)
                    elif kind == "sound":
                        path, heard = Path(str(event["path"])), float(event.get("seconds") or 0.0)
                        request.asker.post_message(FirstSound(path, heard, int(event.get("clip") or 0)))
                    elif kind == "loading":
                        request.asker.post_message(GenerationMoved(0, spec.count, 0, 0))

                clips = self._generator.generate(spec, on_event=heed)
                made = Generated([Path(clip.path) for clip in clips], [clip.seed for clip in clips])
                request.asker.post_message(made)
        except Cancelled:
            cancelled = True
        except Exception as error:
            cancelled = self._cancelled and isinstance(error, MusicHelperError)
            if not cancelled:
                failure: Failed = explain(error, "generate")
                request.asker.post_message(failure)
        finally:
            self.busy = not self._requests.empty()
            request.asker.post_message(GenerationEnded(cancelled))
