"""Clips: rated, rejected and brought back, seen and heard, compared, varied, written as other files."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.i18n import set_language
from assistant.library.library import Library
from assistant.serving import client as serving
from assistant.serving.client import Clip
from tests.tui.recorder import recorder
from tests.tui.tui_library import (
    Opened,
    add_clip,
    press,
    screen_text,
    settle,
    text_of,
    until,
)
from tui.screens.compare_clips import CompareScreen
from tui.screens.export_clip import ExportScreen
from tui.screens.generate import GenerateScreen
from tui.widgets.clip_view import ClipView
from tui.widgets.mel_picture import MelPicture
from tui.widgets.rows import RowList


def view_of(pilot: Any) -> ClipView:
    view = pilot.app.screen.query_one(ClipView)
    assert isinstance(view, ClipView)
    return view


async def at_clips(pilot: Any) -> ClipView:
    view = view_of(pilot)
    await until(pilot, lambda: len(view.rows.rows) == 3)
    view.rows.focus()
    return view


async def test_clips_are_rated_favoured_noted_rejected_and_all_is_undone(
    opened: Opened, clips: Library
) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        view = await at_clips(pilot)
        await press(pilot, "4", "f")
        await until(pilot, lambda: clips.ledger.clips()[0].favourite)
        assert clips.ledger.clips()[0].rating == 4
        await until(pilot, lambda: "*4" in screen_text(pilot))
        await press(pilot, "N", *"nice", "enter")
        await until(pilot, lambda: clips.ledger.clips()[0].note == "nice")
        await press(pilot, "x")
        await until(pilot, lambda: len(view.rows.rows) == 2)
        assert not (clips.paths.clips / "3.wav").exists()
        assert [path.name for path in clips.paths.trash.iterdir()] == ["3-3.wav"]
        await press(pilot, "u")
        await until(pilot, lambda: len(view.rows.rows) == 3)
        assert (clips.paths.clips / "3.wav").exists()
        await press(pilot, "u", "u", "backspace", "u")
        await until(pilot, lambda: clips.ledger.clips()[0].rating == 0)
        await press(pilot, "U")
        await until(pilot, lambda: clips.ledger.clips()[0].rating == 4)


async def test_shelves_show_favourites_the_best_and_the_trash(opened: Opened, clips: Library) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        view = await at_clips(pilot)
        await press(pilot, "f", "o")
        await until(pilot, lambda: len(view.rows.rows) == 1)
        assert "favourites" in screen_text(pilot)
        await press(pilot, "x", "o")
        await until(pilot, lambda: "Nothing here" in screen_text(pilot))
        await press(pilot, "o")
        await until(pilot, lambda: len(view.rows.rows) == 1)
        await press(pilot, "x")
        await until(pilot, lambda: not view.rows.rows)
        assert (clips.paths.clips / "3.wav").exists()


async def test_a_clip_is_seen_heard_in_a_loop_and_sought(opened: Opened, clips: Library) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        await at_clips(pilot)
        player = recorder(pilot)
        await press(pilot, "space", "l", "full_stop")
        assert player.calls == [
            ("3.wav", 0.0, 0.0, False, ""),
            ("3.wav", 0.0, 0.0, True, ""),
            ("3.wav", 0.5, 0.0, True, ""),
        ]
        await press(pilot, "comma")
        assert player.calls[-1] == ("3.wav", 0.0, 0.0, True, "")
        await press(pilot, "p")
        picture = pilot.app.screen.query_one(MelPicture)
        await until(pilot, lambda: "▀" in str(picture.render()))
        pilot.app.theme = "ansi-dark"
        await pilot.pause()
        assert "█" in str(picture.render())
        await press(pilot, "p")
        assert not picture.display


async def test_two_clips_are_heard_by_turns_at_one_place_equally_loud_and_blind(
    opened: Opened, clips: Library
) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        await at_clips(pilot)
        player = recorder(pilot)
        await press(pilot, "b", "down", "b")
        screen = pilot.app.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: screen.comparison.lufs[0] is not None)
        screen.comparison.lufs = (-20.0, -14.0)
        await press(pilot, "a")
        player.at = 0.4
        await press(pilot, "tab")
        assert player.calls == [("3.wav", 0.0, 0.0, True, ""), ("2.wav", 0.4, -6.0, True, "")]
        await press(pilot, "m")
        assert player.calls[-1] == ("2.wav", 0.4, 0.0, True, "")
        await press(pilot, "space", "r", "h")
        assert player.now is None
        assert "seed" not in text_of(pilot, "#compare-a")
        await press(pilot, "b", "a")
        assert player.calls[-1][4] == "A"
        for _vote in range(4):
            best = screen.comparison.order.index(0)
            await press(pilot, str(best + 1))
        assert screen.comparison.votes == [4, 0]
        assert "4 blind votes" in text_of(pilot, "#compare-words")
        await press(pilot, "h")
        assert "4" in text_of(pilot, "#compare-words")
        assert "12%" in text_of(pilot, "#compare-words")
        await press(pilot, "escape")
        assert player.now is None


class Making:
    """Generates tones at once and remembers what for."""

    asked: list[Any] = []  # noqa: RUF012 - shared on purpose

    def __init__(self, library: Library) -> None:
        self.library = library

    def generate(self, spec: Any, on_event: Any = None) -> list[Clip]:
        self.asked.append(spec)
        seed = spec.seed if spec.seed is not None else 50
        name = f"made-{len(self.asked)}.wav"
        path = add_clip(self.library, name, **{**spec.as_dict(), "seed": seed})
        return [Clip(str(path), seed, 1.0, spec.model, spec.prompt)]

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


async def test_clips_are_varied_and_set_beside_the_base_and_followed(
    opened: Opened, clips: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "Generator", Making)
    Making.asked.clear()
    tuned = clips.paths.models / "tuned"
    tuned.mkdir(parents=True)
    for name in ("state_dict.bin", "compression_state_dict.bin"):
        (tuned / name).touch()
    card = {"kind": "fine-tuned", "base": "facebook/musicgen-small", "licence": "CC-BY-NC-4.0"}
    (tuned / "card.json").write_text(json.dumps(card))
    add_clip(clips, "tuned.wav", model="tuned", seed=11, prompt="by the tuned one", temperature=0.9)
    async with opened(mode="generate", size=(120, 40)) as pilot:
        page = pilot.app.screen
        assert isinstance(page, GenerateScreen)
        view = view_of(pilot)
        await until(pilot, lambda: len(view.rows.rows) == 4 and page._models)
        view.rows.focus()
        await press(pilot, "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        spec = Making.asked[0]
        assert (spec.model, spec.seed, spec.temperature) == ("facebook/musicgen-small", 11, 0.9)
        assert [side.path.name for side in pilot.app.screen.comparison.sides] == ["made-1.wav", "tuned.wav"]
        await press(pilot, "escape")
        assert page.values["model"] == "tuned"
        view.rows.mark(1)
        await press(pilot, "v")
        await until(pilot, lambda: len(Making.asked) == 2)
        assert (Making.asked[1].count, Making.asked[1].seed) == (4, None)
        await until(pilot, lambda: not page.bridge.engine.busy)
        await settle(pilot)
        await press(pilot, "t")
        assert str(page.values["melody"]).endswith("made-2.wav")
        assert page.values["continue_from"] is None
        await press(pilot, "c")
        assert page.values["melody"] is None


async def test_a_copy_is_written_with_its_recipe(
    opened: Opened, clips: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    async with opened(mode="generate", size=(120, 40)) as pilot:
        monkeypatch.setattr(pilot.app, "say", lambda text, **_how: said.append(text))
        await at_clips(pilot)
        await press(pilot, "w")
        screen = pilot.app.screen
        assert isinstance(screen, ExportScreen)
        screen.values.update(folder=str(tmp_path / "out"), format="flac", loudness=-20.0)
        await press(pilot, "w")
        await until(pilot, lambda: (tmp_path / "out" / "3.flac").exists())
        await until(pilot, lambda: any("3.flac" in text for text in said))


async def test_the_scrollbar_hides_no_length(opened: Opened, clips: Library) -> None:
    for number in range(30):
        add_clip(clips, f"more-{number}.wav", prompt="a prompt that is far too long for such a narrow list")
    async with opened(mode="generate") as pilot:
        await until(pilot, lambda: len(pilot.app.screen.query_one("#generate-clips", RowList).rows) >= 30)
        await until(pilot, lambda: screen_text(pilot).count("0:01") > 8)


async def test_keys_for_a_clip_say_that_there_is_none(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(mode="generate") as pilot:
        said: list[str] = []
        monkeypatch.setattr(pilot.app, "say", lambda word, **_others: said.append(word))
        keys = ("space", "f", "1", "x", "N", "b", "w", "r", "a", "v", "c", "t", "d", "comma")
        await press(pilot, *keys)
        assert said == ["There is no clip here."] * len(keys)
        assert isinstance(pilot.app.screen, GenerateScreen)


async def test_each_digit_to_five_is_a_rating(opened: Opened, clips: Library) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        await at_clips(pilot)
        for rating in (1, 2, 3, 4, 5):
            await press(pilot, str(rating))
            await until(pilot, lambda rating=rating: clips.ledger.clips()[0].rating == rating)  # type: ignore[misc]


async def test_wide_words_have_room_in_the_list(opened: Opened, clips: Library) -> None:
    async with opened(mode="generate", size=(120, 40)) as pilot:
        view = await at_clips(pilot)
        clip = replace(view.rows.rows[0], made=time.time() - 2.3 * 3600)
        set_language("zh_TW")
        line = view._line(clip, 60)
        assert line.cell_length <= 60
        assert line.plain.endswith("2.3 小時前")
