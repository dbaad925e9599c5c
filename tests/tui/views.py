"""Every screen and dialog of the app, gone through with its keys; for snapshots and for looking at."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from assistant.config import PlaybackSettings, Settings
from assistant.doctor import Check
from assistant.library.library import Library, create_library
from assistant.runs.record import run_folder, write_record
from tests.tui.tui_library import (
    add_clip,
    add_codebooks_and_samples,
    add_run,
    add_track,
    propose,
    settle,
    until,
)
from tui.screens.label import LabelScreen

NOW = 1_800_000_000.0
DAY = 86400.0
SIZES = [(80, 24), (120, 40)]
LANGUAGES = ["en", "zh_TW"]


@dataclass(frozen=True)
class View:
    """A page, the keys to what is looked at on it, and the keys back."""

    name: str
    page: str
    keys: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


def dialog(name: str, page: str, *keys: str) -> View:
    return View(name, page, keys, ("escape",))


VIEWS = (
    View("home", "home"),
    View("intake", "intake"),
    View("intake-failed", "intake", ("f",), ("f",)),
    dialog("intake-details", "intake", "enter"),
    View("label", "label"),
    View("label-why", "label", ("i",), ("i",)),
    dialog("label-caption", "label", "e"),
    dialog("label-genre", "label", "slash"),
    dialog("label-all", "label", "A"),
    dialog("label-review", "label", "v"),
    dialog("help", "label", "f1"),
    View("train", "train"),
    View("train-run", "train", ("v",)),
    View("train-codebooks", "train", ("2",)),
    View("train-samples", "train", ("3",)),
    View("train-machine", "train", ("4",)),
    View("train-log", "train", ("5",), ("1", "v")),
    dialog("help-train", "train", "f1"),
    View("generate", "generate"),
    dialog("generate-prompt", "generate", "e"),
    dialog("generate-model", "generate", "m"),
    View("generate-clips", "generate", ("tab",)),
    View("generate-mel", "generate", ("p",), ("p",)),
    dialog("generate-recipe", "generate", "r"),
    dialog("generate-export", "generate", "w"),
    View("generate-compare", "generate", ("home", "b", "down", "b"), ("escape", "tab", "escape")),
    View("runs", "runs"),
    dialog("runs-details", "runs", "enter"),
    dialog("runs-compare", "runs", "m", "down", "m", "c"),
    View("settings", "settings"),
    dialog("sound", "settings", "P"),
    dialog("palette", "settings", "ctrl+p"),
)


def make_library(root: Path) -> Library:
    """Some of everything, with names in several scripts."""
    library = create_library(root)
    for genre, count in {"blues": 3, "jazz": 4, "rock": 2}.items():
        for number in range(count):
            add_track(library, f"{genre}/{genre} {number + 1}.wav", duration=180.0 + 7 * number)
    songs = (
        "Blue Corner",
        "夜空下的河",
        "Long Road North",
        "Second Line, which has a very long name (2019)",
    )
    for place, name in enumerate(songs):
        track = add_track(library, f"unknow/{name}.wav", duration=200.0 + 11 * place)
        propose(library, track, ("jazz", 0.9 - place / 10), ("blues", 0.06 + place / 12), ("rock", 0.02))
    add_track(library, "unknow/nothing known.wav", duration=61.0)
    reason = "The file is cut off: its end is missing."
    add_track(library, "rock/demo take 3.mp3", state="failed", reason=reason, hint="Copy it again.")
    add_codebooks_and_samples(library, add_run(library, "my-jazz"))
    other = add_run(library, "all-music", state="failed", steps=40)
    error = {"title": "The memory of the GPU is full.", "hint": "Try a smaller batch.", "kind": "memory"}
    write_record(run_folder(library, other.id), replace(other, created=other.created - DAY, error=error))
    for number, prompt in enumerate(("slow jazz with piano and brushes", "明亮的流行樂，有吉他")):
        add_clip(library, f"clip {number + 1}.wav", prompt=prompt, model="my-jazz", seed=7 + number)
    library.ledger._database.execute("UPDATE tracks SET changed = ?", (NOW - 3 * DAY,))
    library.close()
    return library


def hold_still(patch: pytest.MonkeyPatch, home: Path) -> None:
    """One moment on one machine, whatever this one is."""
    patch.setattr(time, "time", lambda: NOW)
    patch.setenv("TZ", "UTC")
    time.tzset()
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("PULSE_SERVER", "DISPLAY", "WAYLAND_DISPLAY"):
        patch.delenv(name, raising=False)
    patch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    patch.setattr("getpass.getuser", lambda: "ann")
    patch.setattr("secrets.token_urlsafe", lambda _bytes: "a-word-that-nobody-guesses")
    patch.setattr("assistant.runs.gpu.gpus", list)
    patch.setattr("tui.following._load", lambda _device, _cards: (0.6, 0.4))
    patch.setattr("assistant.doctor.checks", lambda *_settings: CHECKS)
    patch.setattr("assistant.playback.sound.sound_device", lambda **_how: None)
    patch.setattr("assistant.playback.sound.pulse_server", lambda: None)


SETTINGS = Settings(playback=PlaybackSettings(port=0))
CHECKS = [
    Check("python", True, "3.11", title="Python"),
    Check("gpu", False, "There is none.", "Training takes hours without one.", "GPU"),
    Check("ffmpeg", False, "It is not installed.", "Install ffmpeg.", "ffmpeg", needed=True),
]


async def walk(pilot: Pilot[None], size: tuple[int, int]) -> AsyncIterator[str]:
    """Go to each view in turn; gives its name once it is painted."""
    app: Any = pilot.app
    await pilot.resize_terminal(*size)
    await settle(pilot)
    for view in VIEWS:
        if app.current_mode != view.page:
            app.action_go(view.page)
            await settle(pilot)
            await settle(pilot)
        for key in view.keys:
            if isinstance(app.screen, LabelScreen):
                await until(pilot, lambda: app.screen._painted is not None)
                app.screen.guard_seconds = 0.0
            await pilot.press(key)
            await settle(pilot)
        await settle(pilot)
        yield view.name
        for key in view.back:
            await pilot.press(key)
            await settle(pilot)


def picture(pilot: Pilot[None]) -> str:
    """The screen as text; below it the styles of each line as letters with counts, and what they mean."""
    letters: dict[str, str] = {}
    lines, styles = [], []
    for strip in pilot.app.screen._compositor.render_strips():
        lines.append(strip.text.rstrip())
        runs: list[list[Any]] = []
        for text, style, _control in strip:
            name = str(style.without_color + style.background_style) if style else ""
            if style and style.color:
                name = f"{name} {style.color.name}"
            letter = letters.setdefault(name, chr(ord("a") + len(letters)))
            if runs and runs[-1][0] == letter:
                runs[-1][1] += len(text)
            else:
                runs.append([letter, len(text)])
        styles.append("".join(f"{letter}{count}" for letter, count in runs))
    meanings = [f"{letter}: {name}" for name, letter in letters.items()]
    shown = re.sub(r"(?<=127\.0\.0\.1:)\d{5}|(?<=-L )\d{5}", "55555", "\n".join(lines))  # any free port
    return "\n".join([shown, "", *styles, "", *meanings, ""])
