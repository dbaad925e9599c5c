"""What is known of a run: `run.json` in its folder, written whole by the run itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from assistant import files
from assistant.errors import CallError
from assistant.i18n import _
from assistant.library.library import Library
from assistant.runs.process import host_name, is_same_process

RECORD_NAME = "run.json"
LOG_NAME = "log.txt"

STATES = ("queued", "running", "paused", "done", "stopped", "failed", "lost")
LIVE_STATES = ("queued", "running", "paused")

HEARTBEAT_SECONDS = 5.0
_SILENCE_SECONDS = 60.0
"""How long a run on another machine may be silent, or a new one take to start, before it is lost."""


@dataclass(frozen=True)
class RunRecord:
    """One long job. Times are Unix seconds."""

    id: str
    kind: str
    name: str
    state: str
    created: float
    launched: float
    """When its process was last asked for; differs from `created` after a resume."""
    spec: dict[str, Any]
    device: str
    """What it computes on, and what later runs wait for: `cpu`, `cuda:0`, …"""
    started: float | None = None
    ended: float | None = None
    heartbeat: float | None = None
    pid: int | None = None
    process_start: int | None = None
    boot_id: str = ""
    host: str = ""
    waits_for: str = ""
    """While queued, the run that holds the device, where that is known."""
    step: int = 0
    steps: int | None = None
    loss: float | None = None
    valid_loss: float | None = None
    model: str | None = None
    """What the run made: a model's name or a classifier's version."""
    error: dict[str, str] | None = None
    """`title` and `hint` of what ended it, and its `kind` where that is known: memory, disk."""
    results: dict[str, Any] = field(default_factory=dict)
    """Further plain values that the job gave at its end."""

    @property
    def live(self) -> bool:
        """Whether a process is at work on it, waits, or is paused."""
        return self.state in LIVE_STATES

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values; `run` is the id."""
        return {"run": self.id, **asdict(self)}


def run_folder(library: Library, run_id: str) -> Path:
    """Where a run keeps its files. Raises `CallError` for what cannot be a run's id."""
    if not run_id or run_id.startswith(".") or "/" in run_id or "\0" in run_id:
        raise _no_such_run(run_id)
    return library.paths.runs / run_id


def list_runs(library: Library) -> list[RunRecord]:
    """All runs, newest first."""
    return sorted(_records(library), key=lambda record: (record.created, record.id), reverse=True)


def read_run(library: Library, run_id: str) -> RunRecord:
    """One run by its id or an unambiguous beginning of it. Raises `CallError` where there is none."""
    record = load_record(run_folder(library, run_id))
    if record is not None:
        return record
    found = [record for record in _records(library) if record.id.startswith(run_id)]
    if len(found) != 1:
        raise _no_such_run(run_id)
    return found[0]


def load_record(folder: Path) -> RunRecord | None:
    """The record in a run's folder as it is now; None where there is none that can be read."""
    record = load_record_as_written(folder)
    return None if record is None else _with_truth_about_process(record)


def load_record_as_written(folder: Path) -> RunRecord | None:
    """The record in a run's folder, also where its process is gone since."""
    try:
        values = json.loads((folder / RECORD_NAME).read_text("utf-8"))
        known = {item.name for item in fields(RunRecord)}
        return RunRecord(**{name: value for name, value in values.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record whole."""
    files.write_json(folder / RECORD_NAME, asdict(record))


def has_process(record: RunRecord) -> bool:
    """Whether the run's process exists, or is about to."""
    if record.pid is None or record.process_start is None:
        return record.state == "queued" and time.time() - record.launched < _SILENCE_SECONDS
    if record.host and record.host != host_name():
        # The folder is shared between machines; the pid means nothing here.
        return time.time() - (record.heartbeat or record.launched) < _SILENCE_SECONDS
    return is_same_process(record.pid, record.process_start, record.boot_id)


def _records(library: Library) -> Iterator[RunRecord]:
    if not library.paths.runs.is_dir():
        return
    for folder in library.paths.runs.iterdir():
        record = load_record(folder)
        if record is not None and record.id == folder.name:
            yield record


def _with_truth_about_process(record: RunRecord) -> RunRecord:
    # A paused run has saved itself: without its process it is still only paused.
    if record.state not in ("queued", "running") or has_process(record):
        return record
    return replace(
        record,
        state="lost",
        error={
            "title": _("The process of the run {run} ended without a word.").format(run=record.id),
            "hint": _("The machine may have been restarted or short of memory. Resume it to go on."),
        },
    )


def _no_such_run(run_id: str) -> CallError:
    return CallError(
        _("There is no run {run!r} in this library.").format(run=run_id),
        _("`musichelper train list` shows the runs there are."),
    )
