"""The process of one run: `python -m assistant.runs.worker RUN_FOLDER`. Started by `launch`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from assistant.detach import leave_caller
from assistant.errors import MusicHelperError
from assistant.i18n import LANGUAGE_VARIABLE, _, set_language
from assistant.library.library import Library
from assistant.priority import give_way
from assistant.runs.context import RecordKeeper, RunContext, RunStopped, read_settings
from assistant.runs.events import EventLog
from assistant.runs.kinds import load_job
from assistant.runs.lock import ProcessLock, device_lock, device_wish, run_lock
from assistant.runs.notify import run_command
from assistant.runs.process import boot_id, host_name, process_start
from assistant.runs.record import LOG_NAME, list_runs, load_record_as_written

_QUEUE_SECONDS = 1.0


def main(arguments: list[str]) -> int:
    """Leave the caller's process tree, session and terminal, then do the run. Returns the exit status."""
    leave_caller()
    give_way()
    set_language(os.environ.get(LANGUAGE_VARIABLE, "auto"))
    return do_run(Path(arguments[0]))


def do_run(folder: Path) -> int:
    """Do the run of this folder to its end. 0: done, stopped or already running elsewhere; 1: failed."""
    record = load_record_as_written(folder)
    if record is None:
        print(f"no run in {folder}", file=sys.stderr)
        return 1
    with run_lock(folder) as lock:
        if not lock.acquire():
            return 0
        keeper = RecordKeeper(folder, record)
        keeper.update(
            state="queued",
            pid=os.getpid(),
            process_start=process_start(os.getpid()),
            boot_id=boot_id(),
            host=host_name(),
        )
        keeper.start()
        events = EventLog(folder)
        run = RunContext(folder, keeper, events)
        _listen(run)
        with device_lock(record.device) as device:
            try:
                with device_wish(record.device) as wish:
                    ours = _wait_for(device, wish, run, keeper)
                if ours:
                    keeper.update(now=True, state="running", started=time.time(), waits_for="")
                    load_job(record.kind)(run)
                    end = run.end or {"event": "end", "state": "stopped" if run.stopping else "done"}
                else:
                    end = {"event": "end", "state": "stopped"}
            except RunStopped:
                end = {"event": "end", "state": "stopped"}
            except BaseException as error:
                traceback.print_exc()
                title, hint = explain(error, folder)
                told = {"title": title, "hint": hint, "kind": kind_of(error)}
                end = {"event": "end", "state": "failed", "error": told}
        if run.end is not end:
            events.append(end)
        events.close()
        keeper.update(
            state=end.get("state", "done"),
            ended=time.time(),
            waits_for="",
            error=end.get("error"),
            results=end.get("results") or {},
        )
        keeper.close()
    _tell(folder)
    return 1 if end.get("state") == "failed" else 0


def _tell(folder: Path) -> None:
    """Run the person's command about the end; what goes wrong with it is for the log only."""
    record = load_record_as_written(folder)
    if record is not None:
        problem = run_command(read_settings(folder).notify, record)
        if problem:
            print(problem, file=sys.stderr)


def explain(error: BaseException, folder: Path) -> tuple[str, str]:
    """What ended a run, as a title and a hint for a person."""
    if isinstance(error, MusicHelperError):
        return error.title, error.hint
    text = str(error)
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
    ):
        return (
            _("The memory was not enough."),
            _("Resume with a smaller batch size or shorter crops, or end other programs on the device."),
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _("The disk is full."), _("Free some space, then resume the run.")
    return (
        _("The run failed: {kind}: {detail}").format(kind=type(error).__name__, detail=text),
        _("The whole story is in {log}.").format(log=folder / LOG_NAME),
    )


def kind_of(error: BaseException | None) -> str:
    """What was wanting: `memory`, `disk`, or nothing of the two."""
    while error is not None:
        if (
            isinstance(error, MemoryError)
            or type(error).__name__ == "OutOfMemoryError"
            or "out of memory" in str(error)
        ):
            return "memory"
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "disk"
        error = error.__cause__
    return ""


def _listen(run: RunContext) -> None:
    def leave(_number: int, _frame: FrameType | None) -> None:
        if run.stopping:
            os._exit(1)  # asked twice: at once
        run.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, leave)


def _wait_for(device: ProcessLock, wish: ProcessLock, run: RunContext, keeper: RecordKeeper) -> bool:
    """Queue for the device, the older run first; False when asked to stop meanwhile."""
    record = run.record
    library = Library(run.library_root)
    while True:
        if run.control() == "stop":
            return False
        before = [
            other
            for other in list_runs(library)
            if other.state == "queued"
            and other.device == record.device
            and other.host in ("", record.host)
            and (other.launched, other.id) < (record.launched, record.id)
        ]
        note = {"run": record.id, "library": str(run.library_root), "pid": os.getpid()}
        if not before and device.acquire(note):
            return True
        wish.acquire(note)
        holder = before[-1].id if before else str(device.note().get("run", ""))
        if holder != run.record.waits_for:
            keeper.update(now=True, waits_for=holder)
        time.sleep(_QUEUE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
