"""The clips and the one under the cursor: waveform or mel picture, recipe, what the person thinks of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _
from tui import generating
from tui.text import ago, clock, fit, len_cells, pad, visible
from tui.widgets.mel_picture import MelPicture
from tui.widgets.rows import RowList
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow

PICTURE_COLUMNS = 160
PICTURE_BANDS = 48


class ClipView(Vertical):
    """Shows what it is given; asks for peaks and pictures by the two functions."""

    DEFAULT_CSS = """
    ClipView { height: 1fr; }
    ClipView #generate-mel { display: none; margin: 0 1; height: 7; }
    """

    def __init__(
        self, empty: Callable[[], str], want_peaks: Callable[[Path], None], want_mel: Callable[[Path], None]
    ) -> None:
        super().__init__()
        self._empty = empty
        self._want_peaks, self._want_mel = want_peaks, want_mel
        self._peaks: tuple[Path, Sequence[tuple[float, float]]] | None = None
        self._mel: tuple[Path, Sequence[bytes]] | None = None
        self._shows_mel = False
        self.first: ClipRow | None = None
        """The clip that is marked to be compared with another."""

    def compose(self) -> ComposeResult:
        yield RowList(
            self._line, key=lambda clip: clip.path, empty=self._empty, ages=True, id="generate-clips"
        )
        yield Waveform(id="generate-wave")
        yield MelPicture(id="generate-mel")
        yield Static(id="generate-recipe")

    @property
    def rows(self) -> RowList[ClipRow]:
        """The list."""
        return self.query_one("#generate-clips", RowList)

    @property
    def current(self) -> ClipRow | None:
        """The clip under the cursor."""
        return self.rows.current

    def show(self, clips: Sequence[ClipRow]) -> None:
        """Show these clips."""
        self.rows.show(clips)
        self.paint()

    def change_picture(self) -> None:
        """Waveform or mel picture."""
        self._shows_mel = not self._shows_mel
        self.paint()

    def take_peaks(self, path: Path, peaks: Sequence[tuple[float, float]]) -> None:
        """The waveform has come."""
        self._peaks = (path, peaks)
        self.paint()

    def take_mel(self, path: Path, columns: Sequence[bytes]) -> None:
        """The mel picture has come."""
        self._mel = (path, columns)
        self.paint()

    def heard(self, share: float) -> None:
        """How much of the clip was heard, 0 to 1."""
        self.query_one(Waveform).share = share
        self.query_one(MelPicture).share = share

    def paint(self) -> None:
        """Show the clip under the cursor."""
        clip = self.current
        wave, mel = self.query_one(Waveform), self.query_one(MelPicture)
        wave.display, mel.display = not self._shows_mel, self._shows_mel
        recipe = self.query_one("#generate-recipe", Static)
        if clip is None:
            wave.show([])
            mel.show([])
            recipe.update("", layout=False)
            return
        lines = [Content.styled(fit(generating.recipe_line(clip), self.size.width - 2), "$dim")]
        if clip.note:
            lines.append(Content.styled(fit(visible(clip.note), self.size.width - 2), "$secondary"))
        recipe.update(Content("\n").join(lines), layout=False)
        path = clip.trash or clip.path
        if self._shows_mel:
            if self._mel is not None and self._mel[0] == path:
                mel.show(self._mel[1], _("This file cannot be read."))
            else:
                mel.show([], _("Drawing…"))
                self._want_mel(path)
        elif self._peaks is not None and self._peaks[0] == path:
            wave.show(self._peaks[1])
        else:
            wave.show([])
            self._want_peaks(path)

    def _line(self, clip: ClipRow, width: int) -> Content:
        prompt = str(clip.recipe.get("prompt") or "")
        when = pad(ago(clip.made, time.time()), 11, right=True) if width >= 44 else ""
        length = pad(clock(clip.duration), 6, right=True)
        room = max(6, width - 6 - len_cells(when) - 5)
        text = (pad(visible(prompt), room), "") if prompt else (pad(_("anything"), room), "$dim")
        first = "A" if self.first is not None and self.first.id == clip.id else " "
        return Content.assemble(
            (first, "bold $accent"), (generating.marks(clip), "$accent"), text, (f"{length}{when}", "$dim")
        )
