"""The two lines on top: where we are and what goes on, and the screens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from assistant.i18n import _
from tui.actions import SCREENS, action
from tui.text import fit, fit_middle, visible
from tui.vocabulary import status
from tui.widgets.drawn import Redrawn

if TYPE_CHECKING:
    from tui.app import MusicHelperApp


def home_short(path: Path) -> str:
    """A path with ~ for the home folder, made visible."""
    text = os.fspath(path)
    home = os.fspath(Path.home())
    if text == home or text.startswith(home + os.sep):
        text = "~" + text[len(home) :]
    return visible(text)


class Header(Redrawn):
    """Name, library, watcher, run; then the screens with their keys."""

    DEFAULT_CSS = """
    Header {
        dock: top;
        height: 2;
        background: $panel;
    }
    """

    app: MusicHelperApp

    def draw(self, width: int) -> Content:
        return Content("\n").join([self._first(width), self._second(width)])

    def _first(self, width: int) -> Content:
        right = self._state()
        name = Content.assemble((" musichelper", "bold $accent"), "  ")
        room = width - name.cell_length - right.cell_length - 2
        path = fit_middle(home_short(self.app.root), room) if self.app.root is not None else ""
        gap = max(1, width - name.cell_length - cell_len(path) - right.cell_length - 1)
        return Content.assemble(name, path, " " * gap, right, " ")

    def _state(self) -> Content:
        parts: list[Content] = []
        if self.app.trouble:
            parts.append(Content.styled(fit(visible(self.app.trouble), 30), "$text-error"))
        snapshot = self.app.snapshot
        if snapshot is not None:
            for run in snapshot.live_runs[:1]:
                share = f" {100 * run.step // run.steps}%" if run.steps else ""
                parts.append(
                    Content.styled(
                        f"{status(run.state).mark} {fit(visible(run.name), 16)}{share}",
                        status(run.state).style,
                    )
                )
            if snapshot.coming:
                words = _("{count} coming in").format(count=snapshot.coming)
                parts.append(Content.styled(f"{status('working').mark} {words}", status("working").style))
        if self.app.bridge is not None:
            parts.append(status(self.app.bridge.feed.state).content())
        return Content("  ").join(parts)

    def _second(self, width: int) -> Content:
        tabs: list[Content] = []
        for name in SCREENS:
            item = action(f"app.{name}")
            key = self.app.keys.name(item.id)
            if name == self.app.current_mode:
                tabs.append(
                    Content.styled(
                        f" {key} {item.label} ", "bold $block-cursor-foreground on $block-cursor-background"
                    )
                )
            else:
                tabs.append(Content.assemble(" ", (key, "$footer-key-foreground"), f" {item.label} "))
        line = Content("").join(tabs)
        return line if line.cell_length <= width else line.truncate(width)
