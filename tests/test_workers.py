"""Worker processes: answers, and each way of not answering."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.priority import NICENESS
from assistant.workers import (
    Limits,
    ReportedError,
    Worker,
    WorkerDied,
    WorkerFailed,
    WorkerTimeout,
)

MODULE = "sample_worker"
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parent)}


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker(MODULE, environment=ENVIRONMENT) as worker:
        yield worker


def test_events_come_before_the_answer_and_the_process_stays(worker: Worker) -> None:
    events: list[dict[str, int]] = []
    first = worker.call("count", {"to": 3}, on_event=events.append)
    assert events == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert worker.call("count", {"to": 0}) == first
    assert "chatter" in worker.log_tail()


def test_an_ended_process_is_started_again(worker: Worker) -> None:
    worker.call("count", {"to": 0})
    first = worker.pid
    worker.end_process()
    assert worker.pid is None
    worker.call("count", {"to": 0})
    assert worker.pid not in (None, first)


def test_an_explained_error_keeps_its_words(worker: Worker) -> None:
    with pytest.raises(ReportedError) as caught:
        worker.call("refuse", {"path": "x"})
    assert (caught.value.title, caught.value.hint, caught.value.kind) == (
        "It is no music.",
        "Take another.",
        "FileError",
    )


def test_an_unexpected_exception_is_told_with_its_log(worker: Worker) -> None:
    with pytest.raises(WorkerFailed, match="ValueError: unexpected") as caught:
        worker.call("fail", {})
    assert "Traceback" in caught.value.log
    assert worker.call("count", {"to": 0})


def test_after_a_crash_the_next_call_has_a_new_process(worker: Worker) -> None:
    before = worker.call("count", {"to": 0})
    with pytest.raises(WorkerDied, match="signal 6"):
        worker.call("crash", {})
    assert worker.call("count", {"to": 0}) != before


def test_a_hanging_call_is_ended(worker: Worker) -> None:
    started = time.monotonic()
    with pytest.raises(WorkerTimeout):
        worker.call("sleep", {}, timeout=1.0)
    assert time.monotonic() - started < 5
    assert worker.pid is None


def test_a_call_can_be_ended_from_another_thread(worker: Worker) -> None:
    threading.Timer(1.0, worker.kill).start()
    with pytest.raises(WorkerDied, match="signal 9"):
        worker.call("sleep", {})


def test_a_cancelled_call_ends_and_the_process_stays(worker: Worker) -> None:
    pid = worker.call("steps", {"steps": 0})["pid"]
    worker.cancel()  # too late for that call, and no matter to the next
    assert worker.call("steps", {"steps": 1})["pid"] == pid
    with pytest.raises(ReportedError) as caught:
        worker.call("steps", {"steps": 3000}, on_event=lambda event: worker.cancel())
    assert caught.value.kind == "Cancelled"
    assert worker.call("steps", {"steps": 1})["pid"] == pid


def test_limits_hold() -> None:
    limits = Limits(memory_bytes=1 << 30, cpu_seconds=1)
    with Worker(MODULE, limits=limits, environment=ENVIRONMENT) as worker:
        with pytest.raises(WorkerFailed, match="MemoryError"):
            worker.call("take_memory", {"bytes": 2 << 30})
        with pytest.raises(WorkerDied, match="signal"):
            worker.call("spin", {}, timeout=30.0)


def test_a_worker_lets_others_go_first() -> None:
    with Worker(MODULE, environment=ENVIRONMENT, limits=Limits(gives_way=True)) as worker:
        answer = worker.call("count", {"to": 0})
    assert answer["niceness"] == min(19, os.nice(0) + NICENESS)
    assert answer["policy"] == os.SCHED_BATCH


def test_what_gives_way_already_gives_way_no_further() -> None:
    code = "import os; from assistant.priority import give_way; give_way(); give_way(); print(os.nice(0))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert int(found.stdout) == min(19, os.nice(0) + NICENESS)


def test_a_worker_leaves_when_its_parent_is_killed() -> None:
    code = (
        "from assistant.workers import Worker\n"
        f"worker = Worker({MODULE!r}, environment={ENVIRONMENT!r})\n"
        "print(worker.call('count', {'to': 0})['pid'], flush=True)\n"
        "worker.call('sleep', {})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        # A dead child whose new parent has not collected it yet still has its number.
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")
