from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from assistant.library.ledger import Proposal
from assistant.library.library import Library
from tests.tui.tui_library import Opened, add_track, propose, screen_text, settle, until
from tui.actions import DIGITS
from tui.app import MusicHelperApp
from tui.screens.accept import AcceptScreen
from tui.screens.label import LabelScreen
from tui.screens.page import Page
from tui.screens.pick import PickScreen


def page(pilot: Pilot[None]) -> LabelScreen:
    screen = pilot.app.screen
    assert isinstance(screen, LabelScreen)
    return screen


async def ready(pilot: Pilot[None]) -> LabelScreen:
    """Wait until the item under the cursor is painted and may be decided."""
    await settle(pilot)
    screen = page(pilot)
    screen.guard_seconds = 0.0
    await until(pilot, lambda: screen._painted is not None and not screen.busy)
    return screen


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys as a person does: each after its screen was seen."""
    for key in keys:
        await ready(pilot)
        await pilot.press(key)
        await settle(pilot)


def name(screen: LabelScreen) -> str:
    return screen.session.current.track.path.name if screen.session.current else ""


async def test_the_closest_proposal_comes_first_with_bars_waveform_and_caption(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        assert [item.track.path.name for item in screen.session.items[:3]] == [
            "song a.wav",
            "song b.wav",
            "song c.wav",
        ]
        await until(pilot, lambda: "calm piece" in screen_text(pilot))
        shown = screen_text(pilot)
        assert "55%" in shown
        assert "40%" in shown
        assert "▸ 6 jazz" in shown
        assert "█" in shown
        assert "0 labelled" in shown


async def test_enter_accepts_and_the_files_have_moved(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "enter")
        screen = page(pilot)
        assert (music.root / "jazz/song a.wav").exists()
        assert (music.root / "jazz/song a.txt").exists()
        assert not (music.root / "unknow/song a.wav").exists()
        assert name(screen) == "song b.wav"
        assert "1 labelled" in screen_text(pilot)


async def test_arrows_choose_another_proposal_and_digits_any_of_ten(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "down", "up", "down", "enter", "0")
        assert (music.root / "blues/song a.wav").exists()
        assert (music.root / "rock/song b.wav").exists()


async def test_undo_goes_all_the_way_back_and_redo_forward(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "a", "a", "s", "u", "backspace", "u")
        screen = page(pilot)
        assert name(screen) == "song a.wav"
        assert (music.root / "unknow/song a.wav").exists()
        assert (music.root / "unknow/song b.wav").exists()
        await press(pilot, "u")
        assert "Nothing to undo" in screen_text(pilot)
        await press(pilot, "U")
        assert (music.root / "jazz/song a.wav").exists()


async def test_undo_reaches_an_earlier_session(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "enter")
    async with opened(mode="label") as pilot:
        await ready(pilot)
        assert len(page(pilot).session.items) == 4
        await press(pilot, "u")
        await until(pilot, lambda: len(page(pilot).session.items) == 5)
        assert name(page(pilot)) == "song a.wav"
        assert (music.root / "unknow/song a.wav").exists()


async def test_a_key_pressed_before_the_item_was_painted_does_nothing(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        screen.guard_seconds = 0.15
        early = events.Key("enter", None)
        early.time = (screen._painted or 0.0) - 0.01
        late_but_not_late_enough = events.Key("6", "6")
        late_but_not_late_enough.time = (screen._painted or 0.0) + 0.05
        for key in (early, late_but_not_late_enough):
            screen.post_message(key)
        await settle(pilot)
        assert name(screen) == "song a.wav"
        assert len(list((music.root / "unknow").glob("*.wav"))) == 5


async def test_keys_typed_ahead_decide_about_one_track_only(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        now = time.monotonic()
        for _number in range(6):
            key = events.Key("enter", None)
            key.time = now
            pilot.app.post_message(key)
        await until(pilot, lambda: name(screen) == "song b.wav")
        await settle(pilot)
        assert name(screen) == "song b.wav"
        assert len(list((music.root / "unknow").glob("*.wav"))) == 4


async def test_a_new_file_is_announced_and_moves_nothing(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        await press(pilot, "n")
        assert name(screen) == "song b.wav"
        track = add_track(music, "unknow/aaa.wav")
        propose(music, track, ("jazz", 0.5), ("rock", 0.5))
        music.close()
        screen.app.bridge.read_snapshot(screen.app)  # type: ignore[union-attr]
        await until(pilot, lambda: "1 new" in screen_text(pilot))
        assert name(screen) == "song b.wav"
        assert len(screen.session.items) == 5
        await press(pilot, "r")
        assert name(screen) == "song b.wav"
        assert screen.session.items[-1].track.path.name == "aaa.wav"


async def test_new_proposals_are_shown_and_nothing_moves(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        await press(pilot, "n", "n", "n")
        assert name(screen) == "song d.wav"
        assert "No proposal yet" in screen_text(pilot)
        for letter, genre in (("d", "blues"), ("e", "rock")):
            track = music.ledger.track_at(Path(f"unknow/song {letter}.wav"))
            assert track is not None
            propose(music, track, (genre, 0.77), ("jazz", 0.23))
        music.close()
        screen.app.bridge.read_snapshot(screen.app)  # type: ignore[union-attr]
        await until(pilot, lambda: "77%" in screen_text(pilot))
        assert [item.track.path.stem[-1] for item in screen.session.items] == list("abcde")
        screen = await ready(pilot)
        await press(pilot, "enter")
        assert (music.root / "blues/song d.wav").exists()


async def test_what_comes_next_is_ordered_anew_once_the_new_classifier_has_heard_it(
    opened: Opened, music: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = SimpleNamespace(version="v1", accuracy=0.8, chance=0.3, made=0.0, model="musicnn")
    monkeypatch.setattr("assistant.classify.store.current_version", lambda _library: used)
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        app = screen.app
        assert isinstance(app, MusicHelperApp)
        used.version = "v2"
        app.bridge.read_snapshot(app)  # type: ignore[union-attr]
        await until(pilot, lambda: app.snapshot is not None and app.snapshot.classifier[0] == "v2")  # type: ignore[index]
        assert [item.track.path.stem[-1] for item in screen.session.items] == list("abcde")
        assert "Learned" not in screen_text(pilot)
        shares = {"a": 0.9, "b": 0.95, "c": 0.55, "d": 0.75, "e": 0.65}
        for letter, share in shares.items():
            track = music.ledger.track_at(Path(f"unknow/song {letter}.wav"))
            assert track is not None
            top = [("jazz", share), ("rock", 1 - share)]
            music.ledger.set_proposals([Proposal(track.id, "v2", "jazz", share, top, time.time())])
        music.close()
        app.bridge.read_snapshot(app)  # type: ignore[union-attr]
        await until(pilot, lambda: "Learned from your decisions" in screen_text(pilot))
        assert [item.track.path.stem[-1] for item in screen.session.items] == list("acedb")
        assert name(screen) == "song a.wav"


async def test_skip_flag_and_reject_are_different_things(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "s", "f", "x")
        screen = page(pilot)
        states = {item.track.path.name: screen.session.state(item.track.id) for item in screen.session.items}
        assert states["song a.wav"] == "skip"
        assert states["song b.wav"] == "flag"
        assert states["song c.wav"] == "reject"
        assert screen.session.items[-1].track.path.name == "song a.wav"
    with music as library:
        from assistant.label.queue import review_queue

        assert len(review_queue(library)) == 3


async def test_any_genre_is_found_by_typing(opened: Opened, music: Library) -> None:
    (music.root / "tango nuevo").mkdir()
    async with opened(mode="label") as pilot:
        await press(pilot, "slash")
        assert isinstance(pilot.app.screen, PickScreen)
        assert isinstance(pilot.app.screen.focused, Input)
        await pilot.press(*"tng")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Page))
        await settle(pilot)
        assert (music.root / "tango nuevo/song a.wav").exists()


async def test_accepting_all_shows_first_what_it_means_and_is_one_undo(
    opened: Opened, music: Library
) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "A")
        assert isinstance(pilot.app.screen, AcceptScreen)
        await until(pilot, lambda: "1 track would be labelled" in screen_text(pilot))
        await pilot.press("left", "right", "left", "left")
        await until(pilot, lambda: "2 tracks would be labelled" in screen_text(pilot))
        assert (music.root / "unknow/song b.wav").exists()
        await pilot.press("enter")
        await until(pilot, lambda: (music.root / "rock/song c.wav").exists())
        await settle(pilot)
        assert (music.root / "blues/song b.wav").exists()
        assert name(page(pilot)) == "song a.wav"
        await press(pilot, "u")
        assert (music.root / "unknow/song b.wav").exists()
        assert (music.root / "unknow/song c.wav").exists()


async def test_without_proposals_enter_asks_for_the_genre(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "n", "n", "n")
        assert name(page(pilot)) == "song d.wav"
        assert "No proposal yet" in screen_text(pilot)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, PickScreen)


async def test_the_order_changes(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "o")
        screen = await ready(pilot)
        assert name(screen) == "song c.wav"
        assert "surest first" in screen_text(pilot)


async def test_a_file_that_cannot_move_is_explained_and_the_queue_goes_on(
    opened: Opened, music: Library
) -> None:
    (music.root / "unknow/song a.wav").unlink()
    async with opened(mode="label") as pilot:
        await press(pilot, "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Page))
        await pilot.press("escape")
        screen = page(pilot)
        assert not screen.busy
        assert name(screen) == "song a.wav"
        await press(pilot, "n", "enter")
        assert (music.root / "blues/song b.wav").exists()


async def test_space_plays_and_stops(opened: Opened, music: Library) -> None:
    played: list[Any] = []

    class Recorder:
        kind, heard, sentence, problem, link, command = "device", True, "", "", "", ""

        def play(self, path: Any, start: float = 0.0, **_how: Any) -> None:
            played.append(path)

        def stop(self) -> None:
            played.append(None)

        def playing(self) -> Any:
            return played[-1] if played else None

        def position(self) -> float:
            return 0.25

        def close(self) -> None:
            played.clear()

    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        screen.bridge.listening._player = Recorder()
        await press(pilot, "space")
        assert played == [music.root / "unknow/song a.wav"]
        screen.poll()
        assert screen.query_one("#label-wave").share == 0.5  # type: ignore[attr-defined]
        await press(pilot, "enter")  # its file moves, so it falls silent
        assert played[-1] is None


async def test_each_digit_gives_its_genre(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        assert len(screen.session.genres) >= len(DIGITS)
        for digit, genre in zip(DIGITS, screen.session.genres, strict=False):
            await press(pilot, digit)
            assert (music.root / genre / "song a.wav").exists()
            await press(pilot, "u")


async def test_one_looks_at_others_and_comes_back(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "n", "n", "p")
        assert name(page(pilot)) == "song b.wav"
