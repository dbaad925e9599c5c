"""Work of `assistant` in threads that answer with messages."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from tui import messages

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message


Job = Callable[[Library], "Message | None"]


class Threads:
    """Starts jobs for one library. Each thread opens the library for itself."""

    def __init__(self, app: App[Any], root: Path, settings: Settings) -> None:
        self.app = app
        self.root = root
        self.settings = settings
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def _start(self, asker: MessagePump, group: str, job: Job, *, drop: bool = False) -> None:
        """Do a job; with `drop` not while another of its group is being done."""
        with self._lock:
            if drop and group in self._busy:
                return
            self._busy.add(group)
        self.app.run_worker(
            partial(self._work, asker, group, job),
            name=group,
            group=group,
            thread=True,
            exit_on_error=False,
        )

    def _work(self, asker: MessagePump, group: str, job: Job) -> None:
        answer: Message | None
        try:
            with Library(self.root, self.settings) as library:
                answer = job(library)
        except Exception as error:
            answer = explain(error, group)
        finally:
            with self._lock:
                self._busy.discard(group)
        if answer is not None:
            asker.post_message(answer)


def explain(error: Exception, group: str) -> messages.Failed:
    """An error as a message; one that is nobody's known mistake keeps its traceback for the report."""
    if isinstance(error, MusicHelperError):
        return messages.Failed(error.title, error.hint, group, str(getattr(error, "log", "")).strip())
    return messages.Failed(
        _("Something unexpected went wrong: {reason}").format(reason=f"{type(error).__name__}: {error}"),
        _("The app goes on. Please report this with the text below."),
        group,
        "".join(traceback.format_exception(error)),
    )
