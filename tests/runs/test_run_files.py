"""The files of a run, torn and whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.library.library import Library
from assistant.runs import gpu
from assistant.runs.events import EVENTS_NAME, EventLog, read_events
from assistant.runs.kinds import device_of
from assistant.runs.lock import ProcessLock
from assistant.runs.record import list_runs, load_record


def test_events_are_read_from_a_place_on(tmp_path: Path) -> None:
    assert read_events(tmp_path) == ([], 0)
    log = EventLog(tmp_path)
    log.append({"event": "start", "name": "é [/red] \udcff"})
    first, place = read_events(tmp_path)
    assert [event["event"] for event in first] == ["start"]
    assert read_events(tmp_path, place) == ([], place)
    log.append({"event": "step"})
    log.close()
    later, place = read_events(tmp_path, place)
    assert [event["event"] for event in later] == ["step"]
    assert place == (tmp_path / EVENTS_NAME).stat().st_size


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / EVENTS_NAME
    path.write_bytes(b'{"event": "a"}\n{"event": "b')
    events, place = read_events(tmp_path)
    assert ([event["event"] for event in events], place) == (["a"], 15)
    log = EventLog(tmp_path)
    log.append({"event": "c"})
    log.close()
    assert [event["event"] for event in read_events(tmp_path, place)[0]] == ["c"]
    path.write_bytes(b'[1]\n\x00\xff\nnull\n{"event": "d"}\n')
    assert [event["event"] for event in read_events(tmp_path)[0]] == ["d"]


def test_a_full_disk_does_not_stop_the_writer(tmp_path: Path) -> None:
    (tmp_path / EVENTS_NAME).symlink_to("/dev/full")
    log = EventLog(tmp_path)
    log.append({"event": "a"})
    assert log.lost == 1
    log.close()


def test_broken_records_are_no_runs(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for name, text in (("a", ""), ("b", "[]"), ("c", '{"id": "c"}'), ("d", "{")):
        folder = library.paths.runs / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(text)
        assert load_record(folder) is None
    (library.paths.runs / "stray").write_text("")
    assert list_runs(library) == []


def test_a_record_of_a_later_version_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    values = {
        "id": "r", "kind": "finetune", "name": "r", "state": "done", "created": 1.0, "launched": 1.0,
        "spec": {}, "device": "cpu", "something": "new",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(values))
    record = load_record(folder)
    assert record is not None
    assert record.state == "done"


def test_a_lock_falls_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from assistant.runs.lock import ProcessLock; "
            "lock = ProcessLock(Path(sys.argv[1])); "
            "print(lock.acquire({'run': 'x'}), flush=True); time.sleep(60)",
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with ProcessLock(path) as lock:
            assert not lock.acquire()
            assert lock.note() == {"run": "x"}
            holder.kill()
            holder.wait()
            assert lock.acquire({"run": "y"})
            assert lock.note() == {"run": "y"}
    assert ProcessLock(path).note() == {}


@pytest.mark.parametrize(
    ("wanted", "visible", "cards", "device"),
    [
        ("cpu", None, 1, "cpu"),
        ("auto", None, 0, "cpu"),
        ("auto", None, 2, "cuda:0"),
        ("auto", "", 2, "cpu"),
        ("auto", "-1", 2, "cpu"),
        ("cuda", "3,1", 4, "cuda:3"),
        ("cuda:1", "3,1", 4, "cuda:1"),
        ("cuda:1", None, 4, "cuda:1"),
        ("cuda", "GPU-1234", 4, "cuda:GPU-1234"),
    ],
)
def test_the_name_of_a_device(
    monkeypatch: pytest.MonkeyPatch, wanted: str, visible: str | None, cards: int, device: str
) -> None:
    monkeypatch.setattr(gpu, "gpus", lambda: [gpu.Gpu(i, "card", 1, 0, None, None) for i in range(cards)])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device_of("finetune", {"device": wanted}) == device
    assert device_of("classifier", {"device": wanted}) == "cpu"


def test_the_gpus_are_told_without_torch() -> None:
    for card in gpu.gpus():
        assert card.name
        assert card.memory_total >= card.memory_used >= 0
    driver = gpu.driver()
    assert driver is None or (driver[0] and driver[1] >= 11000)
