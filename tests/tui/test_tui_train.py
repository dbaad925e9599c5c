"""Starting, watching and holding a fine-tune; its form and what the preflight answers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from textual.widgets import Input

from assistant.library.library import Library
from assistant.musicgen import client as training
from assistant.runs.control import request
from assistant.runs.record import list_runs
from tests.tui.tui_library import (
    Opened,
    add_codebooks_and_samples,
    add_run,
    press,
    screen_text,
    settle,
    text_of,
    until,
)
from tui.screens.dialog import ConfirmDialog, TextDialog
from tui.screens.page import Page
from tui.screens.pick import PickScreen
from tui.screens.runs import ask_run
from tui.widgets.form import Form
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel
from tui.widgets.sample_list import SampleList


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


async def test_the_classifier_is_trained_from_here_too(opened: Opened, runs: Library) -> None:
    async with opened(mode="train") as pilot:
        await press(pilot, "c")
        await until(pilot, lambda: any(run.kind == "classifier" for run in list_runs(runs)))


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


FOUND = {
    "tracks": 6,
    "held_out": 1,
    "seconds_of_music": 100.0,
    "steps": 300,
    "passes": 3.0,
    "method": "lora",
    "seconds_per_step": 0.5,
    "seconds": 150.0,
    "memory_bytes": 95,
    "memory_total": 100,
    "disk_bytes": 10,
    "disk_free": 100,
    "device": "cpu",
    "precision": "float32",
    "reasons": ["Rank 32."],
    "warnings": ["2 tracks are clipped."],
}


async def test_the_preflight_answers_beside_the_form(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_ahead(_library: Library, spec: Any, on_event: Any = None) -> dict[str, Any]:
        asked.append(spec)
        on_event({"event": "preparing", "what": "tokens"})
        return FOUND

    monkeypatch.setattr(training, "look_ahead", look_ahead)
    async with opened(mode="train", size=(120, 40)) as pilot:
        assert "tries two steps" in text_of(pilot, "#train-notes")
        await press(pilot, "d")
        await until(pilot, lambda: "About 2:30 in all" in text_of(pilot, "#train-notes"))
        notes = text_of(pilot, "#train-notes")
        assert "Rank 32." in notes
        assert "! 2 tracks are clipped." in notes
        assert asked[0].steps == 300
        pilot.app.screen.query_one("#train-form", Form).put("steps", 10)
        await settle(pilot)
        assert "The form has changed since" in text_of(pilot, "#train-notes")


async def test_each_setting_says_what_it_means(opened: Opened) -> None:
    for mode in ("train", "generate"):
        async with opened(mode=mode) as pilot:
            form = pilot.app.screen.query_one(f"#{mode}-form", Form)
            for place, field in enumerate(form.rows):
                form.mark(place)
                await pilot.pause()
                assert field.help
                assert field.help in text_of(pilot, f"#{mode}-help")


async def test_a_digit_shows_that_side_of_the_run_also_from_the_form(opened: Opened, music: Library) -> None:
    add_codebooks_and_samples(music, add_run(music))
    async with opened(mode="train", size=(120, 40)) as pilot:
        panel = pilot.app.screen.query_one(RunPanel)
        lens = panel.lens
        await press(pilot, "t", "l", "plus")  # of curves that are not in sight
        assert panel.lens == lens
        await press(pilot, "3")
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, SampleList))
        assert "step 60" in screen_text(pilot)
        await press(pilot, "v")
        assert isinstance(pilot.app.screen.focused, Form)


async def test_without_a_run_a_digit_says_so(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(mode="train") as pilot:
        said: list[str] = []
        monkeypatch.setattr(pilot.app, "say", lambda word, **_others: said.append(word))
        await press(pilot, "2")
        assert said == ["There is no run yet. s starts one."]
        assert isinstance(pilot.app.screen.focused, Form)


async def test_curves_of_a_run_are_looked_at_otherwise(opened: Opened, music: Library) -> None:
    add_run(music)
    async with opened(mode="train", size=(120, 40)) as pilot:
        await press(pilot, "v")
        panel = pilot.app.screen.query_one(RunPanel)
        await until(pilot, lambda: "held out" in screen_text(pilot))
        await press(pilot, "t", "l", "plus", "comma", "comma")
        assert (panel.lens.time, panel.lens.log, panel.lens.zoom) == (True, True, 1)
        back = panel.lens.back
        assert back
        await press(pilot, "full_stop", "minus", "l", "t")
        assert (panel.lens.time, panel.lens.log, panel.lens.zoom) == (False, False, 0)


async def test_a_run_is_done_once_more_and_its_model_generates(opened: Opened, music: Library) -> None:
    add_run(music)
    async with opened(mode="train", size=(120, 40)) as pilot:
        await press(pilot, "v", "e")
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, Form))
        await press(pilot, "v", "g")
        await until(pilot, lambda: pilot.app.current_mode == "generate")
