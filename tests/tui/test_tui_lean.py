"""Styles are parsed and rows painted only where something has changed."""

from __future__ import annotations

import pytest
from textual.content import Content
from textual.css.stylesheet import Stylesheet
from textual.geometry import Region

from tests.tui.tui_library import Opened, settle
from tui.actions import SCREENS
from tui.app import MusicHelperApp
from tui.widgets.rows import RowList


async def test_styles_are_parsed_anew_for_another_theme_only(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Stylesheet] = []
    reparse = Stylesheet.reparse

    def counted(self: Stylesheet) -> None:
        parsed.append(self)
        reparse(self)

    monkeypatch.setattr(Stylesheet, "reparse", counted)
    async with opened() as pilot:
        app = pilot.app
        assert isinstance(app, MusicHelperApp)
        for page in SCREENS:
            app.action_go(page)
            await settle(pilot)
        assert not parsed
        dark = {page: app._screen_stacks[page][0].styles.background for page in SCREENS}
        app.theme = "musichelper-light"
        await settle(pilot)
        assert len(parsed) == 1
        for page in SCREENS:  # also those that were not in front
            assert app._screen_stacks[page][0].styles.background.brightness > dark[page].brightness
            app.action_go(page)
            await settle(pilot)
        assert len(parsed) == 1


async def test_a_list_paints_the_rows_that_say_something_else(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"row {number}" for number in range(30)]
    async with opened(size=(80, 24)) as pilot:
        rows: RowList[str] = RowList(lambda row, _width: Content(row), key=str)
        await pilot.app.screen.mount(rows)
        rows.show(words)
        await settle(pilot)
        painted: list[int] = []

        def refresh(region: Region | None = None, **_others: object) -> None:
            painted.extend(range(30) if region is None else range(region.y, region.bottom))

        monkeypatch.setattr(rows, "refresh", refresh)
        rows.show(list(words))
        assert painted == []
        rows.show([*words[:2], "another", *words[3:]])
        assert painted == [2]
        painted.clear()
        rows.show(["before", *words])  # the cursor stays on its row
        assert rows.cursor == 1
        assert set(painted) >= set(range(rows.size.height))


async def test_a_line_is_as_wide_as_the_list(opened: Opened) -> None:
    async with opened(size=(80, 24)) as pilot:
        long = "一二三四五" * 30
        rows: RowList[str] = RowList(lambda row, _width: Content(row), key=str)
        await pilot.app.screen.mount(rows)
        rows.show([long, "short", "[red]no markup[/]"])
        await settle(pilot)
        lines = rows.render_lines(rows.size.region)[:4]
        assert {line.cell_length for line in lines} == {rows.scrollable_content_region.width}
        assert lines[2].text.startswith("[red]no markup[/]")
