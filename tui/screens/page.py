"""What all pages share: header, body, keys, and the words for a terminal that is too small."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from assistant.i18n import _
from tui.actions import bindings_of
from tui.messages import TakesNews
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from tui.app import MusicHelperApp
    from tui.bridge import Bridge
    from tui.snapshot import Snapshot


def page_bindings(scope: str) -> list[BindingType]:
    """The bindings of a page, with Tab to move the focus."""
    return [*bindings_of(scope), ("tab", "app.focus_next"), ("shift+tab", "app.focus_previous")]


class Page(TakesNews, Screen[None], inherit_bindings=False):
    """A screen that lasts as long as the app. Its data are attributes, so that it can be built anew."""

    SCOPE = ""
    AUTO_FOCUS = ""  # each page says itself what has the focus
    app: MusicHelperApp

    filled = False
    """Whether the widgets are there."""

    idle_actions: frozenset[str] = frozenset()
    """Actions that the line of keys leaves out, because they do nothing at the moment."""

    def compose(self) -> ComposeResult:
        yield Header()
        with Container(id="body"):
            yield from self.body()
        yield KeyBar(self.SCOPE)
        yield TooSmall()

    def body(self) -> ComposeResult:
        """The widgets of the page."""
        yield from ()

    def fill(self) -> None:
        """Put what is known into the widgets; called after they were made, and again in another language."""

    def poll(self) -> None:
        """Called once a second while the page is in front."""

    def arrive(self) -> None:
        """Called when the page comes to the front."""

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Called when something in the library has changed and the page is in front."""

    @property
    def bridge(self) -> Bridge:
        """The way to the library."""
        assert self.app.bridge is not None
        return self.app.bridge

    def on_mount(self) -> None:
        self.app.pages.add(self)
        self._fill()

    def on_screen_resume(self) -> None:
        if self.app.is_running:
            if self.app.bridge is not None:
                self.arrive()
            self.take_snapshot()

    async def translate(self) -> None:
        """Build the page anew, in the language that is now in use. Runs among the page's own messages."""
        self.filled = False
        await self.recompose()
        self._fill()

    def take_snapshot(self) -> None:
        """Show what the app knows of the library, once the widgets are there."""
        if self.filled and self.app.snapshot is not None:
            self.show_snapshot(self.app.snapshot)

    def _fill(self) -> None:
        if not self.app.is_running or not self.query(KeyBar):
            return  # an app that is being left takes the widgets away meanwhile
        self.fill()
        self.filled = True
        self.take_snapshot()

    def on_key(self, event: events.Key) -> None:
        """A full-width letter of an input method does what the plain one does."""
        if event.character and not isinstance(self.focused, Input):
            plain = unicodedata.normalize("NFKC", event.character)
            if plain != event.character and len(plain) == 1 and plain.isascii():
                event.stop()
                key = {"/": "slash", "?": "question_mark", " ": "space"}.get(plain, plain)
                self.app.post_message(events.Key(key, plain))


class TooSmall(Static):
    """Shown instead of everything else below 60 columns or 20 lines."""

    def render(self) -> Content:
        size = self.app.size
        return Content(
            _("The terminal is too small: {width}×{height}, needed are 60×20.").format(
                width=size.width, height=size.height
            )
        )
