"""Settings that are changed in the app, and where all others are."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from assistant.config import config_path
from assistant.i18n import _, language
from tui.messages import PlayerReady
from tui.screens.page import Page, page_bindings
from tui.theme import THEMES
from tui.widgets.form import Field, Form, Option
from tui.widgets.header import home_short
from tui.widgets.prose import Passage, Prose

LANGUAGE_NAMES = {"en": "English", "zh_TW": "繁體中文"}


class SettingsScreen(Page):
    """Each change is seen at once; w writes them into the file."""

    SCOPE = "settings"
    BINDINGS = page_bindings("settings")

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {
            "language": language(),
            "theme": self.app.theme,
            "player": self.app.settings.playback.player,
            "autoplay": self.app.settings.interface.autoplay,
            "bell": self.app.settings.notify.bell,
            "desktop": self.app.settings.notify.desktop,
        }
        self._changed: set[str] = set()

    def body(self) -> ComposeResult:
        with Horizontal(id="settings"):
            with Vertical(id="settings-left", classes="box"):
                yield Form(self._fields, self.values, id="settings-form")
            with Vertical(id="settings-right", classes="box"):
                yield Prose(id="settings-facts")

    def fill(self) -> None:
        self.query_one("#settings-left").border_title = _("Settings")
        self.query_one("#settings-right").border_title = _("Where things are")
        self.query_one(Form).focus()
        path = self.app.config_file or config_path()
        there = (
            home_short(path) if path.exists() else _("{path} (not there yet)").format(path=home_short(path))
        )
        facts = [
            (_("Configuration"), there),
            (_("Library"), home_short(self.app.root) if self.app.root else ""),
            (_("Version"), version("musichelper")),
        ]
        lines: list[Passage] = []
        for name, value in facts:
            lines += [Passage(name, "$dim"), Passage(value), Passage("")]
        save = self.app.keys.name("settings.save")
        lines += [
            Passage(
                _("writes your choices into the configuration."),
                lead=f"{save} ",
                lead_style="bold $footer-key-foreground",
            ),
            Passage(
                _("All other settings, and keys, are in that file; the program's config.toml explains each."),
                "$dim",
            ),
        ]
        self.query_one("#settings-facts", Prose).show(*lines)

    def arrive(self) -> None:
        self.values["autoplay"] = self.app.settings.interface.autoplay
        if self.filled:
            self.query_one(Form).refresh()

    @on(Form.Changed)
    def _form_changed(self, event: Form.Changed) -> None:
        value = self.values[event.name]
        self._changed.add(event.name)
        if event.name == "language":
            self.app.change_interface(language=value)
            self.app.change_language(value)
        elif event.name == "theme":
            self.app.change_interface(theme=value)
            self.app.theme = value
        elif event.name == "player":
            self.bridge.listening.change(value)
        elif event.name == "autoplay":
            self.app.change_interface(autoplay=value)
        else:
            self.app.change_notices(**{event.name: value})

    @on(PlayerReady)
    def _player_ready(self, event: PlayerReady) -> None:
        self.app.say(event.sentence, seconds=6)

    def action_save(self) -> None:
        keys = {
            "language": "interface.language",
            "theme": "interface.theme",
            "player": "playback.player",
            "autoplay": "interface.autoplay",
            "bell": "notify.bell",
            "desktop": "notify.desktop",
        }
        self.bridge.save_settings(
            self.app, {keys[name]: self.values[name] for name in self.values if name in self._changed}
        )

    def _fields(self) -> list[Field]:
        on_off = [Option(False, _("off")), Option(True, _("on"))]
        themes = [name for name in THEMES if name in self.app.available_themes]
        return [
            Field(
                "language",
                _("Language"),
                "choice",
                options=[Option(code, name) for code, name in LANGUAGE_NAMES.items()],
            ),
            Field("theme", _("Theme"), "choice", options=[Option(name, name) for name in themes]),
            Field(
                "player",
                _("Player"),
                "choice",
                options=[
                    Option("auto", _("the best there is")),
                    Option("device", _("sound device of this machine")),
                    Option("browser", _("page in your browser")),
                    Option("pulse", _("PulseAudio, here or forwarded")),
                    Option("command", _("your own command")),
                    Option("none", _("none")),
                ],
            ),
            Field("autoplay", _("Autoplay when labelling"), "choice", options=on_off),
            Field("bell", _("Bell when a run ends"), "choice", options=on_off),
            Field("desktop", _("Notification when a run ends"), "choice", options=on_off),
        ]
