"""The history of runs: curves, samples, tags and notes, comparing."""

from __future__ import annotations

import json

from assistant.library.library import Library
from assistant.runs.marks import read_marks
from assistant.runs.record import RunRecord, run_folder, write_record
from tests.tui.recorder import recorder
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
from tui.screens.compare_clips import CompareScreen
from tui.screens.compare_runs import CompareRunsScreen
from tui.screens.dialog import TextDialog
from tui.screens.page import Page
from tui.widgets.form import Form
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel
from tui.widgets.sample_list import SampleList


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


async def test_all_sides_of_a_run_have_a_digit(opened: Opened, music: Library) -> None:
    add_codebooks_and_samples(music, add_run(music))
    async with opened(mode="runs", size=(120, 40)) as pilot:
        player = recorder(pilot)
        await until(pilot, lambda: "held out" in screen_text(pilot))
        assert "went back to a good state 1 time" in screen_text(pilot)
        await press(pilot, "2")
        await until(pilot, lambda: "codebook 4" in screen_text(pilot))
        await press(pilot, "3")
        samples = pilot.app.screen.query_one(SampleList)
        assert [sample.step for sample in samples.rows] == [60, 0]
        await press(pilot, "enter", "b")
        assert [call[0] for call in player.calls] == ["0.wav", "0.wav"]
        await press(pilot, "a")
        assert isinstance(pilot.app.screen, CompareScreen)
        await press(pilot, "escape")
        await press(pilot, "4")
        assert "No GPU" in screen_text(pilot) or "cuda" in screen_text(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: "the [red]last[/] line" in screen_text(pilot))
        await press(pilot, "1")
        await until(pilot, lambda: "smoothed" in screen_text(pilot))


async def test_curves_are_looked_at_over_time_on_a_log_axis_and_near(opened: Opened, music: Library) -> None:
    add_run(music)
    async with opened(mode="runs", size=(120, 40)) as pilot:
        await until(pilot, lambda: "held out" in screen_text(pilot))
        panel = pilot.app.screen.query_one(RunPanel)
        await press(pilot, "t")
        assert "over time" in screen_text(pilot)
        await press(pilot, "t", "l", "plus", "plus", "comma")
        assert (panel.lens.log, panel.lens.zoom, panel.lens.back) == (True, 2, 1)
        assert "log, 4×" in screen_text(pilot)
        assert panel.lens.window(80.0) == (50.0, 70.0)
        await press(pilot, "full_stop", "minus", "minus")
        assert panel.lens.window(80.0) == (0.0, 80.0)


async def test_runs_get_tags_and_notes_and_are_sorted(opened: Opened, music: Library) -> None:
    add_run(music, "alpha")
    second = add_run(music, "beta")
    async with opened(mode="runs", size=(120, 40)) as pilot:
        rows = pilot.app.screen.query_one("#runs-rows", RowList)
        await until(pilot, lambda: len(rows.rows) == 2)
        await press(pilot, "o")
        assert [run.name for run in rows.rows] == ["alpha", "beta"]
        assert "by name" in screen_text(pilot)
        rows.mark(1)
        await press(pilot, "T", *"good drums", "enter")
        await until(pilot, lambda: "#good #drums" in screen_text(pilot))
        await press(pilot, "n", *"listen again", "enter")
        await until(pilot, lambda: read_marks(music, second.id).note == "listen again")
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, TextDialog)
        assert "listen again" in screen_text(pilot)
        await press(pilot, "escape", "o", "o", "o")
        assert [run.name for run in rows.rows] == ["beta", "alpha"]  # with a tag first


async def test_runs_are_compared_by_curves_and_settings(opened: Opened, music: Library) -> None:
    for name, rate in (("slow", 1e-5), ("fast", 1e-3), ("same", 1e-3)):
        run = add_run(music, name)
        values = json.loads((run_folder(music, run.id) / "run.json").read_text())
        write_record(
            run_folder(music, run.id), RunRecord(**{**values, "spec": {"learning_rate": rate, "steps": 60}})
        )
    async with opened(mode="runs", size=(120, 40)) as pilot:
        await until(pilot, lambda: len(pilot.app.screen.query_one("#runs-rows", RowList).rows) == 3)
        await press(pilot, "c")
        assert not isinstance(pilot.app.screen, CompareRunsScreen)
        await press(pilot, "m", "down", "m", "down", "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareRunsScreen))
        await settle(pilot)
        table = text_of(pilot, "#compare-table")
        assert "learning_rate" in table
        assert "1e-05" in table
        assert "steps " not in table.split("learning_rate")[1]
        assert "Smoothed loss" in text_of(pilot, "#compare-title")
        await press(pilot, "v", "t", "l", "plus", "comma", "full_stop", "minus")
        assert "Held-out loss" in text_of(pilot, "#compare-title")
        await press(pilot, "escape")


async def test_a_run_that_lacked_memory_is_tried_again_with_smaller_batches(
    opened: Opened, music: Library
) -> None:
    run = add_run(music, state="failed")
    values = json.loads((run_folder(music, run.id) / "run.json").read_text())
    error = {"title": "The memory was not enough.", "hint": "Less.", "kind": "memory"}
    spec = {"batch_size": 4, "accumulation": 2, "steps": 77, "preset": "style", "genres": ["jazz"]}
    write_record(run_folder(music, run.id), RunRecord(**{**values, "error": error, "spec": spec}))
    async with opened(mode="runs") as pilot:
        await until(pilot, lambda: "memory was not enough" in screen_text(pilot))
        await press(pilot, "e")
        await until(pilot, lambda: pilot.app.current_mode == "train")
        await settle(pilot)
        form = pilot.app.screen.query_one("#train-form", Form)
        kept = {name: form.values[name] for name in ("batch_size", "accumulation", "steps", "genres")}
        assert kept == {"batch_size": 2, "accumulation": 4, "steps": 77, "genres": ("jazz",)}
