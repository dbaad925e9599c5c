"""Runs as real processes: started, watched, asked, killed, resumed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import CallError, MusicHelperError
from assistant.library.library import Library
from assistant.musicgen.spec import FinetuneSpec
from assistant.runs.control import end_now, request
from assistant.runs.events import read_events
from assistant.runs.launch import resume_run, start_finetune, start_run
from assistant.runs.lock import device_lock, device_wish
from assistant.runs.process import process_start
from assistant.runs.record import RunRecord, list_runs, read_run, run_folder

Until = Callable[..., RunRecord]
LONG = {"steps": 100_000, "seconds": 0.02, "device": "cpu"}


def events_of(library: Library, run_id: str) -> list[dict[str, object]]:
    return read_events(run_folder(library, run_id))[0]


def test_a_run_does_its_work_and_says_so(library: Library, until: Until) -> None:
    started = start_run(library, "count", {"steps": 5, "device": "cpu"}, "My 爵士/../run")
    assert started.pid is not None
    assert os.getsid(started.pid) == started.pid != os.getsid(0)
    done = until(started.id, lambda record: record.state == "done")
    assert (done.step, done.steps, done.loss, done.valid_loss) == (5, 5, 2.0, 0.5)
    assert (done.model, done.results, done.error) == ("counted", {"count": 5}, None)
    assert done.started is not None
    assert done.ended is not None
    assert done.ended >= done.started >= done.created
    events = events_of(library, started.id)
    assert [event["event"] for event in events] == ["start", *["step"] * 5, "validation", "end"]
    assert all(isinstance(event["time"], float) for event in events)
    assert [record.id for record in list_runs(library)] == [started.id]
    assert read_run(library, started.id[:-3]).id == started.id
    assert json.dumps(done.as_dict())
    assert done.as_dict()["run"] == started.id
    with pytest.raises(MusicHelperError, match="nothing to resume"):
        resume_run(library, started.id)
    with pytest.raises(MusicHelperError, match="is not going on"):
        request(library, started.id, "save")


def test_stop_saves_and_resume_goes_on(library: Library, until: Until) -> None:
    run = start_run(library, "count", LONG, "long")
    until(run.id, lambda record: record.step >= 3)
    with pytest.raises(MusicHelperError, match="already at work"):
        resume_run(library, run.id)
    request(library, run.id, "stop")
    stopped = until(run.id, lambda record: record.state == "stopped")
    saved = int((run_folder(library, run.id) / "place").read_text())
    assert stopped.step == saved
    resumed = resume_run(library, run.id)
    assert resumed.pid != stopped.pid
    assert resumed.created == run.created
    until(run.id, lambda record: record.state == "running" and record.step > saved)
    starts = [event["step"] for event in events_of(library, run.id) if event["event"] == "start"]
    assert starts == [0, saved]
    request(library, run.id, "stop")
    until(run.id, lambda record: record.state == "stopped")


def test_save_and_pause(library: Library, until: Until) -> None:
    run = start_run(library, "count", LONG, "long")
    until(run.id, lambda record: record.state == "running")
    request(library, run.id, "save")
    request(library, run.id, "pause")
    paused = until(run.id, lambda record: record.state == "paused")
    assert [e["event"] for e in events_of(library, run.id) if e["event"] != "step"] == [
        "start",
        "checkpoint",
        "paused",
    ]
    time.sleep(0.3)
    assert read_run(library, run.id).step == paused.step
    resume_run(library, run.id)
    until(run.id, lambda record: record.state == "running" and record.step > paused.step)
    request(library, run.id, "pause")
    until(run.id, lambda record: record.state == "paused")
    request(library, run.id, "stop")
    until(run.id, lambda record: record.state == "stopped")


def test_sigterm_saves_and_sighup_is_ignored(library: Library, until: Until) -> None:
    run = start_run(library, "count", LONG, "long")
    before = until(run.id, lambda record: record.step >= 2)
    assert run.pid is not None
    os.kill(run.pid, signal.SIGHUP)
    until(run.id, lambda record: record.step > before.step)
    os.kill(run.pid, signal.SIGTERM)
    stopped = until(run.id, lambda record: record.state == "stopped")
    assert int((run_folder(library, run.id) / "place").read_text()) == stopped.step
    assert events_of(library, run.id)[-1]["event"] == "end"


def test_a_killed_run_is_lost_and_can_be_resumed(library: Library, until: Until) -> None:
    run = start_run(library, "count", LONG, "long")
    until(run.id, lambda record: record.state == "running")
    request(library, run.id, "save")
    until(run.id, lambda _record: (run_folder(library, run.id) / "place").exists())
    end_now(library, run.id)
    lost = until(run.id, lambda record: record.state == "lost")
    assert lost.error is not None
    assert lost.error["title"]
    assert lost.error["hint"]
    with pytest.raises(MusicHelperError, match="is not going on"):
        request(library, run.id, "stop")
    resume_run(library, run.id)
    until(run.id, lambda record: record.state == "running")
    end_now(library, run.id)


def test_a_pid_used_again_is_not_the_run(library: Library, until: Until) -> None:
    run = start_run(library, "count", LONG, "long")
    until(run.id, lambda record: record.state == "running")
    end_now(library, run.id)
    until(run.id, lambda record: record.state == "lost")
    path = run_folder(library, run.id) / "run.json"
    written = json.loads(path.read_text())
    mine = process_start(os.getpid())
    for pid_start, boot, state in (
        (mine, written["boot_id"], "running"),
        ((mine or 0) + 1, written["boot_id"], "lost"),
        (mine, "another boot", "lost"),
    ):
        path.write_text(
            json.dumps({**written, "pid": os.getpid(), "process_start": pid_start, "boot_id": boot})
        )
        assert read_run(library, run.id).state == state
    # On a shared disk the other machine's heartbeat counts, not a pid of this one.
    path.write_text(json.dumps({**written, "host": "elsewhere", "heartbeat": time.time()}))
    assert read_run(library, run.id).state == "running"
    path.write_text(json.dumps({**written, "host": "elsewhere", "heartbeat": time.time() - 1000}))
    assert read_run(library, run.id).state == "lost"


@pytest.mark.parametrize(
    ("how", "title", "hint"),
    [
        ("explained", "The music is too quiet.", "Turn it up."),
        ("memory", "The memory was not enough.", "smaller batch"),
        ("unexplained", "ValueError: broken", "log.txt"),
    ],
)
def test_a_failure_is_told(library: Library, until: Until, how: str, title: str, hint: str) -> None:
    run = start_run(library, "fail", {"how": how, "device": "cpu"}, how)
    failed = until(run.id, lambda record: record.state == "failed")
    assert failed.error is not None
    assert title in failed.error["title"]
    assert hint in failed.error["hint"]
    last = events_of(library, run.id)[-1]
    assert (last["event"], last["state"], last["error"]) == ("end", "failed", failed.error)
    assert "Traceback" in (run_folder(library, run.id) / "log.txt").read_text()


def test_a_crash_is_lost(library: Library, until: Until) -> None:
    run = start_run(library, "fail", {"how": "die", "device": "cpu"}, "die")
    until(run.id, lambda record: record.state == "lost")


def test_numbers_become_plain(library: Library, until: Until) -> None:
    run = start_run(library, "numbers", {"device": "cpu"}, "numbers")
    done = until(run.id, lambda record: record.state == "done")
    assert (done.step, done.loss) == (4, 1.5)
    assert [event.get("loss") for event in events_of(library, run.id)] == [1.5, None, None]
    assert events_of(library, run.id)[1]["losses"] == [None, 2.0]


def test_a_run_that_waits_asks_for_its_device(library: Library, until: Until) -> None:
    with device_lock("cuda:6") as held, device_wish("cuda:6") as wish:

        def wished() -> bool:
            if not wish.acquire():
                return True
            wish.release()
            return False

        assert held.acquire({"engine": 1})
        run = start_run(library, "count", {**LONG, "steps": 2, "device": "cuda:6"}, "patient")
        until(run.id, lambda record: record.state == "queued" and wished())
        assert wish.note()["run"] == run.id
        held.release()
        until(run.id, lambda record: record.state == "done")
        assert not wished()


def test_one_run_at_a_time_for_a_device(library: Library, until: Until) -> None:
    first = start_run(library, "count", LONG, "first")
    until(first.id, lambda record: record.state == "running")
    second = start_run(library, "count", {**LONG, "steps": 3}, "second")
    third = start_run(library, "count", {**LONG, "steps": 3}, "third")
    other = start_run(library, "count", {**LONG, "steps": 2, "device": "cuda:7"}, "other device")
    until(other.id, lambda record: record.state == "done")
    until(second.id, lambda record: record.state == "queued" and record.waits_for == first.id)
    until(third.id, lambda record: record.state == "queued" and record.waits_for == second.id)
    fourth = start_run(library, "count", LONG, "fourth")
    request(library, fourth.id, "stop")
    until(fourth.id, lambda record: record.state == "stopped" and record.started is None)
    request(library, first.id, "stop")
    done = [until(run.id, lambda record: record.state == "done") for run in (second, third)]
    assert done[0].ended is not None
    assert done[1].started is not None
    assert done[0].ended <= done[1].started
    assert done[0].waits_for == ""


def test_a_run_outlives_the_terminal(library: Library, until: Until, tmp_path: Path) -> None:
    """The launcher has a terminal of its own, which closes: the kernel sends SIGHUP to what is on it."""
    script = tmp_path / "launcher.py"
    script.write_text(
        f"""
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, where the tests run under it, would be inherited
sys.path.insert(0, {str(Path(__file__).parent)!r})
import worker_with_fakes
from pathlib import Path
from assistant.library.library import Library
from assistant.runs import launch
launch.WORKER_COMMAND = (sys.executable, worker_with_fakes.__file__)
print("run", launch.start_run(Library(Path({str(library.root)!r})), "count", {LONG!r}, "long").id, flush=True)
time.sleep(60)
"""
    )
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    ) as launcher:
        os.close(child)
        output = b""
        while b"\n" not in output:
            output += os.read(parent, 1000)
        run_id = output.decode().split()[1]
        os.close(parent)
        assert launcher.wait(60) == -signal.SIGHUP
    before = until(run_id, lambda record: record.state == "running")
    until(run_id, lambda record: record.step > before.step)
    request(library, run_id, "stop")
    until(run_id, lambda record: record.state == "stopped")


def test_the_real_worker_refuses_what_is_not_its_kind(
    library: Library, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.runs import launch

    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, "-m", "assistant.runs.worker"))
    run = start_run(library, "count", LONG, "no code from a folder")
    failed = until(run.id, lambda record: record.state == "failed")
    assert failed.error is not None
    assert "no kind of run" in failed.error["title"]


def test_a_worker_that_does_not_start(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.runs import launch

    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, "-c", "raise SystemExit('not today')"))
    with pytest.raises(MusicHelperError, match="not today"):
        start_run(library, "count", LONG, "never")
    assert list_runs(library)[0].state == "failed"


def test_wrong_calls(library: Library, until: Until) -> None:
    with pytest.raises(CallError):
        start_run(library, "dance", {}, "dance")
    for name in ("../../etc", "", ".", "absent"):
        with pytest.raises(CallError):
            read_run(library, name)
    run = start_run(library, "count", {"steps": 1, "device": "cpu"}, "short")
    with pytest.raises(CallError):
        request(library, run.id, "dance")
    until(run.id, lambda record: record.state == "done")


def test_the_real_classifier_is_a_run(
    library: Library, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.runs import launch

    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, "-m", "assistant.runs.worker"))
    run = start_run(library, "classifier", {}, "nothing to learn from")
    assert run.device == "cpu"
    failed = until(run.id, lambda record: record.state == "failed")
    assert failed.error is not None
    assert "The run failed" not in failed.error["title"]
    assert failed.error["hint"]


def test_a_fine_tune_that_cannot_go_well_is_not_started(library: Library) -> None:
    with pytest.raises(CallError, match="no model called nonsense"):
        start_finetune(library, FinetuneSpec(name="mine", model="nonsense"))
    with pytest.raises(MusicHelperError, match="no track to learn from"):
        start_finetune(library, FinetuneSpec(name="mine"))
    assert list_runs(library) == []
