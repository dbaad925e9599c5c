"""Make the pictures of each page for the README, from the app itself on a small made library.

uv run python -m tests.tui.pictures [FOLDER]
uv run python -m tests.tui.pictures --views FOLDER      every view in two sizes and languages, to look at
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest

from assistant.config import Settings
from assistant.i18n import set_language
from assistant.library.library import Library, create_library
from tests.tui import views
from tests.tui.tui_library import add_clip, add_run, add_track, propose, settle, until, write_tone
from tui.app import MusicHelperApp

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SIZE = (100, 30)
PAGES = ("home", "intake", "label", "train", "generate", "runs", "settings")
SONGS = (
    ("Blue Corner.flac", ("jazz", 0.61), ("blues", 0.33), ("rock", 0.06)),
    ("After the Rain.mp3", ("classical", 0.72), ("jazz", 0.21), ("pop", 0.07)),
    ("夜空下的河.flac", ("pop", 0.80), ("rock", 0.14), ("jazz", 0.06)),
    ("Long Road North.ogg", ("country", 0.88), ("rock", 0.09), ("blues", 0.03)),
    ("Second Line.mp3", ("jazz", 0.93), ("blues", 0.05), ("disco", 0.02)),
)
COUNTS = {"blues": 7, "classical": 12, "country": 4, "jazz": 15, "pop": 9, "rock": 11}


def make_library(root: Path) -> Library:
    """Tracks of some genres, five to label, two that failed, two runs and three clips."""
    library = create_library(root)
    for genre, count in COUNTS.items():
        for number in range(count):
            add_track(library, f"{genre}/{genre} {number + 1}.wav", duration=180.0 + 7 * number)
    for place, (name, *top) in enumerate(SONGS):
        track = add_track(library, f"unknow/{Path(name).stem}.wav", duration=200.0 + 11 * place)
        write_tone(root / track.path, 110.0 * (place + 2), seconds=3.0)
        propose(library, track, *top)
    add_track(
        library, "rock/demo take 3.mp3", state="failed", reason="The file is cut off: its end is missing."
    )
    add_track(
        library, "unknow/notes.mp3", state="failed", reason="There are only tags in the file, no sound."
    )
    add_run(library, "my-jazz")
    add_run(library, "all-music", state="stopped", steps=40)
    for number, prompt in enumerate(("slow jazz with piano and brushes", "bright pop with guitar")):
        add_clip(library, f"clip {number + 1}.wav", prompt=prompt, model="my-jazz", seed=7 + number)
    day = 86400
    library.ledger._database.execute("UPDATE tracks SET changed = ?", (time.time() - 2 * day,))
    library.close()
    return library


async def take(root: Path, folder: Path) -> None:
    """One picture of each page, and of the first start."""
    app = MusicHelperApp(root, Settings(), watch=False)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.snapshot is not None)
        for page in PAGES:
            app.action_go(page)
            await settle(pilot)
            await settle(pilot)
            save(app, folder / f"{page}.svg")
    app = MusicHelperApp(root.parent / "New Music", Settings(), watch=False)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await settle(pilot)
        save(app, folder / "welcome.svg")


def save(app: MusicHelperApp, path: Path) -> None:
    """Write a picture without what it does not need: web fonts, clips around each line, long names."""
    picture = app.export_screenshot(title="musichelper")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', "", picture, flags=re.DOTALL)
    picture = re.sub(r' clip-path="url\([^)]*-line-\d+\)"', "", picture)
    picture = re.sub(r"terminal-\d+", "t", picture)
    path.write_text(picture, "utf-8")
    print(path, f"{path.stat().st_size / 1024:.0f} KiB")


async def take_views(root: Path, folder: Path, language: str) -> None:
    """Every view of the app in each size."""
    set_language(language)
    app = MusicHelperApp(root, views.SETTINGS, watch=False)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.snapshot is not None)
        for size in views.SIZES:
            async for name in views.walk(pilot, size):
                save(app, folder / f"{name}-{size[0]}x{size[1]}-{language}.svg")


def main() -> None:
    """Make them all."""
    if sys.argv[1:2] == ["--views"]:
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
            views.hold_still(patch, Path(home))
            root = views.make_library(Path(home) / "Music").root
            for language in views.LANGUAGES:
                asyncio.run(take_views(root, folder, language))
        return
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        root = Path(home) / "Music"
        make_library(root)
        asyncio.run(take(root, folder))


if __name__ == "__main__":
    main()
