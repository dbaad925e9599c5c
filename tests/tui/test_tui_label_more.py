"""Labelling beyond one key a track: hearing, captions, new genres, reasons, other queues, the place kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.content import Content
from textual.pilot import Pilot

from assistant.caption.files import Origin, write_caption
from assistant.classify.neighbours import Neighbour
from assistant.classify.predict import SegmentGuess
from assistant.config import Settings
from assistant.library.library import Library
from tests.tui.test_tui_label_screen import name, page, press, ready
from tests.tui.tui_library import Opened, screen_text, settle, until
from tui.label_sound import LabelSound
from tui.messages import WhyRead
from tui.screens.pick import PickScreen
from tui.widgets.rows import RowList


class Player:
    """What the app asks of its listening, written down."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.place = 0.0
        self.heard: list[tuple[str, float]] = []

    def play(self, path: Path, start: float = 0.0) -> None:
        self.path, self.place = path, start
        self.heard.append((path.name, start))

    def toggle(self, path: Path, start: float = 0.0) -> None:
        if self.path == path:
            self.stop()
        else:
            self.play(path, start)

    def stop(self) -> None:
        self.path = None

    def playing(self) -> Path | None:
        return self.path

    def position(self) -> float:
        return self.place


def listen(pilot: Pilot[None]) -> Player:
    """Put a player that can be looked at in place of the app's."""
    player, screen = Player(), page(pilot)
    screen._sound = LabelSound(player, screen.bridge.root)  # type: ignore[arg-type]
    return player


def lengthen(music: Library, seconds: float) -> None:
    """Let the ledger believe that the tracks are longer."""
    for track in music.ledger.tracks(state="ready"):
        music.ledger.update_track(track.id, duration=seconds)
    music.close()


async def test_arrows_seek_and_space_plays_from_there(opened: Opened, music: Library) -> None:
    lengthen(music, 100.0)
    async with opened(mode="label") as pilot:
        await ready(pilot)
        player = listen(pilot)
        await press(pilot, "right", "right", "left")
        assert player.heard == []
        assert "0:05 / 1:40" in screen_text(pilot)
        await press(pilot, "space")
        assert player.heard == [("song a.wav", 5.0)]
        assert "▶ 0:05 / 1:40" in screen_text(pilot)
        await press(pilot, "right")
        assert player.heard[-1] == ("song a.wav", 10.0)
        await press(pilot, *["left"] * 4)
        assert player.heard[-1] == ("song a.wav", 0.0)
        player.place = 42.0
        page(pilot).sound._sought = 0.0
        await press(pilot, "space")  # it stops, and would go on there
        assert player.path is None
        assert "0:42 / 1:40" in screen_text(pilot)
        await press(pilot, "n")
        assert "0:42" not in screen_text(pilot)


async def test_autoplay_plays_what_comes_and_stops_what_moves(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await ready(pilot)
        player = listen(pilot)
        page(pilot).sound.arrive(page(pilot).session.current, autoplay=False)
        await press(pilot, "t", "enter")
        assert player.heard == [("song b.wav", 0.0)]
        await press(pilot, "n", "t", "n")
        assert [heard for heard, _start in player.heard] == ["song b.wav", "song c.wav"]
        assert pilot.app.settings.interface.autoplay is False


def with_captions(music: Library) -> None:
    """Write the captions of the tracks as the intake does."""
    for track in music.ledger.tracks(state="ready"):
        info = (music.root / track.path).with_suffix(".json")
        assert track.wav is not None
        assert track.caption is not None
        (music.root / track.caption).unlink()
        origin = Origin(track.path.name, track.content, track.wav.name, "A", "B", "", 0.5, {}, {})
        write_caption(info, music.root / track.caption, origin, None, foreign=False)
        music.ledger.update_track(track.id, info=info.relative_to(music.root))
    music.close()


async def test_a_caption_is_written_in_place_and_letters_are_text(opened: Opened, music: Library) -> None:
    with_captions(music)
    file = music.root / "unknow/song a.txt"
    made = file.read_text("utf-8")
    async with opened(mode="label") as pilot:
        await until(pilot, lambda: made.strip() in screen_text(pilot))
        await press(pilot, "e")
        assert "Enter Save" in screen_text(pilot)
        await pilot.press(*" asx", "insert", "f9", "escape")
        await settle(pilot)
        assert name(page(pilot)) == "song a.wav"
        assert file.read_text("utf-8") == made
        await press(pilot, "e")
        await pilot.press(*" Slow.", "enter")
        await until(pilot, lambda: file.read_text("utf-8") == made.strip() + " Slow.\n")
        await until(pilot, lambda: "Slow." in screen_text(pilot))
        await press(pilot, "enter")  # and a key that decides decides again
        assert "Slow." in (music.root / "jazz/song a.txt").read_text("utf-8")


async def test_a_caption_without_its_json_is_written_all_the_same(opened: Opened, music: Library) -> None:
    file = music.root / "unknow/song a.txt"
    before = file.read_text("utf-8")
    async with opened(mode="label") as pilot:
        await until(pilot, lambda: before.strip() in screen_text(pilot))
        await press(pilot, "e")
        await pilot.press(*" Slow.", "enter")
        await until(pilot, lambda: "Caption saved." in screen_text(pilot))
        assert file.read_text("utf-8") == before.strip() + " Slow.\n"
        await press(pilot, "e")
        page(pilot).query_one("#label-edit").text = ""  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "no JSON any more" in screen_text(pilot))
        assert file.read_text("utf-8") == before.strip() + " Slow.\n"


async def test_an_empty_caption_brings_back_what_was_made(opened: Opened, music: Library) -> None:
    with_captions(music)
    file = music.root / "unknow/song a.txt"
    made = file.read_text("utf-8")
    async with opened(mode="label") as pilot:
        for text in ("My own words", ""):
            await press(pilot, "e")
            page(pilot).query_one("#label-edit").text = text  # type: ignore[attr-defined]
            await pilot.press("enter")
            await until(pilot, lambda text=text: file.read_text("utf-8") == (f"{text}\n" if text else made))  # type: ignore[misc]


async def test_a_genre_can_be_added_on_the_spot(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "slash")
        assert isinstance(pilot.app.screen, PickScreen)
        await pilot.press(*"acid/")
        await pilot.pause()
        assert "New genre" not in screen_text(pilot)
        await pilot.press("backspace")
        await until(pilot, lambda: "New genre: acid" in screen_text(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: (music.root / "acid/song a.wav").exists())
        await settle(pilot)
        assert "acid" in page(pilot).session.genres
        await press(pilot, "u")
        assert (music.root / "unknow/song a.wav").exists()


async def test_reasons_are_the_parts_and_the_neighbours(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(mode="label", size=(120, 40)) as pilot:
        screen = await ready(pilot)

        def read_why(asker: Any, track: int) -> None:
            parts = [SegmentGuess(0.0, "jazz", 0.9), SegmentGuess(0.25, "blues", 0.6)]
            near = [Neighbour(Path("jazz/jazz 1.wav"), None, "jazz", 0.87)]
            asker.post_message(WhyRead(track, parts, near))

        monkeypatch.setattr(screen.bridge, "read_why", read_why)
        await press(pilot, "i")
        shown = screen_text(pilot)
        assert "87% jazz" in shown
        assert "jazz 1.wav" in shown
        strip = str(screen.query_one("#label-segments").render())
        assert strip.startswith("6·")
        assert "1·" in strip
        await press(pilot, "i")
        assert "87% jazz" not in screen_text(pilot)


async def test_without_a_classifier_the_reasons_say_so(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "i")
        await until(pilot, lambda: "no trained classifier" in screen_text(pilot))


async def test_the_next_session_begins_where_this_one_was_left(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "o", "o", "o", "n", "n")
        assert name(page(pilot)) == "song c.wav"
        page(pilot).poll()
        await settle(pilot)
    async with opened(mode="label") as pilot:
        await ready(pilot)
        assert page(pilot).session.order == "folder"
        assert name(page(pilot)) == "song c.wav"
        assert "by folder" in screen_text(pilot)


async def choose_queue(pilot: Pilot[None], words: str) -> None:
    """Go to another queue by its name."""
    await press(pilot, "v")
    await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
    await pilot.press(*words)
    await pilot.press("enter")
    await settle(pilot)


async def test_flagged_tracks_can_be_gone_through(opened: Opened, music: Library) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "f", "x")
        await choose_queue(pilot, "flagged")
        await until(pilot, lambda: len(page(pilot).session.items) == 2)
        assert name(page(pilot)) == "song a.wav"
        await press(pilot, "enter")
        assert (music.root / "jazz/song a.wav").exists()
        await choose_queue(pilot, "waiting")
        await until(pilot, lambda: len(page(pilot).session.items) == 3)


async def test_wide_genres_have_room_in_the_queue(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        item = screen.session.items[0]
        screen.session.decided[item.track.id] = ("label", "爵士樂")
        line = screen.lines.queue_line(item, 40)
        assert line.cell_length <= 40
        assert line.plain.endswith(" 爵士樂")


async def test_contradicted_labels_are_moved_or_kept_and_asked_about_once(
    opened: Opened, music: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.classify import review

    found = [
        review.Suspicion("jazz/jazz 1.wav", "jazz", 0.1, "blues", 0.8),
        review.Suspicion("blues/blues 2.wav", "blues", 0.2, "jazz", 0.7),
    ]
    monkeypatch.setattr(review, "suspicious_labels", lambda _library, _on_event=None: found)
    async with opened(mode="label") as pilot:
        await choose_queue(pilot, "look for")
        await until(pilot, lambda: name(page(pilot)) == "jazz 1.wav")
        await ready(pilot)
        assert "in jazz, sounds like blues" in screen_text(pilot)
        await press(pilot, "enter")
        assert (music.root / "blues/jazz 1.wav").exists()
        await press(pilot, "down", "enter")  # its own genre: it stays
        assert (music.root / "blues/blues 2.wav").exists()
        await choose_queue(pilot, "look for")
        await settle(pilot)
        assert "No label is contradicted" in screen_text(pilot)
        await press(pilot, "u")
        await choose_queue(pilot, "labels the sound")
        await until(pilot, lambda: name(page(pilot)) == "blues 2.wav")


async def test_progress_has_a_rate_and_what_is_left(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await press(pilot, "enter", "enter")
        shown = screen_text(pilot)
        assert "2 labelled" in shown
        assert "a minute" in shown
        assert "left" in shown


async def test_autoplay_can_be_configured(opened: Opened) -> None:
    settings = Settings()
    interface = msgspec.structs.replace(settings.interface, autoplay=True)
    async with opened(
        mode="settings", settings=msgspec.structs.replace(settings, interface=interface)
    ) as pilot:
        await settle(pilot)
        shown = screen_text(pilot)
        assert "Autoplay" in shown
        assert "on" in shown


async def test_a_step_draws_two_lines_of_the_queue(opened: Opened) -> None:
    async with opened(mode="label") as pilot:
        await ready(pilot)
        rows = pilot.app.screen.query_one("#label-queue", RowList)
        drawn, draw = [], rows._draw

        def counted(row: object, width: int) -> Content:
            drawn.append(row)
            line: Content = draw(row, width)
            return line

        rows._draw = counted
        await pilot.press("n")
        await settle(pilot)
        assert len(drawn) == 2


async def test_a_hundred_thousand_tracks_cost_no_time_at_a_key(opened: Opened) -> None:
    from dataclasses import replace

    async with opened(mode="label") as pilot:
        screen = await ready(pilot)
        one = screen.session.items[0]
        screen.session.items = [
            replace(one, track=replace(one.track, id=1000 + number)) for number in range(100_000)
        ]
        screen.details.clear()
        screen.paint()
        taken = []
        for _key in range(20):
            began = time.process_time()
            screen.action_browse(1)
            taken.append(time.process_time() - began)
        assert sorted(taken)[10] < 0.05
