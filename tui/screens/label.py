"""Labelling: one track at a time, one key each, and a way back from every decision."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _, ngettext
from tui.messages import (
    Accepted,
    CaptionSaved,
    Decided,
    DetailsRead,
    Failed,
    ProposalsRead,
    QueueRead,
    ReviewDone,
    ReviewMoved,
    Undone,
    WhyRead,
)
from tui.screens.label_keys import LabelKeys
from tui.screens.page import page_bindings
from tui.text import visible
from tui.vocabulary import status
from tui.widgets.caption_edit import CaptionEdit
from tui.widgets.drawn import Drawn
from tui.widgets.rows import RowList
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem
    from tui.snapshot import Snapshot

PREFETCHED = 3
DETAILS_KEPT = 64
SCORED_SHARE = 0.98
"""Some tracks can perhaps not be heard any more; they keep their old proposals."""
PEAKS_WIDTH = 240


class LabelScreen(LabelKeys):
    """The queue on the left, the track under the cursor on the right."""

    SCOPE = "label"
    BINDINGS = page_bindings("label")

    def body(self) -> ComposeResult:
        with Horizontal(id="label"):
            queue: RowList[QueueItem] = RowList(
                self.lines.queue_line,
                key=lambda item: item.track.id,
                empty=self.lines.empty,
                id="label-queue",
            )
            queue.can_focus = False
            queue.always_marked = queue.centred = True
            with Vertical(id="label-left", classes="box"):
                yield queue
            with Vertical(id="label-right", classes="box"):
                yield Drawn(self.lines.name, id="label-name")
                yield Drawn(self.lines.facts, id="label-facts")
                yield Waveform(id="label-wave")
                yield Drawn(self.lines.segments, id="label-segments")
                yield Drawn(self.lines.proposals, id="label-proposals")
                yield Static(id="label-caption")
                yield CaptionEdit(id="label-edit")
                yield Drawn(self.lines.reasons, id="label-why")
                yield Drawn(self.lines.digits, id="label-digits")
                yield Drawn(self.lines.words, id="label-word")

    def fill(self) -> None:
        if self.lines.read:
            self.paint()

    def arrive(self) -> None:
        self.read_queue(self.session.view if self.lines.read else None)

    def poll(self) -> None:
        self.show_sound()
        item = self.session.current
        place = (self.session.view, self.session.order, item.track.id if item else None)
        if self.lines.read and place != self._kept_place:
            self._kept_place = place
            self.bridge.keep_place(self, *place)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._count_new()
        self.lines.kept, self.lines.today = snapshot.kept, snapshot.labelled_today
        version = snapshot.classifier[0] if snapshot.classifier else None
        if self._version not in (None, version):
            self._learned = self.lines.read
        self._version = version
        self._scored = 0 < SCORED_SHARE * snapshot.proposed <= snapshot.scored
        if self.rescore_due or (self.lines.new and self.session.current is None):
            self.read_queue(self.session.view)
        if self.lines.read:
            if snapshot.proposed > self._proposed:
                self.bridge.read_proposals(self, list(self.session.items))
            self._proposed = snapshot.proposed
        self.query_one("#label-word", Drawn).redraw()

    # Answers

    @on(QueueRead)
    def _queue_read(self, event: QueueRead) -> None:
        merged, first = event.merged, self.app.settings.library.genres
        if not self.lines.read:
            self.session.restart(event.order, event.view)
            self._wanted = event.track
        elif (event.view, event.order) != (self.session.view, self.session.order):
            self.read_queue(self.session.view)  # asked for while this one was being read
            return
        came = self.session.absorb(merged, event.genres, first)
        if merged.rescored:
            self._learned = False
            self.lines.word = _("Learned from your decisions.")
        elif self.rescore_due:
            self.read_queue(self.session.view)  # the classifier learned while this one was being read
        if event.view == "waiting":
            self._proposed = merged.proposed
        if came and came < len(self.session.items) and self.lines.read:
            self.lines.word = ngettext("{count} new", "{count} new", came).format(count=came)
        self.lines.read = True
        if self._wanted is not None:
            self.session.go_to(self._wanted)
            self._wanted = None
        self._count_new()
        self.paint()

    @on(ProposalsRead)
    def _proposals_read(self, event: ProposalsRead) -> None:
        if self.session.learn(event.learned):
            self.paint()
        else:
            self.query_one("#label-queue", RowList).show(self.session.items)

    @on(Decided)
    def _decided(self, event: Decided) -> None:
        self.busy = False
        self.app.read_soon()
        before = self.session.current
        here = before is not None and before.track.id == event.track
        row = self.session.index
        self.session.decide(event.track, event.action, event.genre, time.monotonic())
        self.details.pop(event.track, None)
        self._asked.discard(event.track)
        word = status(event.action).word
        if event.genre:
            word = _("{what}: {genre}").format(what=word, genre=visible(event.genre))
        self.lines.word = word
        self._tell_problems(event.problems)
        if here and event.action != "skip":
            self.query_one("#label-queue", RowList).redraw(row)
            self.paint(rows=False)
        else:
            self.paint()

    @on(Undone)
    def _undone(self, event: Undone) -> None:
        self.busy = False
        self.app.read_soon()
        if not event.tracks:
            self.lines.word = _("Nothing to redo.") if event.again else _("Nothing to undo.")
            self.query_one("#label-word", Drawn).redraw()
            return
        for track in event.tracks:
            self.details.pop(track, None)
            self._asked.discard(track)
        if event.again:
            for track in event.tracks:
                self.session.decide(track, event.action, event.genre, time.monotonic())
            self.lines.word = _("Done again: {what}").format(what=status(event.action).word)
        else:
            self.lines.word = _("Undone: {what}").format(what=status(event.action).word)
            if not self.session.take_back(event.tracks):
                # Decided in an earlier session: it is in the queue again, but not in ours.
                self._wanted = event.tracks[0]
                self.read_queue(self.session.view)
                return
        self.paint()

    @on(Accepted)
    def _accepted(self, event: Accepted) -> None:
        self.busy = False
        self.app.read_soon()
        self.session.decide_many(event.tracks, time.monotonic())
        count = len(event.tracks)
        self.lines.word = ngettext(
            "{count} accepted; one undo takes all back", "{count} accepted; one undo takes all back", count
        ).format(count=count)
        self._tell_problems(event.problems)
        self.paint()

    @on(DetailsRead)
    def _details_read(self, event: DetailsRead) -> None:
        self.details[event.track] = event
        while len(self.details) > DETAILS_KEPT:
            old, _gone = self.details.popitem(last=False)
            self._asked.discard(old)
        if self.session.current and self.session.current.track.id == event.track:
            self._paint_details()

    @on(WhyRead)
    def _why_read(self, event: WhyRead) -> None:
        self.lines.why = event
        for name in ("#label-segments", "#label-why"):
            self.query_one(name, Drawn).redraw()

    @on(CaptionSaved)
    def _caption_saved(self, event: CaptionSaved) -> None:
        details = self.details.get(event.track)
        if details is not None:
            details.caption = event.caption
        self.say(_("Caption saved."))
        self._paint_details()

    @on(ReviewMoved)
    def _review_moved(self, event: ReviewMoved) -> None:
        words = _("Listening to all labelled tracks… {share:.0%}")
        self.say(words.format(share=event.done / event.total))

    @on(ReviewDone)
    def _review_done(self, event: ReviewDone) -> None:
        if event.found:
            self.begin("contradicted", self.session.order)
        else:
            self.say(_("No label is contradicted by its sound."))

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        """The app shows it; here only the way is made free."""
        if event.group == "decide":
            self.busy = False

    def _tell_problems(self, problems: list[tuple[str, str]]) -> None:
        if problems:
            self.app.show_error(
                problems[0][0], problems[0][1], "\n".join(title for title, _hint in problems[1:])
            )

    # Painting

    def paint(self, *, rows: bool = True) -> None:
        """Show the item under the cursor; only keys pressed after it was painted decide about it.

        Without `rows` only the cursor of the queue is moved.
        """
        self._painted = None
        self.lines.choice = 0
        self._paintings += 1
        painting = self._paintings
        queue = self.query_one("#label-queue", RowList)
        if rows:
            queue.show(self.session.items)
        queue.mark(self.session.index)
        left, title = self.query_one("#label-left"), self.lines.title()
        if left.border_title != title:  # setting it paints the whole box anew
            left.border_title = title
        self.sound.arrive(self.session.current, autoplay=self.app.settings.interface.autoplay)
        self.lines.playing, self.lines.cue = None, self.sound.cue
        self._paint_details()
        for drawn in self.query(Drawn):
            drawn.redraw()

        def painted() -> None:
            if painting == self._paintings:
                self._painted = time.monotonic()
                self.fetch()  # its threads would hold up the painting

        self.call_after_refresh(painted)

    def _paint_details(self) -> None:
        item = self.session.current
        wave, caption = self.query_one(Waveform), self.query_one("#label-caption", Static)
        details = self.details.get(item.track.id) if item else None
        if item is None:
            wave.show([])
            caption.update("", layout=False)
        elif details is None:
            wave.show([], _("Reading…"))
            caption.update("", layout=False)
        else:
            wave.show(details.peaks, visible(details.problem))
            caption.update(Content.styled(visible(details.caption), "$dim"), layout=False)

    def _count_new(self) -> None:
        snapshot = self.app.snapshot
        known = snapshot is not None and self.lines.read and self.session.view == "waiting"
        self.lines.new = max(0, snapshot.to_label - self.session.left) if snapshot and known else 0

    def fetch(self) -> None:
        """Ask for what is shown now and next."""
        for item in self.session.items[self.session.index : self.session.index + PREFETCHED]:
            if item.track.id not in self._asked:
                self._asked.add(item.track.id)
                self.bridge.read_details(self, item.track.id, PEAKS_WIDTH)
        here = self.session.current
        if (
            self.has_class("-why")
            and here is not None
            and (self.lines.why is None or self.lines.why.track != here.track.id)
        ):
            self.bridge.read_why(self, here.track.id)
