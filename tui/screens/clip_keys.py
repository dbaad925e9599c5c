"""What can be done with the clip under the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on

from assistant.i18n import _
from tui import generating
from tui.messages import PeaksRead
from tui.screens.page import Page
from tui.studio_messages import ClipExported, Judged, JudgementUndone, PictureRead
from tui.text import pad, visible
from tui.widgets.clip_view import PICTURE_BANDS, PICTURE_COLUMNS, ClipView
from tui.widgets.header import home_short

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow

PEAKS_WIDTH = 240
SEEK_SECONDS = 5.0
EXPORT_FOLDER = "~/musichelper-clips"


class ClipPage(Page):
    """A page with a `ClipView`: hearing, judging, comparing, exporting."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = False
        self._export = {"folder": EXPORT_FOLDER, "format": "wav", "loudness": -14.0}

    @property
    def clip_view(self) -> ClipView:
        """The clips."""
        return self.query_one(ClipView)

    @property
    def clip(self) -> ClipRow | None:
        """The clip under the cursor."""
        return self.clip_view.current

    def wanted_clip(self) -> ClipRow | None:
        """The clip under the cursor, for a key that does something with it. Says where there is none."""
        if self.clip is None:
            self.app.say(_("There is no clip here."))
        return self.clip

    def clips_changed(self) -> None:
        """Read the clips anew."""
        raise NotImplementedError

    def want_peaks(self, path: Path) -> None:
        """Ask for a waveform."""
        self.bridge.read_peaks(self, path, PEAKS_WIDTH)

    def want_mel(self, path: Path) -> None:
        """Ask for a mel picture."""
        self.bridge.studio.read_picture(self, path, PICTURE_COLUMNS, PICTURE_BANDS)

    # Hearing

    def action_play(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            self.bridge.listening.toggle(clip.trash or clip.path, loop=self._loop)

    def action_loop(self) -> None:
        self._loop = not self._loop
        clip, listening = self.clip, self.bridge.listening
        self.app.say(_("Clips are played again and again.") if self._loop else _("Clips are played once."))
        if clip is not None and listening.playing() == clip.path:
            listening.play(clip.path, listening.position(), loop=self._loop)

    def action_seek(self, direction: int) -> None:
        clip, listening = self.wanted_clip(), self.bridge.listening
        if clip is None:
            return
        now = listening.position() if listening.playing() == clip.path else 0.0
        place = max(0.0, min(clip.duration - 0.5, now + direction * SEEK_SECONDS))
        listening.play(clip.path, place, loop=self._loop)

    def action_picture(self) -> None:
        self.clip_view.change_picture()

    @on(PeaksRead)
    def _peaks_read(self, event: PeaksRead) -> None:
        self.clip_view.take_peaks(event.path, event.peaks)

    @on(PictureRead)
    def _picture_read(self, event: PictureRead) -> None:
        self.clip_view.take_mel(event.path, event.columns)

    # Judging

    def action_rate(self, rating: int) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            # The same digit again takes the rating away.
            self._judge(clip, "rating", 0 if clip.rating == rating else rating)

    def action_favour(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            self._judge(clip, "favourite", not clip.favourite)

    def action_reject(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            if self.bridge.listening.playing() == clip.path:
                self.bridge.listening.stop()
            self._judge(clip, "rejected", clip.trash is None)

    def action_note(self) -> None:
        from tui.screens.ask import AskScreen

        clip = self.wanted_clip()
        if clip is not None:
            self.app.push_screen(
                AskScreen(_("A note on the clip"), clip.note),
                lambda text: None if text is None else self.bridge.studio.judge(self, clip.id, "note", text),
            )

    def action_undo(self) -> None:
        self.bridge.studio.undo_judgement(self)

    def action_redo(self) -> None:
        self.bridge.studio.undo_judgement(self, again=True)

    def _judge(self, clip: ClipRow, what: str, value: Any) -> None:
        self.bridge.studio.judge(self, clip.id, what, value)

    @on(Judged)
    def _judged(self, event: Judged) -> None:
        if event.what == "rejected":
            key = self.app.keys.name("generate.undo")
            if event.clip.trash is not None:
                self.app.say(_("In the trash; {key} brings it back.").format(key=key))
            else:
                self.app.say(_("It is back."))
        self.clips_changed()

    @on(JudgementUndone)
    def _judgement_undone(self, event: JudgementUndone) -> None:
        if event.opinion is None:
            self.app.say(
                _("There is nothing to do again.") if event.again else _("There is nothing to undo.")
            )
            return
        word = {
            "rating": _("the rating"),
            "favourite": _("the favourite"),
            "note": _("the note"),
            "rejected": _("the move to or from the trash"),
        }[event.opinion.what]
        said = _("Done again: {what}.") if event.again else _("Taken back: {what}.")
        self.app.say(said.format(what=word))
        self.clips_changed()

    # Comparing

    def action_compare(self) -> None:
        clip, view = self.wanted_clip(), self.clip_view
        if clip is None:
            return
        if view.first is None or view.first.id == clip.id:
            view.first = None if view.first is not None else clip
            view.rows.refresh()
            if view.first is not None:
                key = self.app.keys.name("generate.compare")
                self.app.say(_("This is A; {key} on another clip hears the two by turns.").format(key=key))
            return
        first, view.first = view.first, None
        view.rows.refresh()
        self.compare(first, clip)

    def compare(self, first: ClipRow, second: ClipRow) -> None:
        """Hear two clips by turns."""
        from tui.screens.compare_clips import CompareScreen, Side

        sides = [
            Side(side_label(one), one.trash or one.path, str(one.recipe.get("prompt") or ""))
            for one in (first, second)
        ]
        self.app.push_screen(CompareScreen(*sides))

    # Writing out

    def action_export(self) -> None:
        from tui.screens.export_clip import ExportScreen

        clip = self.wanted_clip()
        if clip is None:
            return

        def take(values: dict[str, Any] | None) -> None:
            if values is not None:
                self._export = values
                folder = Path(str(values["folder"])).expanduser()
                self.bridge.studio.export_clip(
                    self, clip.trash or clip.path, folder, values["format"], float(values["loudness"])
                )

        self.app.push_screen(ExportScreen(clip.path.name, dict(self._export)), take)

    @on(ClipExported)
    def _exported(self, event: ClipExported) -> None:
        self.app.say(_("Written: {path}").format(path=home_short(event.path)), seconds=6)

    def action_recipe(self) -> None:
        clip = self.wanted_clip()
        if clip is not None:
            width = max(map(len, clip.recipe), default=0) + 2
            text = "\n".join(
                f"{pad(name, width)}{visible(str(value))}"
                for name, value in clip.recipe.items()
                if value is not None
            )
            path = clip.trash or clip.path
            self.app.show_text(home_short(path), text, hint=clip.note, copy=str(path))


def side_label(clip: ClipRow) -> str:
    """A clip in a comparison: its model and seed."""
    seed = generating.recipe_line(clip).partition("  ")[0]
    return f"{clip.recipe.get('model', '?')}, {seed}"
