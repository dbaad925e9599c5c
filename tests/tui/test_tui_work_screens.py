from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from assistant.config import PlaybackSettings, Settings, load_settings
from assistant.i18n import set_language
from assistant.intake.watch import watch_state
from assistant.library.host import inotify_limits
from assistant.library.library import Library
from assistant.runs import launch
from assistant.runs.control import request
from assistant.runs.record import list_runs
from assistant.serving import client
from tests.tui.tui_library import Opened, add_clip, add_run, add_track, screen_text, settle, text_of, until
from tui import generating
from tui.messages import Generated
from tui.screens.dialog import ConfirmDialog, TextDialog
from tui.screens.generate import GenerateScreen
from tui.screens.page import Page
from tui.screens.pick import PickScreen
from tui.screens.runs import ask_run
from tui.widgets.form import Form
from tui.widgets.rows import RowList

WORKER = Path(__file__).with_name("worker_with_fake_training.py")


@pytest.fixture
def runs(music: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Runs whose training is a countdown, in processes of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, str(WORKER)))
    yield music
    for record in list_runs(music):
        if record.live and record.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)


# Intake


async def test_intake_shows_tracks_and_why_some_failed(opened: Opened) -> None:
    async with opened(mode="intake") as pilot:
        shown = screen_text(pilot)
        assert "× failed" in shown
        assert "bad [red]name[" in shown
        assert "1 failed" in shown
        await pilot.press("f")
        await settle(pilot)
        rows = pilot.app.screen.query_one("#intake-rows", RowList)
        assert [row.track.state for row in rows.rows if row.track] == ["failed"]
        assert "cannot be read as audio" in text_of(pilot, "#intake-reason")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, TextDialog)
        assert "Play it, and copy it again." in screen_text(pilot)


async def test_a_failed_file_is_tried_again_with_a_key(opened: Opened, music: Library) -> None:
    (bad,) = music.ledger.tracks(state="failed")

    def state() -> str:
        track = music.ledger.track(bad.id)
        return track.state if track else ""

    async with opened(mode="intake") as pilot:
        await pilot.press("f")
        await settle(pilot)
        await pilot.press("r")
        await until(pilot, lambda: state() == "waiting")
        music.ledger.update_track(bad.id, state="failed")
        await pilot.press("R")
        await until(pilot, lambda: state() == "waiting")


async def test_intake_is_live(opened: Opened, music: Library) -> None:
    async with opened(mode="intake") as pilot:
        rows = pilot.app.screen.query_one("#intake-rows", RowList)
        rows.mark(3)
        marked = rows.current
        add_track(music, "pop/brand new.wav")
        music.close()
        pilot.app.bridge.read_snapshot(pilot.app)
        await until(pilot, lambda: "brand new.wav" in screen_text(pilot))
        assert rows.current == marked


async def test_every_track_of_a_hundred_thousand_is_reached_at_once(opened: Opened, music: Library) -> None:
    number = 100_000
    with music.ledger.transaction():
        music.ledger._database.executemany(
            "INSERT INTO tracks (path, content, size, mtime_ns, state, added, changed) "
            "VALUES (?, 'x', 1, 1, 'ready', 0, ?)",
            [(f"jazz/track {place:06d}.wav".encode(), float(place)) for place in range(number)],
        )
    music.close()
    async with opened(mode="intake") as pilot:
        rows = pilot.app.screen.query_one("#intake-rows", RowList)
        await until(pilot, lambda: len(rows.rows) > number)
        await pilot.press("end")
        await until(pilot, lambda: "track 000000.wav" in screen_text(pilot))
        rows.mark(50_000)
        await until(pilot, lambda: rows.current is not None and rows.current.track is not None)
        marked = rows.current
        assert marked is not None
        began = time.process_time()
        for _key in range(20):
            rows.action_page(1)
            pilot.app.screen._sight  # noqa: B018 - what a key costs on the screen's side  # type: ignore
        assert (time.process_time() - began) / 20 < 0.02
        rows.mark(50_000)
        add_track(music, "pop/brand new.wav")
        music.close()
        pilot.app.bridge.read_snapshot(pilot.app)
        await until(pilot, lambda: len(rows.rows) > number + 12)
        assert rows.current is not None
        assert rows.current.number == marked.number
        assert rows.current.track is not None


async def test_the_watcher_says_how_it_watches(music: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.app import MusicHelperApp

    app = MusicHelperApp(music.root, Settings(), watch=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "system notices" in text_of(pilot, "#home-now"))
        await pilot.press("f3")
        await until(pilot, lambda: "last scan" in text_of(pilot, "#intake-watch"))
        shown = text_of(pilot, "#intake-watch")
        assert f"of {inotify_limits()[0]} watches" in shown  # type: ignore[index]
        assert "0 files missed" in shown
        assert app.bridge is not None
        music.root.rename(music.root.with_name("unplugged"))
        await until(pilot, lambda: "is not there" in text_of(pilot, "#intake-watch"))
        assert "paused" in text_of(pilot, "#intake-watch")
        music.root.with_name("unplugged").rename(music.root)
        await until(pilot, lambda: "watching" in text_of(pilot, "#intake-watch"))


async def test_the_watcher_of_the_app_takes_files_in(music: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tui.tui_library import write_tone
    from tui.app import MusicHelperApp

    app = MusicHelperApp(music.root, Settings(), watch=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.bridge is not None and app.bridge.feed.state == "watching", seconds=30)
        watcher = watch_state(music)["pid"]
        assert watcher != os.getpid()  # many files would hold up the keys of the app
        assert os.sched_getscheduler(watcher) == os.SCHED_BATCH
        write_tone(music.root / "unknow/dropped.wav", seconds=1.0)
        await until(
            pilot,
            lambda: (
                app.snapshot is not None and app.snapshot.unlabelled.tracks == 6 and not app.snapshot.coming
            ),
            seconds=60,
        )
        other = MusicHelperApp(music.root, Settings(), watch=True)
        async with other.run_test(size=(80, 24)) as second:
            await until(second, lambda: other.bridge is not None and other.bridge.feed.state == "elsewhere")
            await until(second, lambda: "watched elsewhere" in screen_text(second))
        app.change_language("zh_TW")
        await until(pilot, lambda: watch_state(music)["running"] and "監看中" in screen_text(pilot))
        app.change_language("en")
    assert not watch_state(music)["running"]


# Training


async def test_a_fine_tune_starts_pauses_goes_on_saves_stops_and_outlives_the_app(
    opened: Opened, runs: Library
) -> None:
    async with opened(mode="train") as pilot:
        assert "each second is heard" in text_of(pilot, "#train-notes")
        await pilot.press("p")
        assert pilot.app.screen.values["preset"] == "full"
        await pilot.press("s")
        await until(pilot, lambda: bool(list_runs(runs)))
        await until(pilot, lambda: "running" in screen_text(pilot) and "step" in screen_text(pilot))
        await until(pilot, lambda: "smoothed" in screen_text(pilot))
        await pilot.press("space")
        await until(pilot, lambda: list_runs(runs)[0].state == "paused")
        await until(pilot, lambda: "paused" in screen_text(pilot))
        await pilot.press("space")
        await until(pilot, lambda: list_runs(runs)[0].state == "running")
        await until(pilot, lambda: "running" in screen_text(pilot))
        await pilot.press("w")
    # The app is gone; the run is not.
    before = list_runs(runs)[0]
    assert before.state == "running"
    time.sleep(0.3)
    assert list_runs(runs)[0].state == "running"
    async with opened(mode="train") as pilot:
        await until(pilot, lambda: before.name in screen_text(pilot))
        await until(pilot, lambda: "checkpoint" in screen_text(pilot))
        await pilot.press("x")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("y")
        await until(pilot, lambda: list_runs(runs)[0].state == "stopped")
        await until(pilot, lambda: "stopped" in screen_text(pilot))


async def test_holding_goes_by_what_the_run_does_now(opened: Opened, runs: Library) -> None:
    async with opened(mode="train") as pilot:
        await pilot.press("s")
        await until(pilot, lambda: [run.state for run in list_runs(runs)] == ["running"])
        shown = list_runs(runs)[0]
        request(runs, shown.id, "pause")
        await until(pilot, lambda: list_runs(runs)[0].state == "paused")
        page = pilot.app.screen
        assert isinstance(page, Page)
        ask_run(page, shown, "hold")
        await until(pilot, lambda: list_runs(runs)[0].state == "running")


async def test_the_classifier_is_a_run_too(opened: Opened, runs: Library) -> None:
    async with opened() as pilot:
        await pilot.press("c")
        await until(pilot, lambda: bool(list_runs(runs)))
        assert list_runs(runs)[0].kind == "classifier"
        await until(pilot, lambda: pilot.app.current_mode == "train")


async def test_a_wrong_value_is_refused_where_it_is_typed_and_where_it_is_used(
    opened: Opened, runs: Library
) -> None:
    async with opened(mode="train") as pilot:
        form = pilot.app.screen.query_one(Form)
        form.mark([field.name for field in form.rows].index("steps"))
        await pilot.press("enter")
        await pilot.press("backspace", "backspace", "backspace", *"many", "enter")
        assert isinstance(pilot.app.screen.focused, Input)
        assert "whole number" in screen_text(pilot)
        await pilot.press("escape")
        assert form.values["steps"] == 300
        form.put("name", "../outside")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        assert "../outside" in screen_text(pilot)
        assert not list_runs(runs)


async def test_forms_change_with_arrows(opened: Opened) -> None:
    async with opened(mode="train") as pilot:
        form = pilot.app.screen.query_one(Form)
        names = [field.name for field in form.rows]
        for name, key, value in (
            ("steps", "right", 350),
            ("learning_rate", "right", 0.0),
            ("batch_size", "left", 3),
            ("preset", "left", "quick"),
        ):
            form.mark(names.index(name))
            await pilot.press(key)
            assert form.values[name] == value
        form.mark(names.index("genres"))
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, PickScreen)
        await pilot.press("enter", "end", "up", "up", "down", "down")
        screen = pilot.app.screen
        screen.query_one(RowList).action_edge(1)
        await pilot.press("enter")
        await pilot.pause()
        assert form.values["genres"] == ("blues",)


async def test_without_a_run_the_view_says_how_to_start(opened: Opened) -> None:
    async with opened(mode="train") as pilot:
        await pilot.press("v")
        await pilot.press("space")
        assert isinstance(pilot.app.screen, Page)


# Runs


async def test_runs_are_listed_with_their_curves(opened: Opened, music: Library) -> None:
    add_run(music, "jazz-0101")
    add_run(music, "blues-0202", state="failed")
    async with opened(mode="runs", size=(120, 40)) as pilot:
        await until(pilot, lambda: "held out" in screen_text(pilot))
        assert {"jazz-0101", "blues-0202"} <= set(screen_text(pilot).split())
        await pilot.press("down")
        await settle(pilot)
        await pilot.press("g")
        await until(pilot, lambda: pilot.app.current_mode == "generate")
        await settle(pilot)
        assert pilot.app.screen.values["model"] in ("jazz-0101", "blues-0202")


async def test_no_runs_says_how_to_start_one(opened: Opened) -> None:
    async with opened(mode="runs") as pilot:
        assert "No runs yet. F5 leads to training." in screen_text(pilot)
        for key in ("space", "x", "w", "g", "enter"):
            await pilot.press(key)
        assert isinstance(pilot.app.screen, Page)


# Generating


class FakeGenerator:
    """Makes tones at once; `cancel` ends a call that waits."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.cancelled = False

    def generate(self, spec: Any, on_event: Any = None) -> list[client.Clip]:
        from assistant.errors import Cancelled

        on_event({"event": "loading"})
        clips = []
        for number in range(spec.count):
            for done in range(0, 101, 10):
                on_event({"event": "tokens", "done": done, "total": 100, "clip": number})
                time.sleep(0.01)
            while spec.prompt == "forever" and not self.cancelled:
                time.sleep(0.01)
            if self.cancelled:
                raise Cancelled("Stopped.")
            seed = (spec.seed if spec.seed is not None else 99) + number
            path = add_clip(self.library, f"clip-{seed}.wav", **{**spec.as_dict(), "seed": seed})
            clips.append(client.Clip(str(path), seed, 1.0, spec.model, spec.prompt))
        return clips

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        pass


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "Generator", FakeGenerator)


def generate_page(pilot: Any) -> GenerateScreen:
    assert isinstance(pilot.app.screen, GenerateScreen)
    return pilot.app.screen


@pytest.mark.usefixtures("generator")
async def test_a_prompt_becomes_clips_that_can_be_made_again(opened: Opened) -> None:
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        assert "No clips yet. g makes one." in screen_text(pilot)
        assert "MIT" in text_of(pilot, "#generate-licence")
        await pilot.press("e", *"slow jazz", "enter")
        await pilot.press("g")
        await until(pilot, lambda: "1 clip made." in screen_text(pilot))
        await until(pilot, lambda: "slow jazz" in screen_text(pilot).split("Clips")[1])
        await settle(pilot)
        await until(pilot, lambda: "seed 99" in screen_text(pilot))
        await until(pilot, lambda: "█" in screen_text(pilot))
        await pilot.press("a")
        assert screen.values["seed"] == 99
        await until(pilot, lambda: not screen.bridge.engine.busy)
        await pilot.press("c")
        assert str(screen.values["continue_from"]).endswith("clip-99.wav")
        assert screen.values["seed"] is None
        await pilot.press("r")
        assert isinstance(pilot.app.screen, TextDialog)
        assert "slow jazz" in screen_text(pilot)


@pytest.mark.usefixtures("generator")
async def test_the_english_for_a_chinese_prompt_fills_in(opened: Opened) -> None:
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        await pilot.press("e", *"慢板藍調", "enter")
        await until(pilot, lambda: screen.values["english"] == "a slow blues")
        await until(pilot, lambda: "a slow blues" in screen_text(pilot))
        # It is a setting like others, which the next translation replaces.
        await pilot.press("home", "enter", *", sad", "enter")
        await until(pilot, lambda: screen.values["english"] == "a slow blues, sad")
        screen.query_one(Form).put("then", "慢板藍調；快樂的迪斯可")
        await until(pilot, lambda: screen.values["then_english"] == "a slow blues; a disco piece, happy")
        chosen = generating.spec_values(screen.values)
        assert chosen["then"] == ("慢板藍調", "快樂的迪斯可")
        assert chosen["then_english"] == ("a slow blues", "a disco piece, happy")
        assert chosen["english"] == "a slow blues, sad"
        screen.query_one(Form).put("then", "rock")
        await until(pilot, lambda: screen.values["then_english"] == "")
        await pilot.press("e", *(["backspace"] * 4), *"slow jazz", "enter")
        await until(pilot, lambda: screen.values["prompt"] == "slow jazz")
        assert screen.values["english"] == ""
        assert "In English" not in screen_text(pilot)


@pytest.mark.usefixtures("generator")
async def test_the_cursor_goes_to_the_new_clip(opened: Opened, music: Library) -> None:
    add_clip(music, "one.wav", prompt="an old prompt")
    music.close()
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        clips = screen.query_one("#generate-clips", RowList)
        await until(pilot, lambda: len(clips.rows) == 1)
        await pilot.press("g")
        await until(pilot, lambda: len(clips.rows) == 2)
        await until(pilot, lambda: clips.current is not None and clips.current.path.name == "clip-99.wav")


async def test_how_to_hear_is_said_until_the_page_is_open(opened: Opened, music: Library) -> None:
    add_clip(music, "one.wav")
    music.close()
    settings = Settings(playback=PlaybackSettings(player="browser", port=0))
    async with opened(mode="generate", settings=settings) as pilot:
        clips = generate_page(pilot).query_one("#generate-clips", RowList)
        await until(pilot, lambda: len(clips.rows) == 1)
        for _time in range(2):
            await pilot.press("space")
            await until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
            assert "127.0.0.1" in screen_text(pilot)
            await pilot.press("escape")


@pytest.mark.usefixtures("generator")
async def test_earlier_prompts_come_back_with_the_arrow(opened: Opened, music: Library) -> None:
    add_clip(music, "one.wav", prompt="an old prompt")
    music.close()
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        await pilot.press("e", "up", "enter")
        assert screen.values["prompt"] == "an old prompt"


@pytest.mark.usefixtures("generator")
async def test_generation_can_be_stopped_and_asks_before_leaving(opened: Opened) -> None:
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        screen.values["prompt"] = "forever"
        await pilot.press("g")
        await until(pilot, lambda: "100/100" in screen_text(pilot))
        await pilot.press("q")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("n")
        await pilot.press("s")
        await until(pilot, lambda: "Stopped" in screen_text(pilot))
        assert not screen.bridge.engine.busy


async def test_a_model_that_is_not_there_is_explained(opened: Opened) -> None:
    async with opened(mode="generate") as pilot:
        generate_page(pilot).values["model"] = "moved-away"
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        assert "There is no model called moved-away" in screen_text(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not generate_page(pilot).bridge.engine.busy)


async def test_the_model_is_chosen_with_its_licence_in_sight(opened: Opened) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        screen = generate_page(pilot)
        await pilot.press("m")
        assert isinstance(pilot.app.screen, PickScreen)
        await pilot.pause()
        assert "CC-BY-NC-4.0" in screen_text(pilot)
        await pilot.press(*"genmed", "enter")
        await pilot.pause()
        assert screen.values["model"] == "facebook/musicgen-medium"
        assert "not for commerce" in text_of(pilot, "#generate-licence")


async def test_answers_after_leaving_a_page_do_no_harm(opened: Opened, music: Library) -> None:
    path = add_clip(music, "one.wav")
    music.close()
    async with opened(mode="generate") as pilot:
        screen = generate_page(pilot)
        await pilot.press("f2")
        screen.post_message(Generated([path], [1]))
        await settle(pilot)
        assert pilot.app.current_mode == "home"


# Settings


async def test_settings_change_at_once_and_are_saved_with_comments(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('# mine\n[interface]\ntheme = "musichelper" # dark\n')
    try:
        async with opened(mode="settings") as pilot:
            pilot.app.bridge._config_file = path
            form = pilot.app.screen.query_one(Form)
            await pilot.press("right")
            await settle(pilot)
            assert form.values["language"] == "zh_TW"
            form = pilot.app.screen.query_one(Form)
            form.mark(1)
            await pilot.press("right")
            assert pilot.app.theme == "musichelper-light"
            await pilot.press("w")
            await until(pilot, lambda: "zh_TW" in path.read_text())
        settings = load_settings(path)
        assert settings.interface.language == "zh_TW"
        assert settings.interface.theme == "musichelper-light"
        assert "# mine" in path.read_text()
        assert "player" not in path.read_text()
    finally:
        set_language("en")


async def test_settings_show_where_things_are(opened: Opened) -> None:
    async with opened(mode="settings") as pilot:
        shown = screen_text(pilot)
        assert "config.toml" in shown
        assert "~/Music" in shown
