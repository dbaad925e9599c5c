"""From a prompt to clips: the form, the models, progress, stopping."""

from __future__ import annotations

import time
from typing import Any

import pytest

from assistant.config import PlaybackSettings, Settings
from assistant.library.library import Library
from assistant.serving import client
from tests.tui.tui_library import (
    Opened,
    add_clip,
    press,
    screen_text,
    settle,
    text_of,
    until,
)
from tui import generating
from tui.messages import Generated
from tui.screens.dialog import ConfirmDialog, TextDialog
from tui.screens.generate import GenerateScreen
from tui.screens.pick import PickScreen
from tui.screens.prompt import PromptScreen
from tui.widgets.clip_view import ClipView
from tui.widgets.form import Form
from tui.widgets.rows import RowList


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


async def test_a_prompt_is_taken_from_earlier_ones_or_captions(opened: Opened, clips: Library) -> None:
    (clips.root / "jazz/jazz 1.txt").write_text("A smoky [trio] piece.")
    async with opened(mode="generate") as pilot:
        page = pilot.app.screen
        assert isinstance(page, GenerateScreen)
        await until(pilot, lambda: page._captions and len(page.query_one(ClipView).rows.rows) == 3)
        await press(pilot, "e", "up")
        assert isinstance(pilot.app.screen, PromptScreen)
        await press(pilot, "up", "up", "enter")
        assert page.values["prompt"] == "prompt 1"
        await press(pilot, "slash", *["backspace"] * 8, *"SMOKY")
        rows = pilot.app.screen.query_one(RowList)
        assert [(one.source, one.text) for one in rows.rows] == [("jazz", "A smoky [trio] piece.")]
        await press(pilot, "up", "enter")
        assert page.values["prompt"] == "A smoky [trio] piece."
