"""The keys of a page, made from the table of actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from assistant.i18n import _
from tui.actions import SCREENS, action, actions_of, bindings_of, key_name, scopes_together
from tui.text import len_cells, pad, visible
from tui.widgets.form import Form
from tui.widgets.keybar import KeyBar
from tui.wrapping import wrap

if TYPE_CHECKING:
    from tui.app import MusicHelperApp

KEYS_WIDTH = 16
HELP_WIDTH = 68


@dataclass(frozen=True)
class Focused:
    """What has the focus: the scopes of its keys, and what it is."""

    scopes: tuple[str, ...] = ()
    title: str = ""
    text: str = ""


def focused_of(widget: Widget | None) -> Focused:
    """What help there is for the widget that has the focus."""
    if isinstance(widget, Form):
        field = widget.current
        return Focused(("form", "list"), field.label, field.help) if field else Focused(("form", "list"))
    return Focused()


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """First what has the focus, then the page, then what works everywhere, then the other pages."""

    BINDINGS = bindings_of("dialog")

    app: MusicHelperApp

    def __init__(self, scope: str, focused: Focused | None = None) -> None:
        super().__init__()
        self._scope = scope
        self._focused = focused or Focused()

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
            "samples": _("Samples of a run"),
            **{name: action(f"app.{name}").label for name in SCREENS},
        }
        here = [
            *self._focused.scopes,
            *(scope for scope in scopes_together(self._scope) if scope not in self._focused.scopes),
        ]
        lines: list[Content] = []
        if self._focused.title:
            lines.append(Content.styled(visible(self._focused.title), "bold"))
            lines += [Content(line) for line in wrap(visible(self._focused.text), HELP_WIDTH) if line]
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
            words = wrap(item.help, HELP_WIDTH - KEYS_WIDTH - 1)
            if len_cells(words[-1]) + len_cells(item.id) + 2 > HELP_WIDTH - KEYS_WIDTH - 1:
                words.append("")
            for place, line in enumerate(words):
                last = place == len(words) - 1
                gap = "  " if line else ""
                lines.append(
                    Content.assemble(
                        " ",
                        (pad("" if place else keys, KEYS_WIDTH), "$footer-key-foreground"),
                        line,
                        (gap + item.id if last else "", "$faint"),
                    )
                )
        return lines

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(line.plain for line in self._lines()))
        self.app.say(_("Copied, if your terminal allows it."))
