"""What Textual does more often than needed: parsing the styles, and writing cells that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.screen import Screen

from tui.frugal import Shown
from tui.theme import quiet_colours

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.theme import Theme


class LeanApp(App[None], inherit_bindings=False):
    """Parses its styles once for each theme, and writes to the terminal only what has changed."""

    def __init__(self) -> None:
        self._coloured: Theme | None = None
        self._parsed: dict[str, str] = {}
        super().__init__()
        self._shown = Shown()

    # Styles

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return quiet_colours(self.current_theme)

    def get_css_variables(self) -> dict[str, str]:
        theme = self.current_theme
        if theme is not self._coloured:
            super().get_css_variables()  # leaves them in `theme_variables`
            self._coloured = theme
        return self.theme_variables

    def begin_with_theme(self, name: str) -> None:
        """Choose the theme before anything is shown: the styles have not been parsed yet."""
        self.theme = name
        self._parsed = self.get_css_variables()
        self.stylesheet.set_variables(self._parsed)

    def refresh_css(self, animate: bool = True) -> None:
        """Parse the styles anew where the colours are others, for all pages at once.

        Textual asks for it also when a page is gone to for the first time.
        """
        variables = self.get_css_variables()
        pages = {screen for stack in self._screen_stacks.values() for screen in stack}
        if variables != self._parsed:
            self._parsed = variables
            super().refresh_css(animate)
            for screen in pages.difference(self.screen_stack):
                self.stylesheet.update(screen, animate=animate)
        for screen in pages:
            screen._css_update_count = self._css_update_count

    # The terminal

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Resize):
            self._shown.forget()
        await super().on_event(event)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write only what has changed."""
        if not self._batch_count and self.is_running and not self.is_headless:
            renderable = self._shown.changed(renderable)
        super()._display(screen, renderable)

    def action_redraw(self) -> None:
        """Write all anew: something else may have written over it."""
        self._shown.forget()
        self.screen.refresh(layout=True)
