"""Starting a run: a process that outlives the screen, the terminal and the connection."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen.dataset import choose_examples, nothing_to_learn
from assistant.musicgen.models import model_folder
from assistant.musicgen.spec import FinetuneSpec
from assistant.runs.context import write_settings
from assistant.runs.control import clear_requests, request
from assistant.runs.kinds import device_of
from assistant.runs.lock import ProcessLock, run_lock
from assistant.runs.record import (
    LOG_NAME,
    RunRecord,
    has_process,
    load_record,
    load_record_as_written,
    read_run,
    run_folder,
    write_record,
)

WORKER_COMMAND: tuple[str, ...] = (sys.executable, "-m", "assistant.runs.worker")

_START_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 2000
_DYING_SECONDS = 5.0
"""A killed process counts as gone while its last threads still hold its lock for a moment."""


def start_finetune(library: Library, spec: FinetuneSpec) -> RunRecord:
    """Start a fine-tune, after a look at what would only fail later, out of sight.

    Raises `CallError` for a model that is not there, `MusicHelperError` where nothing can be learnt.
    """
    model_folder(spec.model, library.paths)
    if not choose_examples(library, spec):
        raise nothing_to_learn()
    return start_run(library, "finetune", spec.as_dict(), spec.name)


def start_run(library: Library, kind: str, spec: dict[str, Any], name: str) -> RunRecord:
    """Start a run and return as soon as its process has reported; it waits by itself for its device.

    Raises `CallError` for an unknown kind, `MusicHelperError` where the process does not start.
    """
    device = device_of(kind, spec)
    now = time.time()
    slug = re.sub(r"[^\w]+", "-", name).strip("-_")[:40] or kind
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{slug}-{secrets.token_hex(2)}"
    folder = run_folder(library, run_id)
    record = RunRecord(
        id=run_id, kind=kind, name=name, state="queued", created=now, launched=now, spec=spec, device=device
    )
    try:
        folder.mkdir(parents=True)
        write_settings(folder, library.settings)
        write_record(folder, record)
    except OSError as error:
        raise MusicHelperError(
            _("The run's folder {folder} cannot be made: {reason}.").format(
                folder=folder, reason=error.strerror
            ),
            _("Check the free space and the rights of the library's folder."),
        ) from error
    return _launch(folder, record)


def resume_run(library: Library, run_id: str) -> RunRecord:
    """Let a paused run go on, or a stopped, failed or lost one start again from its last checkpoint.

    Raises `MusicHelperError` for one that is at work or done.
    """
    record = read_run(library, run_id)
    folder = run_folder(library, record.id)
    if record.state == "paused" and has_process(record):
        return request(library, record.id, "resume")
    with run_lock(folder) as lock:
        held = not _acquire(lock, 0.0 if record.live else _DYING_SECONDS)
        record = load_record(folder) or record
        if held or record.state in ("queued", "running"):
            raise MusicHelperError(
                _("The run {run} is already at work.").format(run=record.id),
                _("`musichelper train show {run}` shows how far it is.").format(run=record.id),
            )
        if record.state == "done":
            raise MusicHelperError(
                _("The run {run} is done; there is nothing to resume.").format(run=record.id),
                _("Start a new run to train further; it can begin with the model that this one made."),
            )
        record = replace(
            record,
            state="queued",
            launched=time.time(),
            ended=None,
            pid=None,
            process_start=None,
            error=None,
            device=device_of(record.kind, record.spec),
        )
        clear_requests(folder)
        write_record(folder, record)
    return _launch(folder, record)


def _acquire(lock: ProcessLock, seconds: float) -> bool:
    """Take the lock, waiting up to `seconds` for it."""
    deadline = time.monotonic() + seconds
    while not lock.acquire():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _launch(folder: Path, record: RunRecord) -> RunRecord:
    with (folder / LOG_NAME).open("ab") as log:
        try:
            process = subprocess.Popen(
                [*WORKER_COMMAND, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",  # the folder it was started from may be unmounted
                # Threads that spin while they wait would starve each other on a busy machine.
                env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONUNBUFFERED": "1"},
            )
            status = process.wait(_START_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return _failed(folder, record, str(error))
    deadline = time.monotonic() + _START_SECONDS
    while status == 0 and time.monotonic() < deadline:
        present = load_record_as_written(folder)
        if present is not None and present.pid is not None:
            return present
        time.sleep(_POLL_SECONDS)
    return _failed(folder, record, _log_tail(folder))


def _failed(folder: Path, record: RunRecord, detail: str) -> RunRecord:
    error = MusicHelperError(
        _("The run {run} could not be started: {detail}").format(run=record.id, detail=detail.strip()),
        _("The whole story is in {log}.").format(log=folder / LOG_NAME),
    )
    write_record(
        folder,
        replace(record, state="failed", ended=time.time(), error={"title": error.title, "hint": error.hint}),
    )
    raise error


def _log_tail(folder: Path) -> str:
    data = (folder / LOG_NAME).read_bytes()[-_LOG_TAIL_BYTES:]
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else _("its process said nothing")
