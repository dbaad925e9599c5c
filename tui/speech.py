"""What the app says: a word in passing, a text to read, an error, the end of a run, how to hear sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on

from assistant.config import Settings
from assistant.i18n import _
from tui.lean import LeanApp
from tui.messages import PlayerReady
from tui.notices import notification
from tui.text import visible

if TYPE_CHECKING:
    from assistant.runs.record import RunRecord


class SpeakingApp(LeanApp, inherit_bindings=False):
    """Tells the person something, in the terminal or beyond it."""

    settings: Settings

    def say(self, text: str, *, seconds: float = 3.0) -> None:
        """A word in passing."""
        self.notify(text, markup=False, timeout=seconds)

    def show_error(self, title: str, hint: str = "", detail: str = "") -> None:
        """An error that must be read."""
        from tui.screens.dialog import TextDialog

        self.push_screen(TextDialog(title, detail, hint=hint, kind="error"))

    def show_text(self, title: str, text: str, *, hint: str = "", copy: str | None = None) -> None:
        """A text to read and copy."""
        from tui.screens.dialog import TextDialog

        self.push_screen(TextDialog(title, text, hint=hint, copy=copy or None))

    def tell_ends(self, runs: Sequence[RunRecord]) -> None:
        """Runs have ended: also by the bell and by a notice of the desktop, where that is wanted."""
        from assistant.runs.notify import end_sentence

        for run in runs:
            sentence = end_sentence(run)
            self.say(visible(sentence), seconds=8)
            if self.settings.notify.bell:
                self.bell()
            if self.settings.notify.desktop and self._driver is not None:
                self._driver.write(notification(sentence))

    @on(PlayerReady)
    def _player_ready(self, event: PlayerReady) -> None:
        """Sound that needs the person's help is explained."""
        from tui.screens.sound import SoundScreen

        if isinstance(self.screen, SoundScreen):
            self.screen.take(event)
            return
        if event.heard:
            self.say(visible(event.sentence), seconds=6)
            return
        text = "\n\n".join(part for part in (event.command, event.link) if part)
        self.show_text(_("How you hear it"), text, hint=event.sentence, copy=event.command or event.link)
