"""The command palette: the table of actions as a menu, for the page in front."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets import Input

from assistant.i18n import _
from tui.actions import Action, action, actions_of

if TYPE_CHECKING:
    from tui.app import MusicHelperApp


class Palette(CommandPalette):
    """The list of all actions; its cursor stands still, since each blink is written to the terminal."""

    def __init__(self) -> None:
        super().__init__(placeholder=_("Find an action by its name."), id="--command-palette")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False


class ActionCommands(Provider):
    """`Page: Action`, with the key in the help line."""

    def _entries(self) -> Iterator[tuple[str, str, Action]]:
        from tui.screens.page import Page

        page = self.screen
        scope = page.SCOPE if isinstance(page, Page) else ""
        app: MusicHelperApp = self.app  # type: ignore[assignment]
        for group, items in ((scope, actions_of(scope)), ("app", actions_of("app"))):
            title = _("Go") if group == "app" else action(f"app.{group}").label if group else ""
            for item in items:
                if item.palette:
                    yield f"{title}: {item.label}", f"{item.help} [{app.keys.names(item.id)}]", item

    async def discover(self) -> Hits:
        for title, words, item in self._entries():
            yield DiscoveryHit(title, partial(self._run, item), help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, words, item in self._entries():
            score = max(matcher.match(title), matcher.match(words) / 2)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, item), help=words)

    async def _run(self, item: Action) -> None:
        await self.app.run_action(item.call, self.app if item.scope == "app" else self.screen)
