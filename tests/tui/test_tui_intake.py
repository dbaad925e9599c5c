"""Files as they come in: what failed and why, all of them reachable, the watcher."""

from __future__ import annotations

import os
import time

import pytest

from assistant.config import Settings
from assistant.intake.watch import watch_state
from assistant.library.host import inotify_limits
from assistant.library.library import Library
from tests.tui.recorder import recorder
from tests.tui.tui_library import Opened, add_track, press, screen_text, settle, text_of, until
from tui.screens.dialog import TextDialog
from tui.widgets.rows import RowList


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


async def test_a_track_is_heard_and_the_list_goes_up_and_down(opened: Opened) -> None:
    async with opened(mode="intake") as pilot:
        player = recorder(pilot)
        rows = pilot.app.screen.query_one("#intake-rows", RowList)
        await press(pilot, "end")
        last = rows.cursor
        assert last == len(rows.rows) - 1
        await press(pilot, "up", "up", "down")
        assert rows.cursor == last - 1
        await press(pilot, "pageup")
        assert rows.cursor < last - 1
        await press(pilot, "pagedown", "home")
        assert rows.cursor == 0
        place = next(place for place, row in enumerate(rows.rows) if row.track and row.track.state == "ready")
        rows.mark(place)
        await press(pilot, "space")
        assert player.calls
