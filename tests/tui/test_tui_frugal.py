"""What is left out when only changes are written stands on the terminal already."""

from __future__ import annotations

import random
from typing import Any

import pytest
from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from assistant.library.library import Library
from tests.tui.tui_library import Opened, add_clip, add_run, add_track, settle
from tui.actions import SCREENS
from tui.app import MusicHelperApp
from tui.frugal import Pieces, Shown, cells

PLAIN, BOLD = Style(), Style(bold=True)


class Glass:
    """A terminal: half of a wide character that is written over is gone."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, Style | None]] = {}

    def write(self, update: Any) -> None:
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                self._put(update.region.x, y, Strip.join(list(strips)))
        elif update is not None:
            assert isinstance(update, Pieces)
            for x, y, strip in update.pieces:
                self._put(x, y, strip)

    def _put(self, x: int, y: int, strip: Strip) -> None:
        if not self.cells.get((x, y), " ")[0]:
            self.cells[x - 1, y] = (" ", None)
        for text, style, _control in strip:
            for char in text:
                width = get_character_cell_size(char)
                self.cells[x, y] = (char, style)
                if width == 2:
                    self.cells[x + 1, y] = ("", style)
                x += width
        if not self.cells.get((x, y), " ")[0]:
            self.cells[x, y] = (" ", None)

    def line(self, y: int, width: int) -> list[tuple[str, Style | None]]:
        return [self.cells[x, y] for x in range(width)]


def strip_of(text: str, *styles: Style) -> Strip:
    return Strip([Segment(char, styles[place % len(styles)]) for place, char in enumerate(text)])


def chops(*lines: tuple[int, Strip]) -> ChopsUpdate:
    """An update of one piece a line."""
    return ChopsUpdate(
        [{x: strip} for x, strip in lines],
        [(y, x, x + strip.cell_length) for y, (x, strip) in enumerate(lines)],
        [[x + strip.cell_length] for x, strip in lines],
    )


def test_only_what_differs_is_written() -> None:
    shown = Shown()
    before = strip_of("the quick brown fox jumps over the dog", PLAIN)
    assert shown.changed(chops((0, before))) is not None
    assert shown.changed(chops((0, before))) is None
    found = shown.changed(chops((0, strip_of("the quick brown cat jumps over the dot", PLAIN))))
    assert isinstance(found, Pieces)
    assert [(x, y, strip.text) for x, y, strip in found.pieces] == [(16, 0, "cat"), (37, 0, "t")]
    shown.forget()
    assert shown.changed(chops((0, before))) is not None


def test_a_style_is_a_difference_and_wide_characters_are_written_whole() -> None:
    shown = Shown()
    shown.changed(chops((2, strip_of("歌曲 one", PLAIN))))
    found = shown.changed(chops((2, strip_of("歌声 one", PLAIN))))
    assert isinstance(found, Pieces)
    assert [(x, strip.text) for x, _y, strip in found.pieces] == [(4, "声")]
    found = shown.changed(chops((2, strip_of("歌声 one", BOLD))))
    assert isinstance(found, Pieces)
    assert [(x, strip.text) for x, _y, strip in found.pieces] == [(2, "歌声 one")]


def test_what_terminals_divide_differently_is_written_whole() -> None:
    shown = Shown()
    shown.changed(chops((0, strip_of("cafe\u0301 one", PLAIN))))
    found = shown.changed(chops((0, strip_of("cafe\u0301 two", PLAIN))))
    assert isinstance(found, Pieces)
    assert [(x, strip.text) for x, _y, strip in found.pieces] == [(0, "cafe\u0301 two")]


@pytest.mark.parametrize("seed", range(5))
def test_any_changes_give_the_same_screen(seed: int) -> None:
    chance = random.Random(seed)
    shown, whole, glass = Shown(), Glass(), Glass()

    def text(length: int) -> str:
        made = ""
        while len(made) < length:
            made += chance.choice(["a", "b", " ", "─", "歌", "曲"])
        return made

    lines = [Strip.join([strip_of(text(30), PLAIN, BOLD)]).adjust_cell_length(40) for _line in range(3)]
    full = LayoutUpdate([[line] for line in lines], Region(0, 0, 40, 3))
    whole.write(full)
    glass.write(shown.changed(full))
    for _step in range(60):
        x, width = chance.randrange(20), chance.randrange(1, 20)
        strips = [
            strip_of(text(width), chance.choice([PLAIN, BOLD]), PLAIN).adjust_cell_length(width)
            for _line in range(3)
        ]
        whole.write(Pieces([(x, y, strip) for y, strip in enumerate(strips)]))
        glass.write(shown.changed(chops(*((x, strip) for strip in strips))))
        for y in range(3):
            assert [char for char, _style in glass.line(y, 40)] == [char for char, _ in whole.line(y, 40)]


async def test_the_terminal_shows_what_the_app_means(
    opened: Opened, music: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(music, state="running")
    add_clip(music, "clip.wav")
    add_track(music, "unknow/夜空下的河.wav")
    music.close()
    glass = Glass()

    def display(app: MusicHelperApp, screen: object, update: Any) -> None:
        glass.write(app._shown.changed(update))

    monkeypatch.setattr(MusicHelperApp, "_display", display)
    async with opened(size=(80, 24)) as pilot:
        for page in SCREENS:
            pilot.app.action_go(page)
            for key in ("", "down", "n", "f1", "escape"):
                if key:
                    await pilot.press(key)
                await settle(pilot)
                for y, strip in enumerate(pilot.app.screen._compositor.render_strips()):
                    meant = cells([strip])
                    if meant is not None:
                        assert glass.line(y, 80) == meant, f"{page}, {key}, line {y}"


def test_lines_of_a_whole_screen_are_known() -> None:
    shown = Shown()
    shown.changed(LayoutUpdate([[strip_of("one", PLAIN), strip_of("two", PLAIN)]], Region(0, 0, 6, 1)))
    assert shown.changed(chops((0, strip_of("onetwo", PLAIN)))) is None
