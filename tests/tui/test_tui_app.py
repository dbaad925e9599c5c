from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import ScreenResume
from textual.widgets import Input

from assistant.config import Settings
from assistant.errors import CallError
from assistant.i18n import language, set_language
from assistant.library.library import Library
from tests.tui.tui_library import Opened, add_run, add_track, screen_text, settle, text_of, until
from tui.actions import SCREENS
from tui.app import MusicHelperApp
from tui.labelling import LabelSession, merge
from tui.messages import Failed, QueueRead, SnapshotRead
from tui.notices import notification
from tui.screens.dialog import TextDialog
from tui.screens.help import HelpScreen
from tui.screens.page import Page
from tui.screens.welcome import WelcomeScreen
from tui.widgets.rows import RowList


async def test_home_says_what_is_there_and_what_to_do(opened: Opened) -> None:
    async with opened() as pilot:
        await settle(pilot)
        shown = screen_text(pilot)
        assert "12 tracks" in shown
        assert "1 failed" in shown
        assert "3 tracks have a proposed genre" in text_of(pilot, "#home-next")
        await pilot.press("enter")
        assert pilot.app.current_mode == "label"
        await pilot.press("escape")
        assert pilot.app.current_mode == "home"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20)])
async def test_function_keys_lead_to_each_page_and_each_fits(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as pilot:
        for place, name in enumerate((*SCREENS[1:], SCREENS[0])):
            await pilot.press(f"f{3 + place}" if name != "home" else "f2")
            await settle(pilot)
            assert pilot.app.current_mode == name
            lines = screen_text(pilot).splitlines()
            assert len(lines) == size[1]
            assert isinstance(pilot.app.screen, Page)
            assert "q Quit" in lines[-1]
            assert "F1 Help" in lines[-1]


@pytest.mark.parametrize("size", [(59, 24), (80, 19), (20, 5), (1, 1)])
async def test_a_small_terminal_says_so(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as pilot:
        await settle(pilot)
        words = " ".join(screen_text(pilot).split())
        assert words.startswith("The"[: max(0, size[0] - 2)])
        assert "In the folder" not in words
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "In the folder" in screen_text(pilot)


async def test_help_lists_the_keys_of_the_page_first(opened: Opened) -> None:
    async with opened(mode="label", size=(120, 40)) as pilot:
        await pilot.press("f1")
        assert isinstance(pilot.app.screen, HelpScreen)
        shown = screen_text(pilot)
        assert "Accept the marked proposal" in shown
        assert "1 … 0" in shown
        lines = [line.plain for line in pilot.app.screen._lines()]
        assert lines.index("Label") < lines.index("Everywhere") < lines.index("Home")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Page)


async def test_help_begins_with_the_field_that_has_the_focus(opened: Opened) -> None:
    async with opened(mode="settings") as pilot:
        await settle(pilot)
        await pilot.press("down", "f1")
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        lines = [line.plain for line in pilot.app.screen._lines()]
        assert lines[0] == "Theme"
        assert lines.index("In forms") < lines.index("Settings")


async def test_the_palette_does_what_it_names(opened: Opened) -> None:
    async with opened() as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause(0.2)
        await pilot.press(*"runs")
        await pilot.pause(0.4)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.current_mode == "runs")


async def test_errors_are_read_as_they_are_and_can_be_copied(opened: Opened) -> None:
    async with opened() as pilot:
        pilot.app.post_message(Failed("No [red]way[/]\x1b[2J", "Try [@click=app.quit]this[/].", "launch"))
        await until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        await pilot.pause()
        shown = screen_text(pilot)
        assert "No [red]way[/]\\x1b[2J" in shown
        assert "[@click=app.quit]this[/]" in shown
        await pilot.press("y")
        assert "No [red]way[/]" in pilot.app.clipboard
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Page)


async def test_a_failing_poll_is_told_in_the_header_until_it_works_again(opened: Opened) -> None:
    async with opened() as pilot:
        app = pilot.app
        app.post_message(Failed("The disk is gone.", "", "snapshot"))
        await until(pilot, lambda: "The disk is gone." in screen_text(pilot))
        assert isinstance(app.screen, Page)
        app.post_message(SnapshotRead(app.snapshot))
        await until(pilot, lambda: "The disk is gone." not in screen_text(pilot))


async def test_news_that_comes_while_the_app_is_left_is_not_shown(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving ends with an error if any page looks for its widgets after they went away."""
    async with opened(mode="label") as pilot:
        app = pilot.app
        assert isinstance(app, MusicHelperApp)
        assert app.snapshot is not None
        snapshot, label = app.snapshot, app.screen
        app.action_go("train")
        await settle(pilot)
        train = app.screen
        app._wanted_run = "20260101-000000-x-0000"
        app.action_go("label")
        await settle(pilot)
        close_all = app._close_all

        async def close_all_while_news_comes() -> None:
            await label.remove_children()
            app._poll()
            await app._dispatch_message(SnapshotRead(replace(snapshot, clips=9)))
            await label._dispatch_message(QueueRead(merge(LabelSession().known(), []), []))
            await train.remove_children()
            await train._dispatch_message(ScreenResume())
            await close_all()

        monkeypatch.setattr(app, "_close_all", close_all_while_news_comes)


async def test_a_run_that_ends_is_told_by_words_bell_and_notification(
    opened: Opened, music: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.runs.record import write_record

    record = add_run(music, "jazz", state="queued")
    folder = music.paths.runs / record.id
    live = replace(
        record,
        state="running",
        host="elsewhere",
        pid=1,
        process_start=1,
        heartbeat=time.time() + 600,
        ended=None,
    )
    write_record(folder, live)
    async with opened() as pilot:
        app = pilot.app
        await until(pilot, lambda: app.snapshot.live_runs)
        told: list[str] = []
        monkeypatch.setattr(app, "bell", lambda: told.append("bell"))
        monkeypatch.setattr(app._driver, "write", told.append)
        monkeypatch.delenv("TMUX", raising=False)
        write_record(folder, replace(live, state="done", ended=time.time()))
        await until(pilot, lambda: "bell" in told)
        await until(pilot, lambda: "\x1b]9;The run jazz is done.\x07" in told)
        await until(pilot, lambda: "The run jazz is done." in [told.message for told in app._notifications])


def test_notifications_are_harmless_and_pass_through_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    assert notification("a\x07b\x1b") == "\x1bPtmux;\x1b\x1b]9;a\\x07b\\x1b\x07\x1b\\"


async def test_names_of_files_are_never_markup(opened: Opened, music: Library) -> None:
    names = [
        "[@click=app.quit]go[@click]",
        "x [/red]",
        "\x1b[31mred",
        "rtl \u202e gpj",
        "wide 歌曲歌曲",
        "bad \udcff",
        "[A-Z]",
    ]
    for name in names:
        add_track(music, f"unknow/{name}.wav")
    music.close()
    for mode in ("home", "intake", "label"):
        async with opened(mode=mode, size=(120, 40)) as pilot:
            if mode == "intake":
                shown = screen_text(pilot)
                for part in (
                    "[@click=app.quit]go",
                    "x [/red].wav",
                    "\\x1b[31mred",
                    "\\u202e",
                    "bad \\xff",
                    "[A-Z].wav",
                ):
                    assert part in shown
            assert "\x1b" not in screen_text(pilot)
            assert "\u202e" not in screen_text(pilot)


async def test_the_language_changes_at_once_and_back(opened: Opened) -> None:
    try:
        async with opened(mode="label") as pilot:
            app = pilot.app
            before = screen_text(pilot)
            app.change_language("zh_TW")
            await settle(pilot)
            assert language() == "zh_TW"
            app.change_language("en")
            await settle(pilot)
            assert screen_text(pilot) == before
    finally:
        set_language("en")


async def test_own_keys_work_and_are_shown(opened: Opened) -> None:
    settings = Settings()
    import msgspec

    interface = msgspec.structs.replace(settings.interface, keys={"app.runs": "f10"})
    async with opened(settings=msgspec.structs.replace(settings, interface=interface)) as pilot:
        assert "F10 Runs" in screen_text(pilot)
        await pilot.press("f7")
        assert pilot.app.current_mode == "home"
        await pilot.press("f10")
        assert pilot.app.current_mode == "runs"


def test_keys_that_clash_stop_the_start(tmp_path: Path) -> None:
    import msgspec

    settings = Settings()
    interface = msgspec.structs.replace(settings.interface, keys={"label.accept": "s"})
    with pytest.raises(CallError):
        MusicHelperApp(tmp_path, msgspec.structs.replace(settings, interface=interface))


async def test_a_full_width_letter_of_an_input_method_works(opened: Opened) -> None:
    from textual import events

    async with opened() as pilot:
        pilot.app.post_message(events.Key("fullwidth_latin_small_letter_r", "ｒ"))
        await until(pilot, lambda: pilot.app.current_mode == "runs")


async def test_a_folder_that_is_no_library_is_offered_to_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "My Music"
    root.mkdir()
    app = MusicHelperApp(root, Settings(), watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, WelcomeScreen)
        shown = screen_text(pilot)
        assert "~/My Music is not a library yet" in shown
        assert "never changes or deletes" in " ".join(shown.split())
        assert not list(root.iterdir())
        await pilot.press("f4")
        assert isinstance(app.screen, WelcomeScreen)
        await pilot.press("enter")
        await until(pilot, lambda: app.snapshot is not None)
        assert isinstance(app.screen, Page)
        assert (root / "unknow").is_dir()


async def test_another_folder_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    app = MusicHelperApp(None, Settings(), watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        rows = app.screen.query_one(RowList)
        rows.mark(next(place for place, choice in enumerate(rows.rows) if choice[0] == "other"))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen.focused, Input)
        await pilot.press(*"~/new", "enter")
        await until(pilot, lambda: app.snapshot is not None)
        assert (tmp_path / "new" / ".musichelper").is_dir()
        assert text_of(pilot, "#home-next")


async def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    app = MusicHelperApp(tmp_path / "file" / "x", Settings(), watch=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        assert isinstance(app.screen, WelcomeScreen)


async def test_letters_on_home_lead_to_pages(opened: Opened) -> None:
    async with opened() as pilot:
        for key, name in zip("iltgr", ("intake", "label", "train", "generate", "runs"), strict=True):
            await pilot.press(key)
            await settle(pilot)
            assert pilot.app.current_mode == name
            await pilot.press("f2")
            await settle(pilot)


async def test_all_is_drawn_anew_with_a_key(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pilot:
        await settle(pilot)
        forgotten: list[bool] = []
        monkeypatch.setattr(pilot.app._shown, "forget", lambda: forgotten.append(True))
        await pilot.press("ctrl+l")
        assert forgotten
