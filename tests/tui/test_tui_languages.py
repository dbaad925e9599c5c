"""Each page in both languages and sizes: every line as wide as the screen, no sentence cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widget import Widget

from assistant.config import Settings
from assistant.i18n import set_language
from assistant.library.library import Library
from tests.tui.tui_library import Opened, add_clip, add_run, screen_text, settle, until
from tui.actions import SCREENS
from tui.app import MusicHelperApp
from tui.theme import THEMES
from tui.widgets.prose import Prose

SIZES = [(80, 24), (120, 40)]
LANGUAGES = ["en", "zh_TW"]


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    set_language(request.param)
    yield request.param
    set_language("en")


def check(pilot: Pilot[None], size: tuple[int, int], language: str) -> None:
    """What is on the screen is as wide as it, whole, and in the language."""
    shown = screen_text(pilot)
    lines = shown.splitlines()
    assert [cell_len(line) for line in lines] == [size[0]] * size[1]
    for prose in pilot.app.screen.query(Prose):
        scrolls = any(
            isinstance(parent, Widget) and parent.show_vertical_scrollbar for parent in prose.ancestors
        )
        if prose.region and not scrolls and prose.id != "intake-reason":
            assert prose.get_content_height(prose.size, prose.size, prose.content_size.width) <= (
                prose.content_size.height
            ), f"{prose.id}: {shown}"
    if language == "zh_TW":
        assert any("\u4e00" <= char <= "\u9fff" for char in shown)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_each_page_and_dialog(
    opened: Opened, music: Library, language: str, size: tuple[int, int]
) -> None:
    add_run(music)
    add_clip(music, "clip.wav")
    music.close()
    settings = Settings()
    async with opened(size=size, settings=settings) as pilot:
        for page in SCREENS:
            pilot.app.action_go(page)
            await settle(pilot)
            await settle(pilot)
            check(pilot, size, language)
            for key in {"label": ("slash", "A", "v", "f1"), "settings": ("f1",), "intake": ("enter",)}.get(
                page, ()
            ):
                await settle(pilot)
                await until(pilot, lambda: getattr(pilot.app.screen, "_painted", 1.0) is not None)
                if hasattr(pilot.app.screen, "guard_seconds"):
                    pilot.app.screen.guard_seconds = 0.0
                await pilot.press(key)
                await settle(pilot)
                await until(pilot, lambda: pilot.app.screen.is_modal)
                await settle(pilot)
                check(pilot, size, language)
                await pilot.press("escape")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    app = MusicHelperApp(tmp_path / "Music", Settings(), watch=False)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await until(pilot, lambda: len(pilot.app.screen.query_one("#welcome-choices").rows) > 3)  # type: ignore[attr-defined]
        await settle(pilot)
        check(pilot, size, language)
        assert "■ " in screen_text(pilot)


@pytest.mark.parametrize("theme", THEMES)
async def test_each_theme_shows_which_line_is_marked(opened: Opened, theme: str) -> None:
    async with opened(mode="intake") as pilot:
        pilot.app.theme = theme
        await settle(pilot)
        styles = [
            {segment.style.bgcolor for segment in strip if segment.style}
            for strip in pilot.app.screen._compositor.render_strips()
        ]
        marked, other = styles[5], styles[7]
        assert marked != other


async def test_without_colour_the_marked_line_is_seen_and_nothing_is_coloured(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(mode="intake") as pilot:
        await settle(pilot)
        rows = pilot.app.screen.query_one("#intake-rows")
        rows.refresh()
        strip = rows.render_lines(rows.size.region)[0]
        for segment in strip:
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                if colour is not None and colour.triplet is not None:
                    red, green, blue = colour.triplet
                    assert red == green == blue
