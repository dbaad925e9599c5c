"""The engine as processes: started once, shared, stopped, killed, upgraded, sharing its GPU with runs."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.cli import main
from assistant.config import EngineSettings, Settings
from assistant.errors import Cancelled, MusicHelperError
from assistant.i18n import set_language
from assistant.library.library import Library, create_library
from assistant.musicgen.blueprint import CODEC_FILE, LM_FILE
from assistant.musicgen.spec import GenerateSpec
from assistant.runs.lock import device_lock, device_wish
from assistant.serving import start
from assistant.serving.client import Clip, Generator
from assistant.serving.place import engine_place

FAKE = "tests.serving.fake_worker"
SECONDS = 120.0

Event = dict[str, Any]


@pytest.fixture(autouse=True)
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Engines of these tests compute nothing."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(start, "SERVER_COMMAND", (*start.SERVER_COMMAND, FAKE))
    start.stop()
    yield
    start.stop()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """A library with a model that has no weights."""
    with create_library(tmp_path / "library") as made:
        folder = made.paths.models / "fake"
        folder.mkdir(parents=True)
        for name in (LM_FILE, CODEC_FILE):
            (folder / name).touch()
        yield made


def request(**values: Any) -> GenerateSpec:
    chosen: Event = {"model": "fake", "duration": 0.5, "seed": 5, "device": "cpu"}
    return GenerateSpec(**{**chosen, **values})


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running() -> dict[str, Any]:
    found = start.status()
    assert found is not None
    return found


class Asking(threading.Thread):
    """A client of its own, in a thread."""

    def __init__(self, library: Library, spec: GenerateSpec) -> None:
        super().__init__(daemon=True)
        self.generator = Generator(library)
        self.spec = spec
        self.events: list[Event] = []
        self.clips: list[Clip] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.clips = self.generator.generate(self.spec, self.events.append)
        except BaseException as error:
            self.error = error

    def saw(self, kind: str) -> bool:
        assert self.error is None
        return any(event["event"] == kind for event in self.events)

    def done(self) -> list[Clip]:
        self.join(SECONDS)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.clips


def test_the_second_clip_finds_the_model_loaded(library: Library) -> None:
    first, second = Asking(library, request()), None
    (one,) = first.done()
    assert [event["event"] for event in first.events][:2] == ["starting", "loading"]
    second = Asking(library, request(seed=6))
    (two,) = second.done()
    assert not second.saw("starting")
    assert not second.saw("loading")
    assert one.path == two.path  # the process that made it
    folder = engine_place().folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {entry.suffix for entry in folder.iterdir()} == {".sock", ".lock", ".log"}


def test_each_chinese_prompt_is_told_in_english(library: Library) -> None:
    asking = Asking(library, request(prompts=("慢板藍調", "a jazz tune"), then=("快樂的迪斯可",)))
    assert len(asking.done()) == 1  # the worker of these tests looks at the count alone
    told = [event["english"] for event in asking.events if event["event"] == "english"]
    assert told == ["a slow blues", "a disco piece, happy"]
    given = Asking(
        library,
        request(
            prompt="慢板藍調", english="my blues", then=("快樂的迪斯可", "rock"), then_english=("my disco",)
        ),
    )
    given.done()
    told = [event["english"] for event in given.events if event["event"] == "english"]
    assert told == ["my blues", "my disco"]


def test_of_two_starters_one_wins(library: Library) -> None:
    both = [Asking(library, request(seed=seed)) for seed in (1, 2)]
    assert len({clip.path for one in both for clip in one.done()}) == 1


def test_the_queue_says_the_place_in_it(library: Library) -> None:
    first = Asking(library, request(duration=60.0))
    until(lambda: first.saw("tokens"))
    second = Asking(library, request())
    until(lambda: second.saw("queued"))
    third = Asking(library, request())
    until(lambda: {"event": "queued", "ahead": 2} in third.events)
    assert running()["queue"] == 3
    second.generator.cancel()
    with pytest.raises(Cancelled):
        second.done()
    until(lambda: third.events[-1] == {"event": "queued", "ahead": 1})
    began = time.monotonic()
    first.generator.cancel()
    with pytest.raises(Cancelled):
        first.done()
    assert time.monotonic() - began < 5
    assert third.done()


def test_cancelling_keeps_the_process_and_its_model(library: Library) -> None:
    (before,) = Asking(library, request()).done()
    long = Asking(library, request(duration=60.0))
    until(lambda: long.saw("tokens"))
    long.generator.cancel()
    with pytest.raises(Cancelled):
        long.done()
    after = Asking(library, request())
    assert after.done()[0].path == before.path
    assert not after.saw("loading")


def test_a_client_that_goes_away_cancels_what_it_asked_for(library: Library) -> None:
    gone = Asking(library, request(duration=600.0))
    until(lambda: gone.saw("tokens"))
    link = gone.generator._link
    assert link is not None
    gone.generator._cancelled.set()  # nor does it ask again
    link._end.shutdown(2)
    assert Asking(library, request()).done()


def test_an_engine_that_is_killed_is_started_again_for_what_is_left(library: Library) -> None:
    asking = Asking(library, request(count=3, duration=1.0))
    until(lambda: asking.saw("clip"))
    os.kill(running()["pid"], signal.SIGKILL)
    assert [clip.seed for clip in asking.done()] == [5, 6, 7]
    assert asking.saw("restarted")
    assert len({clip.path for clip in asking.clips}) == 2


def test_a_crash_of_what_computes_is_told_and_the_next_one_works(library: Library) -> None:
    with pytest.raises(MusicHelperError, match="signal 6") as caught:
        Asking(library, request(prompt="crash")).done()
    log = engine_place().log
    assert str(log) in caught.value.hint
    assert "no luck today" in log.read_text()
    assert Asking(library, request()).done()


def test_errors_come_in_the_language_of_the_client(library: Library) -> None:
    assert Asking(library, request()).done()
    set_language("zh_TW")
    with pytest.raises(MusicHelperError, match="It cannot be") as caught:
        Asking(library, request(prompt="refuse")).done()
    assert caught.value.hint == "zh_TW"


def test_each_client_brings_its_environment(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert Asking(library, request()).done()[0].prompt == "3"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert Asking(library, request()).done()[0].prompt == ""


def test_after_an_upgrade_the_old_one_finishes_and_a_new_one_comes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, assistant.serving.server as server\n"
        "server.program_stamp = lambda: 'of old'\n"
        f"sys.exit(server.main([{FAKE!r}]))"
    )
    with monkeypatch.context() as older:
        older.setattr(start, "SERVER_COMMAND", (sys.executable, "-c", code))
        older.setattr(start, "program_stamp", lambda: "of old")
        before = Asking(library, request(duration=2.0))
        until(lambda: before.saw("tokens"))
    old = running()["pid"]
    after = Asking(library, request())
    assert after.done()
    assert after.saw("waiting")
    assert before.done()
    assert running()["pid"] != old


def test_a_run_that_has_the_gpu_is_named(library: Library) -> None:
    with device_lock("cuda:0") as lock:
        assert lock.acquire({"run": "jazz-0101"})
        with pytest.raises(MusicHelperError, match="jazz-0101") as caught:
            Asking(library, request(device="cuda:0")).done()
        assert "--device cpu" in caught.value.hint
        assert Asking(library, request(device="cpu")).done()


def test_a_run_that_wants_the_gpu_gets_it(library: Library) -> None:
    assert Asking(library, request(device="cuda:0")).done()
    assert running()["device"] == "cuda:0"
    with device_lock("cuda:0") as lock, device_wish("cuda:0") as wish:
        assert not lock.acquire()
        assert wish.acquire({"run": "rock-0202"})
        until(lock.acquire)
        assert running()["worker"] is None
        with pytest.raises(MusicHelperError, match="rock-0202"):
            Asking(library, request(device="cuda:0")).done()
    assert Asking(library, request(device="cuda:0")).done()


def test_it_leaves_when_nobody_asks(library: Library) -> None:
    hasty = Settings(engine=EngineSettings(idle_minutes=0.01))
    with Library(library.root, hasty) as impatient:
        assert Asking(impatient, request()).done()
    until(lambda: start.status() is None)
    assert not engine_place().socket.exists()


def test_an_engine_that_cannot_be_found_any_more_leaves(library: Library) -> None:
    assert Asking(library, request()).done()
    lock = engine_place().lock()
    engine_place().socket.unlink()
    until(lock.acquire)
    lock.release()


def test_a_socket_that_nobody_answers_is_no_hindrance(library: Library) -> None:
    engine_place().socket.write_text("left behind")
    assert Asking(library, request()).done()


def test_status_and_stop(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"running": False}
    assert Asking(library, request()).done()
    assert main(["engine", "status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["state"], told["model"], told["device"]) == (True, "idle", "fake", "cpu")
    assert main(["engine", "status"]) == 0
    assert "fake" in capsys.readouterr().out
    worker = told["worker"]
    assert main(["engine", "stop"]) == 0
    assert start.status() is None
    assert not Path(f"/proc/{worker}").exists()
    assert main(["engine", "stop"]) == 0
    assert "No engine" in capsys.readouterr().err


def test_a_long_runtime_folder_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert len(os.fsencode(engine_place().socket)) < 108
    shared = tmp_path / "r"
    shared.mkdir()
    (shared / "musichelper").mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    assert stat.S_IMODE(engine_place().folder.stat().st_mode) == 0o700
