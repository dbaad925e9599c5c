"""Settings: at once on the screen, and in the file with its comments."""

from __future__ import annotations

from pathlib import Path

from assistant.config import load_settings
from assistant.i18n import set_language
from tests.tui.tui_library import Opened, screen_text, settle, until
from tui.widgets.form import Form


async def test_settings_change_at_once_and_are_saved_with_comments(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('# mine\n[interface]\ntheme = "musichelper" # dark\n')
    try:
        async with opened(mode="settings") as pilot:
            pilot.app.bridge._config_file = path
            form = pilot.app.screen.query_one(Form)
            await pilot.press("right")
            await settle(pilot)
            assert form.values["language"] == "zh_TW"
            form = pilot.app.screen.query_one(Form)
            form.mark(1)
            await pilot.press("right")
            assert pilot.app.theme == "musichelper-light"
            await pilot.press("w")
            await until(pilot, lambda: "zh_TW" in path.read_text())
        settings = load_settings(path)
        assert settings.interface.language == "zh_TW"
        assert settings.interface.theme == "musichelper-light"
        assert "# mine" in path.read_text()
        assert "player" not in path.read_text()
    finally:
        set_language("en")


async def test_settings_show_where_things_are(opened: Opened) -> None:
    async with opened(mode="settings") as pilot:
        shown = screen_text(pilot)
        assert "config.toml" in shown
        assert "~/Music" in shown
