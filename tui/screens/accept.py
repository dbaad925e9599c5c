"""Accepting all proposals from a probability on: first a look at what that means."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _, ngettext
from tui.actions import bindings_of
from tui.messages import AcceptablesRead, TakesNews
from tui.text import bar, fit_middle, pad, visible
from tui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from tui.app import MusicHelperApp

START, STEP, LEAST = 0.9, 0.05, 0.05


class AcceptScreen(TakesNews, ModalScreen[float | None], inherit_bindings=False):
    """Answers with the probability, or None."""

    BINDINGS = bindings_of("accept")

    app: MusicHelperApp

    def __init__(self) -> None:
        super().__init__()
        self._least_sure: list[tuple[str, str]] = []
        self._probability = START
        self._pairs: list[tuple[int, str]] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain"):
            yield Static(Content(_("Accept all proposals from a probability on")), id="dialog-title")
            yield Static(id="accept-body")
            yield KeyBar("accept", always=())

    def on_mount(self) -> None:
        self._ask()

    def _ask(self) -> None:
        assert self.app.bridge is not None
        self._pairs = None
        self._paint()
        self.app.bridge.preview_accept(self, self._probability)

    @on(AcceptablesRead)
    def _read(self, event: AcceptablesRead) -> None:
        if event.probability == self._probability:
            self._pairs, self._least_sure = event.pairs, event.least_sure
            self._paint()

    def _paint(self) -> None:
        lines = [
            Content.assemble(
                ("‹ ", "$footer-key-foreground"),
                (f"{self._probability:.0%}", "bold"),
                (" ›", "$footer-key-foreground"),
            )
        ]
        if self._pairs is None:
            lines.append(Content.styled(_("Counting…"), "$dim"))
        else:
            count = len(self._pairs)
            lines.append(
                Content(
                    ngettext(
                        "{count} track would be labelled", "{count} tracks would be labelled", count
                    ).format(count=count)
                )
            )
            tally = Counter(genre for _track, genre in self._pairs).most_common()
            for genre, number in tally:
                share = bar(number / tally[0][1], 24)
                lines.append(
                    Content.assemble(f"  {pad(visible(genre), 12)}{number:>5} ", (share, "$primary"))
                )
            for name, genre in self._least_sure:
                shown = pad(fit_middle(visible(name), 44), 46)
                lines.append(Content.styled(f"  {shown}{visible(genre)}", "$dim"))
        self.query_one("#accept-body", Static).update(Content("\n").join(lines))

    def action_change(self, direction: int) -> None:
        self._probability = round(min(1.0, max(LEAST, self._probability + direction * STEP)), 2)
        self._ask()

    def action_yes(self) -> None:
        if self._pairs:
            self.dismiss(self._probability)

    def action_no(self) -> None:
        self.dismiss(None)
