"""The ways in which sound reaches the listener, and choosing one."""

from __future__ import annotations

import pytest

from assistant.config import PlaybackSettings, Settings
from tests.tui.tui_library import (
    Opened,
    press,
    screen_text,
    until,
)
from tui.screens.sound import SoundScreen
from tui.widgets.rows import RowList


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
