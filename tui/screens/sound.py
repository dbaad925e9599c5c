"""How sound reaches the person: what works here, what does not and why; one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _
from assistant.playback.ways import Way
from tui.actions import bindings_of
from tui.messages import PlayerReady
from tui.studio_messages import WaysRead
from tui.text import visible
from tui.widgets.keybar import KeyBar
from tui.widgets.rows import RowList

if TYPE_CHECKING:
    from tui.app import MusicHelperApp


def way_word(kind: str) -> str:
    """A kind of player in a few words."""
    return {
        "pulse": _("PulseAudio"),
        "device": _("this machine's device"),
        "browser": _("page in your browser"),
        "command": _("your own command"),
        "none": _("none"),
    }[kind]


class SoundScreen(ModalScreen[None], inherit_bindings=False):
    """The list of ways, and what to do for the one in use."""

    BINDINGS = bindings_of("sound")
    app: MusicHelperApp

    def __init__(self) -> None:
        super().__init__()
        self._ready: PlayerReady | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain wide"):
            yield Static(Content(_("How you hear it")), id="dialog-title")
            rows: RowList[Way] = RowList(self._line, key=lambda way: way.kind)
            rows.styles.height = 5
            yield rows
            yield Static(id="sound-why")
            yield Static(id="sound-now")
            yield KeyBar("sound", always=())

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.focus()
        bridge = self.app.bridge
        if bridge is not None:
            bridge.studio.read_ways(self, self.app.settings)
            bridge.listening.explain()

    def take(self, ready: PlayerReady) -> None:
        """The player that is in use now."""
        self._ready = ready
        lines = [Content.styled(visible(ready.sentence), "bold" if ready.heard else "$text-warning")]
        lines += [Content.styled(visible(text), "$accent") for text in (ready.command, ready.link) if text]
        if ready.command or ready.link:
            copy, other = self.app.keys.name("sound.copy"), self.app.keys.name("sound.copy_link")
            words = _("{key} copies the command, {other} the link.").format(key=copy, other=other)
            lines.append(Content.styled(words, "$dim"))
        self.query_one("#sound-now", Static).update(Content("\n").join(lines))
        self.query_one(RowList).refresh()

    @on(WaysRead)
    def _ways_read(self, event: WaysRead) -> None:
        self.query_one(RowList).show(event.ways)
        self._why()

    @on(RowList.Moved)
    def _why(self) -> None:
        way = self.query_one(RowList).current
        text = visible(way.sentence) if way is not None else ""
        self.query_one("#sound-why", Static).update(Content.styled(text, "$dim"))

    def action_choose(self) -> None:
        way, bridge = self.query_one(RowList).current, self.app.bridge
        if way is None or bridge is None:
            return
        if not way.works:
            self.app.say(visible(way.sentence), seconds=6)
            return
        bridge.listening.change(way.kind)

    def action_copy(self) -> None:
        self._copy(self._ready.command if self._ready else "")

    def action_copy_link(self) -> None:
        self._copy(self._ready.link if self._ready else "")

    def action_close(self) -> None:
        self.dismiss(None)

    def _copy(self, text: str) -> None:
        if text:
            self.app.copy_to_clipboard(text)
            self.app.say(_("Copied, if your terminal allows it."))

    def _line(self, way: Way, width: int) -> Content:
        mark, style = ("■", "$text-success") if way.works else ("×", "$text-error")
        used = self._ready is not None and self._ready.kind == way.kind
        use = _("in use") if used else ""
        return Content.assemble(" ", (mark, style), f" {way_word(way.kind)}  {use}".rstrip())
