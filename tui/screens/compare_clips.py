"""Two clips at the same place, equally loud, blind if wished."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from assistant.i18n import _
from tui.actions import bindings_of
from tui.comparing import Comparison, Side
from tui.messages import PeaksRead
from tui.studio_messages import LoudnessRead
from tui.text import clock, fit, visible
from tui.widgets.keybar import KeyBar
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from tui.app import MusicHelperApp
    from tui.bridge import Bridge

__all__ = ["CompareScreen", "Side"]

PEAKS_WIDTH = 240
LOOK_SECONDS = 0.5


class CompareScreen(ModalScreen[None], inherit_bindings=False):
    """Keys change from one to the other while the music goes on."""

    BINDINGS = bindings_of("compare")
    app: MusicHelperApp

    def __init__(self, first: Side, second: Side) -> None:
        super().__init__()
        self.comparison = Comparison((first, second))
        self._position = 0.0
        self._heard: int | None = None
        self._peaks: dict[Path, list[tuple[float, float]]] = {}
        self._lengths: dict[Path, float] = {}

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="plain wide"):
            yield Static(id="compare-a")
            yield Waveform(id="compare-wave-0")
            yield Static(id="compare-b")
            yield Waveform(id="compare-wave-1")
            yield Static(id="compare-words")
            yield KeyBar("compare", always=())

    def on_mount(self) -> None:
        paths = [side.path for side in self.comparison.sides]
        for path in paths:
            self._bridge.read_peaks(self, path, PEAKS_WIDTH)
        self._bridge.studio.read_loudness(self, paths)
        self.set_interval(LOOK_SECONDS, self._look)
        self._paint()

    @property
    def _bridge(self) -> Bridge:
        assert self.app.bridge is not None
        return self.app.bridge

    # Keys

    def action_hear(self, place: int) -> None:
        """Hear A or B from where the other is now."""
        self._look()
        comparison = self.comparison
        self._heard = place
        self._bridge.listening.play(
            comparison.side(place).path,
            self._position,
            gain=comparison.gain(place),
            loop=True,
            title=comparison.title(place) if comparison.blind else "",
        )
        self._paint()

    def action_swap(self) -> None:
        self.action_hear(0 if self._heard is None else 1 - self._heard)

    def action_play(self) -> None:
        if self._playing is not None:
            self._look()
            self._bridge.listening.stop()
            self._heard = None
            self._paint()
        else:
            self.action_hear(self._heard or 0)

    def action_again(self) -> None:
        """From the beginning."""
        self._position = 0.0
        if self._heard is not None:
            self._bridge.listening.stop()
            self._heard_from_start(self._heard)

    def action_blind(self) -> None:
        self._bridge.listening.stop()
        self._heard = None
        self.comparison.change_blind()
        self._paint()

    def action_match(self) -> None:
        self.comparison.matched = not self.comparison.matched
        if self._heard is not None:
            self.action_hear(self._heard)
        self._paint()

    def action_vote(self, place: int) -> None:
        if self.comparison.blind:
            self._bridge.listening.stop()
            self._heard, self._position = None, 0.0
        self.comparison.vote(place)
        self._paint()

    def action_close(self) -> None:
        self._bridge.listening.stop()
        self.dismiss(None)

    # Answers

    @on(PeaksRead)
    def _peaks_read(self, event: PeaksRead) -> None:
        self._peaks[event.path] = event.peaks
        self._paint()

    @on(LoudnessRead)
    def _loudness_read(self, event: LoudnessRead) -> None:
        self.comparison.take_loudness(event.lufs)
        self._paint()

    # Painting

    @property
    def _playing(self) -> int | None:
        return self.comparison.place_of(self._bridge.listening.playing())

    def _heard_from_start(self, place: int) -> None:
        self._heard = None
        self.action_hear(place)

    def _look(self) -> None:
        if self._heard is not None and self._playing == self._heard:
            self._position = self._bridge.listening.position()
            self._paint_words()

    def _paint(self) -> None:
        for place, name in ((0, "#compare-a"), (1, "#compare-b")):
            mark = "▸ " if self._heard == place else "  "
            style = "bold $accent" if self._heard == place else ""
            title = fit(visible(self.comparison.title(place)), max(20, self.query_one(name).size.width - 2))
            self.query_one(name, Static).update(Content.styled(mark + title, style), layout=False)
            wave = self.query_one(f"#compare-wave-{place}", Waveform)
            hidden = self.comparison.blind  # the outline would tell which it is
            wave.show([] if hidden else self._peaks.get(self.comparison.side(place).path, []))
        self._paint_words()

    def _paint_words(self) -> None:
        comparison = self.comparison
        words = [clock(self._position)]
        if comparison.blind:
            words.append(_("blind"))
        words.append(_("equally loud") if comparison.matched else _("each as loud as it is"))
        line = Content.styled("  ".join(words), "$dim")
        result = comparison.result()
        if result:
            line = Content("\n").join([line, Content(visible(result))])
        self.query_one("#compare-words", Static).update(line)
