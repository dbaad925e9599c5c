"""The keys of a page, made from the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _
from tui.actions import SCREENS, action, actions_of, bindings_of, key_name, scopes_together
from tui.text import pad
from tui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from tui.app import MusicHelperApp

KEYS_WIDTH = 16


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """First the page that is open, then what works everywhere, then the other pages."""

    BINDINGS = bindings_of("dialog")

    app: MusicHelperApp

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain tall wide"):
            yield Static(Content(_("Keys")), id="dialog-title")
            with VerticalScroll(id="dialog-body"):
                yield Static(Content("\n").join(self._lines()))
            yield KeyBar("dialog", always=())

    def on_mount(self) -> None:
        self.query_one("#dialog-body").focus()

    def _lines(self) -> list[Content]:
        titles = {
            "app": _("Everywhere"),
            "list": _("In lists"),
            "form": _("In forms"),
            **{name: action(f"app.{name}").label for name in SCREENS},
        }
        here = scopes_together(self._scope)
        lines: list[Content] = []
        for scope in (*here, *(name for name in SCREENS if name not in here)):
            if lines:
                lines.append(Content(""))
            lines.append(Content.styled(titles[scope], "bold $accent"))
            lines += self._scope_lines(scope)
        lines += [
            Content(""),
            Content.styled(
                _("Other keys: interface.keys in the configuration, as in “label.accept” = “y,enter”."),
                "$dim",
            ),
        ]
        return lines

    def _scope_lines(self, scope: str) -> list[Content]:
        lines = []
        for item in actions_of(scope):
            keys = self.app.keys.names(item.id)
            if item.id.startswith("label.genre_"):
                # Ten lines that differ by the digit only are one.
                if not item.id.endswith("_1"):
                    continue
                digits = [
                    self.app.keys.of(one.id)[0] for one in actions_of(scope) if one.call.startswith("digit")
                ]
                keys = f"{key_name(digits[0])} … {key_name(digits[-1])}"
            lines.append(
                Content.assemble(
                    " ",
                    (pad(keys, KEYS_WIDTH), "$footer-key-foreground"),
                    item.help,
                    ("  " + item.id, "$faint"),
                )
            )
        return lines

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(line.plain for line in self._lines()))
        self.app.say(_("Copied, if your terminal allows it."))
