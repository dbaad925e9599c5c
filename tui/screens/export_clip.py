"""Writing a copy of a clip for elsewhere."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _
from assistant.musicgen.spec import FORMATS
from tui.actions import bindings_of
from tui.text import visible
from tui.widgets.form import Field, Form, Option
from tui.widgets.keybar import KeyBar


class ExportScreen(ModalScreen[dict[str, Any] | None], inherit_bindings=False):
    """Answers with folder, format and loudness, or None after Esc. The values are kept for the next time."""

    BINDINGS = bindings_of("export")

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        super().__init__()
        self._file, self.values = name, values

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain"):
            title = _("Export {name}").format(name=visible(self._file))
            yield Static(Content(title), id="dialog-title")
            yield Form(self._fields, self.values, id="export-form")
            yield Static(Content(_("The recipe goes along inside the file.")), id="ask-help")
            yield KeyBar("export", always=())

    def on_mount(self) -> None:
        self.query_one(Form).focus()

    def action_write(self) -> None:
        self.dismiss(dict(self.values))

    def action_close(self) -> None:
        self.dismiss(None)

    def _fields(self) -> list[Field]:
        return [
            Field("folder", _("Folder"), help=_("Where the copy goes.")),
            Field("format", _("File"), "choice", options=[Option(name, name) for name in FORMATS]),
            Field("loudness", _("Loudness (LUFS)"), "number", step=1, least=-70),
        ]
