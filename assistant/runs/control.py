"""Words to a run: its `control` file, one JSON line a request, read in order."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.runs.process import host_name
from assistant.runs.record import RunRecord, has_process, read_run, run_folder

CONTROL_NAME = "control"
REQUESTS = ("stop", "save", "pause", "resume")


def request(library: Library, run_id: str, word: str) -> RunRecord:
    """Ask a run to `stop` (it saves first), `save`, `pause` or `resume`; it obeys at its next step.

    Raises `CallError` for another word or an unknown run, `MusicHelperError` where no process
    is there to hear it.
    """
    if word not in REQUESTS:
        raise CallError(
            _("A run cannot be asked to {word!r}.").format(word=word),
            _("These are known: {words}.").format(words=", ".join(REQUESTS)),
        )
    record = read_run(library, run_id)
    if not record.live or not has_process(record):
        raise MusicHelperError(
            _("The run {run} is not going on.").format(run=record.id),
            _("`musichelper train resume {run}` lets it go on from its last checkpoint.").format(
                run=record.id
            ),
        )
    line = json.dumps({"request": word, "time": time.time()}) + "\n"
    descriptor = os.open(
        run_folder(library, record.id) / CONTROL_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
    )
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    return record


def end_now(library: Library, run_id: str) -> RunRecord:
    """Kill a run that does not listen, with its helpers; what it did since its last save is lost."""
    record = read_run(library, run_id)
    if record.pid is not None and record.live and record.host == host_name() and has_process(record):
        # The run leads a process group of its own.
        os.killpg(record.pid, signal.SIGKILL)
    return record


def clear_requests(folder: Path) -> None:
    """Forget what was asked of an earlier process of the run."""
    (folder / CONTROL_NAME).unlink(missing_ok=True)


class Requests:
    """The run's side: new requests, in order."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CONTROL_NAME
        self._read = 0

    def new(self) -> list[str]:
        """What was asked since the last call."""
        try:
            if self._path.stat().st_size <= self._read:
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self._read += end
        words = []
        for line in data[:end].splitlines():
            try:
                word = json.loads(line)["request"]
            except (ValueError, KeyError, TypeError):
                continue
            if word in REQUESTS:
                words.append(word)
        return words
