"""Two hundred names that hurt programs, on every page: nothing breaks, nothing is lost, nothing is markup."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from assistant.library.library import Library
from tests.tui.test_tui_label_screen import ready
from tests.tui.tui_library import Opened, add_clip, add_run, add_track, propose, screen_text, settle
from tui.actions import SCREENS
from tui.text import visible

SEEDS = (
    "[bold red]loud[/]", "[/]", "[@click=app.exit]x[/]", "\\[red]", "[[", "]]", "[link=x]", "$accent",
    "\x1b[2Jclear", "\x1b]0;title\x07", "\x07bell", "tab\there", "line\nbreak", "cr\rback", "\x7fdel",
    "rtl\u202egpj", "zero\u200bwidth", "bom\ufeff", "soft\u00adhyphen", "\u2028line", "\u2066iso\u2069",
    "bad\udcff", "\udc80\udc81", "歌曲", "음악", "ｆｕｌｌ", "e\u0301", "👩‍👩‍👧", "🇹🇼", "①", "﷽",
    "%s%d%n", "{0}{name}", "$(reboot)", "`ls`", "; rm -rf", "'\"", "--help", "-", "~", " lead", "trail ",
    "...", "a" * 190, "歌" * 60, "CON", "nul", "\\", "*?", "|", "&amp;", "<b>", "#", "!", "^", "café",
)  # fmt: skip


def hostile_names(number: int) -> list[str]:
    """Distinct names made of the seeds, the same each time; none is longer than Linux allows."""
    dice = random.Random(7)
    names = list(SEEDS)
    while len(names) < number:
        name = dice.choice(SEEDS)[:40] + dice.choice((" ", "", "-")) + dice.choice(SEEDS)[:40]
        if name not in names and len(name.encode("utf-8", "surrogateescape")) < 200:
            names.append(name)
    return names


@pytest.fixture
def hostile(music: Library) -> list[str]:
    names = hostile_names(200)
    for place, name in enumerate(names):
        text = name.encode("utf-8", "replace").decode()
        if place % 4 == 0:
            add_track(music, f"rock/{name}.mp3", state="failed", reason=f"Bad {text}", hint=text)
        else:
            track = add_track(music, f"unknow/{name}.wav")
            propose(music, track, ("jazz", 0.3 + place / 400), (text[:20], 0.1))
        if place < 20:
            add_clip(music, f"clip {place}.wav", prompt=text)
    (music.root / "[red]genre[b] 歌\x1b[31m").mkdir()
    add_run(music, "[red]run[/]")
    music.close()
    return names


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_page_shows_every_name_as_text(
    opened: Opened, hostile: list[str], size: tuple[int, int]
) -> None:
    async with opened(size=size) as pilot:
        app = pilot.app
        for page in SCREENS:
            app.action_go(page)
            await settle(pilot)
            steps = 30 if page in ("intake", "label", "generate") else 1
            for step in range(steps):
                shown = screen_text(pilot)
                lines = shown.splitlines()
                assert len(lines) == size[1]
                assert all(cell_len(line) == size[0] for line in lines), page
                for bad in ("\x1b", "\u202e", "\u200b", "\x07", "\ufeff", "\udcff"):
                    assert bad not in shown
                assert app.is_running
                if step < steps - 1:
                    await pilot.press("pagedown")
            if page == "label":
                await ready(pilot)
                await pilot.press("slash")
                await settle(pilot)
                assert "[red]genre[b] 歌\\x1b[31m" in screen_text(pilot)
                await pilot.press("escape")
            if page == "intake":
                await pilot.press("home", "f", "enter")
                await settle(pilot)
                assert "Bad " in screen_text(pilot)
                await pilot.press("escape", "f")


def test_no_name_is_lost() -> None:
    """What is written in place of a name tells it from all others."""
    names = hostile_names(200)
    assert len({visible(name) for name in names}) == len(names) == 200
