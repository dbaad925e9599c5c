"""The line at the bottom: the keys that work here, the most useful ones as far as there is room."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from textual.content import Content

from tui.actions import Action, actions_of
from tui.widgets.drawn import Redrawn

if TYPE_CHECKING:
    from tui.app import MusicHelperApp

ALWAYS = ("app.help", "app.quit")


class KeyBar(Redrawn):
    """Made from the table of actions."""

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        background: $panel;
    }
    """

    app: MusicHelperApp

    def __init__(self, *scopes: str, always: tuple[str, ...] = ALWAYS) -> None:
        super().__init__()
        self._scopes = scopes
        self._always = always

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._focus_moved, init=False)

    def _focus_moved(self) -> None:
        self.redraw()

    def draw(self, width: int) -> Content:
        keys = self.app.keys
        hidden: Container[str] = getattr(self.screen, "idle_actions", ())
        shown = [
            item
            for scope in self._scopes
            for item in actions_of(scope)
            if item.footer and item.id not in hidden
        ]
        if self.screen.focused is not None and self.screen.focused.has_class("caption"):
            shown = [item for item in actions_of("caption") if item.footer]
        elif self.screen.focused is not None and self.screen.focused.has_class("form"):
            shown = [item for item in actions_of("form") if item.footer] + shown
        always = [item for name in self._always for item in actions_of("app") if item.id == name]

        def piece(item: Action) -> Content:
            return Content.assemble(
                " ", (keys.name(item.id), "bold $footer-key-foreground"), (f" {item.label} ", "$dim")
            )

        end = Content("").join([piece(item) for item in always])
        room = width - end.cell_length
        line = Content("")
        for item in shown:
            more = line + piece(item)
            if more.cell_length > room:
                break
            line = more
        return line + Content(" " * max(0, room - line.cell_length)) + end
