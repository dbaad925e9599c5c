"""Training's views, the history of runs, judging and comparing clips, and how sound is heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.config import PlaybackSettings, Settings
from assistant.library.library import Library
from assistant.musicgen import client as training
from assistant.runs.marks import read_marks
from assistant.runs.record import RunRecord, run_folder, write_record
from assistant.serving import client as serving
from assistant.serving.client import Clip
from tests.tui.tui_library import (
    Opened,
    add_clip,
    add_codebooks_and_samples,
    add_run,
    screen_text,
    settle,
    text_of,
    until,
)
from tui.screens.compare_clips import CompareScreen
from tui.screens.compare_runs import CompareRunsScreen
from tui.screens.dialog import TextDialog
from tui.screens.export_clip import ExportScreen
from tui.screens.generate import GenerateScreen
from tui.screens.prompt import PromptScreen
from tui.screens.sound import SoundScreen
from tui.widgets.clip_view import ClipView
from tui.widgets.form import Form
from tui.widgets.mel_picture import MelPicture
from tui.widgets.rows import RowList
from tui.widgets.run_panel import RunPanel
from tui.widgets.sample_list import SampleList


class Recorder:
    """A player that plays nothing and remembers all."""

    kind, heard, sentence, problem, link, command = "device", True, "", "", "", ""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, float, bool, str]] = []
        self.now: Path | None = None
        self.at = 0.0

    def play(
        self, path: Path, start: float = 0.0, *, gain: float = 0.0, loop: bool = False, title: str = ""
    ) -> None:
        self.calls.append((path.name, round(start, 2), round(gain, 1), loop, title))
        self.now, self.at = path, start

    def stop(self) -> None:
        self.now = None

    def playing(self) -> Path | None:
        return self.now

    def position(self) -> float:
        return self.at

    def close(self) -> None:
        self.now = None


def recorder(pilot: Any) -> Recorder:
    player = Recorder()
    pilot.app.bridge.listening._player = player
    return player


async def press(pilot: Any, *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


# Runs


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


# The form of a fine-tune

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


# Clips


@pytest.fixture
def clips(music: Library) -> Iterator[Library]:
    for number in (1, 2, 3):
        add_clip(music, f"{number}.wav", prompt=f"prompt {number}", seed=number)
    yield music
    music.close()


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
        await press(pilot, "a")
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


async def test_a_prompt_is_taken_from_earlier_ones_or_captions(opened: Opened, clips: Library) -> None:
    (clips.root / "jazz/jazz 1.txt").write_text("A smoky [trio] piece.")
    async with opened(mode="generate") as pilot:
        page = pilot.app.screen
        assert isinstance(page, GenerateScreen)
        await until(pilot, lambda: page._captions and len(view_of(pilot).rows.rows) == 3)
        await press(pilot, "e", "up")
        assert isinstance(pilot.app.screen, PromptScreen)
        await press(pilot, "up", "up", "enter")
        assert page.values["prompt"] == "prompt 1"
        await press(pilot, "slash", *["backspace"] * 8, *"SMOKY")
        rows = pilot.app.screen.query_one(RowList)
        assert [(one.source, one.text) for one in rows.rows] == [("jazz", "A smoky [trio] piece.")]
        await press(pilot, "up", "enter")
        assert page.values["prompt"] == "A smoky [trio] piece."


# Sound


async def test_the_ways_of_sound_are_told_and_chosen(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 2222")
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    copied: list[str] = []
    settings = Settings(playback=PlaybackSettings(player="browser", port=0, command="true {file}"))
    async with opened(settings=settings, size=(120, 40)) as pilot:
        monkeypatch.setattr(pilot.app, "copy_to_clipboard", copied.append)
        await press(pilot, "P")
        assert isinstance(pilot.app.screen, SoundScreen)
        await until(pilot, lambda: "ssh -L" in screen_text(pilot))
        assert "in use" in screen_text(pilot)
        await press(pilot, "y", "l")
        assert copied[0].startswith("ssh -L ")
        assert copied[0].split(":")[0].split()[-1] in copied[1]
        rows = pilot.app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) == 5)
        kinds = [way.kind for way in rows.rows]
        rows.mark(kinds.index("pulse"))
        await press(pilot, "enter")
        assert pilot.app.bridge.listening.kind == "browser"
        rows.mark(kinds.index("command"))
        await press(pilot, "enter")
        await until(pilot, lambda: "played by your command" in screen_text(pilot))
        await press(pilot, "escape")


async def test_the_scrollbar_hides_no_length(opened: Opened, clips: Library) -> None:
    for number in range(30):
        add_clip(clips, f"more-{number}.wav", prompt="a prompt that is far too long for such a narrow list")
    async with opened(mode="generate") as pilot:
        await until(pilot, lambda: len(pilot.app.screen.query_one("#generate-clips", RowList).rows) >= 30)
        await until(pilot, lambda: screen_text(pilot).count("0:01") > 8)
