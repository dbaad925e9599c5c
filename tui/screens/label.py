"""Labelling: one track at a time, one key each, and a way back from every decision."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.i18n import _, ngettext
from assistant.label.genres import genre_problem
from assistant.label.queue import ORDERS
from assistant.label.views import view_name
from tui.label_lines import LabelLines
from tui.label_sound import LabelSound
from tui.labelling import LabelSession
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
    ViewsRead,
    WhyRead,
)
from tui.screens.page import Page, page_bindings
from tui.text import ago, visible
from tui.vocabulary import status
from tui.widgets.caption_edit import CaptionEdit
from tui.widgets.drawn import Drawn
from tui.widgets.form import Option
from tui.widgets.rows import RowList
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem
    from assistant.label.views import View
    from tui.snapshot import Snapshot

GUARD_SECONDS = 0.15
"""A key this soon after an item was painted was meant for the one before it."""
GUARDED = {"label.accept", "label.genre", "label.skip", "label.flag", "label.reject", "label.all"}
PREFETCHED = 3
DETAILS_KEPT = 64
PEAKS_WIDTH = 240
SEARCH = "search"
"""In the choice of queues: look for contradicted labels now."""


class LabelScreen(Page):
    """The queue on the left, the track under the cursor on the right."""

    SCOPE = "label"
    BINDINGS = page_bindings("label")

    def __init__(self) -> None:
        super().__init__()
        self.session = LabelSession()
        self.guard_seconds = GUARD_SECONDS
        self.busy = False
        """A decision is being written; keys that decide are dropped until its answer came."""
        self._painted: float | None = None
        self._paintings = 0
        self.lines = LabelLines(self.session, self.app.keys, self.app.settings.library.unlabelled)
        self._sound: LabelSound | None = None
        self._kept_place: tuple[View, str, int | None] | None = None
        self._edited = 0
        self._details: OrderedDict[int, DetailsRead] = OrderedDict()
        self._asked: set[int] = set()
        self._wanted: int | None = None
        self._version: str | None = None
        self._rescore = False
        """The classifier has learned since the queue was read."""
        self._proposed = 0
        """The number of proposals when they were last read."""

    def body(self) -> ComposeResult:
        with Horizontal(id="label"):
            queue: RowList[QueueItem] = RowList(
                self.lines.queue_line,
                key=lambda item: item.track.id,
                empty=self.lines.empty,
                id="label-queue",
            )
            queue.can_focus = False
            queue.always_marked = True
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
            self._paint()

    def arrive(self) -> None:
        self._read(self.session.view if self.lines.read else None)

    def poll(self) -> None:
        self._show_sound()
        item = self.session.current
        place = (self.session.view, self.session.order, item.track.id if item else None)
        if self.lines.read and place != self._kept_place:
            self._kept_place = place
            self.bridge.keep_place(self, *place)

    @property
    def sound(self) -> LabelSound:
        """What is heard here."""
        if self._sound is None:
            self._sound = LabelSound(self.bridge.listening, self.bridge.root)
        return self._sound

    @property
    def editing(self) -> bool:
        """Whether the keys are text now."""
        return isinstance(self.focused, CaptionEdit)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a caption is written, keys that its line leaves over do nothing."""
        return not self.editing

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._count_new()
        self.lines.kept, self.lines.today = snapshot.kept, snapshot.labelled_today
        version = snapshot.classifier[0] if snapshot.classifier else None
        learned, self._version = self._version not in (None, version), version
        self._rescore = self._rescore or learned
        if learned or (self.lines.new and self.session.current is None):
            self._read(self.session.view)
        if snapshot.proposed > self._proposed:
            self.bridge.read_proposals(self)
        self._proposed = snapshot.proposed
        self.query_one("#label-word").refresh()

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Keys that decide are taken here, in the order they were pressed, and only for what was seen."""
        action = None if self.editing else self.app.keys.action_for("label", event.key)
        if action is None or not (action.id in GUARDED or action.id.startswith("label.genre_")):
            return
        event.stop()
        event.prevent_default()
        if self.busy or self._painted is None or event.time < self._painted + self.guard_seconds:
            return
        name, _bracket, argument = action.call.partition("(")
        method = getattr(self, f"action_{name}")
        if argument:
            method(int(argument.rstrip(")")))
        else:
            method()

    def action_accept(self) -> None:
        top = self.lines.top(self.session.current)
        if self.lines.choice < len(top):
            self._decide("label", top[self.lines.choice][0])
        elif self.session.current is not None:
            self.action_genre()

    def action_choose(self, lines: int) -> None:
        top = self.lines.top(self.session.current)
        if top:
            self.lines.choice = (self.lines.choice + lines) % len(top)
            self.query_one("#label-proposals").refresh()
            self.query_one("#label-segments").refresh()

    def action_digit(self, place: int) -> None:
        if place < len(self.session.genres):
            self._decide("label", self.session.genres[place])

    def action_genre(self) -> None:
        item = self.session.current
        if item is None or self.busy:
            return
        from tui.screens.pick import PickScreen

        chances = dict(item.proposal.top) if item.proposal else {}
        options = [
            Option(name, name, f"{chances[name]:.0%}" if name in chances else "")
            for name in sorted(self.session.genres, key=lambda name: -chances.get(name, 0.0))
        ]
        track = item.track.id

        def new(text: str) -> Option | None:
            known = text.casefold() in (name.casefold() for name in self.session.genres)
            if known or genre_problem(self.app.settings.library.unlabelled, text):
                return None
            return Option((text,), _("New genre: {name}").format(name=text))

        def take(genre: str | tuple[str] | None) -> None:
            here = self.session.current
            if genre is None or here is None or here.track.id != track:
                return
            if isinstance(genre, tuple):
                self._decide("label", genre[0], new_genre=True)
            else:
                self._decide("label", genre)

        self.app.push_screen(PickScreen(_("Which genre?"), options, new=new), take)

    def action_skip(self) -> None:
        self._decide("skip")

    def action_flag(self) -> None:
        self._decide("flag")

    def action_reject(self) -> None:
        self._decide("reject")

    def action_undo(self) -> None:
        self._undo(again=False)

    def action_redo(self) -> None:
        self._undo(again=True)

    def action_browse(self, steps: int) -> None:
        self.session.browse(steps)
        self._paint()

    def action_play(self) -> None:
        if self.session.current is not None:
            self.sound.toggle(self.session.current)
            self._show_sound()

    def action_seek(self, steps: int) -> None:
        if self.session.current is not None:
            self.sound.seek(self.session.current, steps)
            self._show_sound()

    def action_autoplay(self) -> None:
        wanted = not self.app.settings.interface.autoplay
        self.app.change_interface(autoplay=wanted)
        self._say(_("Each track plays as it comes.") if wanted else _("Tracks play when you ask."))

    def action_order(self) -> None:
        place = (ORDERS.index(self.session.order) + 1) % len(ORDERS)
        self._begin(self.session.view, ORDERS[place])

    def action_reload(self) -> None:
        self._read(self.session.view)

    def action_accept_all(self) -> None:
        from tui.screens.accept import AcceptScreen

        if self.session.view != "waiting":
            self._say(_("Only what waits for a genre can be accepted at once."))
            return
        names = {item.track.id: item.track.path.name for item in self.session.items}

        def take(probability: float | None) -> None:
            if probability is not None and not self.busy:
                self.busy = True
                self.bridge.accept_above(self, probability)

        self.app.push_screen(AcceptScreen(names), take)

    def action_caption(self) -> None:
        item = self.session.current
        details = self._details.get(item.track.id) if item else None
        if item is None or details is None:
            return
        if item.track.caption is None:
            self._say(_("A caption can be written when the track is ready."))
            return
        self._edited = item.track.id
        self.add_class("-editing")
        self.query_one(CaptionEdit).edit(details.caption)

    @on(CaptionEdit.Done)
    def _caption_written(self, event: CaptionEdit.Done) -> None:
        self.remove_class("-editing")
        if event.text is not None:
            self.bridge.edit_caption(self, self._edited, event.text)

    def action_why(self) -> None:
        self.toggle_class("-why")
        self._fetch()

    def action_view(self) -> None:
        self.bridge.read_views(self)

    @on(ViewsRead)
    def _views_read(self, event: ViewsRead) -> None:
        from tui.screens.pick import PickScreen

        searched = _("never looked for") if event.searched is None else ago(event.searched, time.time())
        options = [
            Option(view, view_name(view), str(count) if count or view != "contradicted" else searched)
            for view, count in event.counts.items()
        ]
        options.append(Option(SEARCH, _("look for labels the sound contradicts"), _("takes a while")))
        self.app.push_screen(
            PickScreen(_("What to go through?"), options, self.session.view), self._go_through
        )

    def _go_through(self, chosen: View | None) -> None:
        if chosen == SEARCH:
            self._say(_("Listening to all labelled tracks…"))
            self.bridge.find_contradicted(self)
        elif chosen is not None:
            self._begin(chosen, self.session.order)

    def _begin(self, view: View, order: str) -> None:
        """Go through a queue from its beginning."""
        self.session.restart(order, view)
        self._painted = None
        self._read(view)

    def _read(self, view: View | None) -> None:
        self.bridge.read_queue(self, view, self.session.order)

    def _decide(self, action: str, genre: str | None = None, *, new_genre: bool = False) -> None:
        item = self.session.current
        if item is None or self.busy:
            return
        self.busy = True
        self.sound.stop(item)
        self.bridge.decide(self, item.track.id, action, genre, new_genre=new_genre)

    def _undo(self, *, again: bool) -> None:
        if not self.busy:
            self.busy = True
            self.bridge.undo(self, again=again)

    def _say(self, word: str) -> None:
        self.lines.word = word
        self.query_one("#label-word").refresh()

    # Answers

    @on(QueueRead)
    def _queue_read(self, event: QueueRead) -> None:
        first = self.app.settings.library.genres
        if not self.lines.read:
            self.session.restart(event.order, event.view)
            self._wanted = event.track
        elif (event.view, event.order) != (self.session.view, self.session.order):
            self._read(self.session.view)  # asked for while this one was being read
            return
        came = self.session.take(event.items, event.genres, first)
        if self._rescore and self.lines.read:
            self.session.rescore(event.items)
            self.lines.word = _("Learned from your decisions.")
        self._rescore = False
        if came and came < len(self.session.items) and self.lines.read:
            self.lines.word = ngettext("{count} new", "{count} new", came).format(count=came)
        self.lines.read = True
        if self._wanted is not None:
            self.session.go_to(self._wanted)
            self._wanted = None
        self._count_new()
        self._paint()

    @on(ProposalsRead)
    def _proposals_read(self, event: ProposalsRead) -> None:
        if self.session.learn(event.proposals):
            self._paint()
        else:
            self.query_one("#label-queue", RowList).show(self.session.items)

    @on(Decided)
    def _decided(self, event: Decided) -> None:
        self.busy = False
        self.bridge.read_snapshot(self.app)
        self.session.decide(event.track, event.action, event.genre, time.monotonic())
        self._details.pop(event.track, None)
        self._asked.discard(event.track)
        word = status(event.action).word
        self.lines.word = f"{word}: {visible(event.genre)}" if event.genre else word
        self._tell_problems(event.problems)
        self._paint()

    @on(Undone)
    def _undone(self, event: Undone) -> None:
        self.busy = False
        self.bridge.read_snapshot(self.app)
        if not event.tracks:
            self.lines.word = _("Nothing to redo.") if event.again else _("Nothing to undo.")
            self.query_one("#label-word").refresh()
            return
        for track in event.tracks:
            self._details.pop(track, None)
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
                self._read(self.session.view)
                return
        self._paint()

    @on(Accepted)
    def _accepted(self, event: Accepted) -> None:
        self.busy = False
        self.bridge.read_snapshot(self.app)
        self.session.decide_many(event.tracks, time.monotonic())
        count = len(event.tracks)
        self.lines.word = ngettext(
            "{count} accepted; one undo takes all back", "{count} accepted; one undo takes all back", count
        ).format(count=count)
        self._tell_problems(event.problems)
        self._paint()

    @on(DetailsRead)
    def _details_read(self, event: DetailsRead) -> None:
        self._details[event.track] = event
        while len(self._details) > DETAILS_KEPT:
            old, _gone = self._details.popitem(last=False)
            self._asked.discard(old)
        if self.session.current and self.session.current.track.id == event.track:
            self._paint_details()

    @on(WhyRead)
    def _why_read(self, event: WhyRead) -> None:
        self.lines.why = event
        for name in ("#label-segments", "#label-why"):
            self.query_one(name).refresh()

    @on(CaptionSaved)
    def _caption_saved(self, event: CaptionSaved) -> None:
        details = self._details.get(event.track)
        if details is not None:
            details.caption = event.caption
        self._say(_("Caption saved."))
        self._paint_details()

    @on(ReviewMoved)
    def _review_moved(self, event: ReviewMoved) -> None:
        words = _("Listening to all labelled tracks… {share:.0%}")
        self._say(words.format(share=event.done / event.total))

    @on(ReviewDone)
    def _review_done(self, event: ReviewDone) -> None:
        if event.found:
            self._begin("contradicted", self.session.order)
        else:
            self._say(_("No label is contradicted by its sound."))

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

    def _paint(self) -> None:
        """Show the item under the cursor; only keys pressed after it was painted decide about it."""
        self._painted = None
        self.lines.choice = 0
        self._paintings += 1
        painting = self._paintings
        queue = self.query_one("#label-queue", RowList)
        queue.show(self.session.items)
        queue.mark(self.session.index)
        self.query_one("#label-left").border_title = self.lines.title()
        self.sound.arrive(self.session.current, autoplay=self.app.settings.interface.autoplay)
        self.lines.playing, self.lines.cue = None, self.sound.cue
        self._paint_details()
        for drawn in self.query(Drawn):
            drawn.refresh()
        self._fetch()

        def painted() -> None:
            if painting == self._paintings:
                self._painted = time.monotonic()

        self.call_after_refresh(painted)

    def _paint_details(self) -> None:
        item = self.session.current
        wave, caption = self.query_one(Waveform), self.query_one("#label-caption", Static)
        details = self._details.get(item.track.id) if item else None
        if item is None:
            wave.show([])
            caption.update("", layout=False)
        elif details is None:
            wave.show([], _("Reading…"))
            caption.update("", layout=False)
        else:
            wave.show(details.peaks, visible(details.problem))
            caption.update(Content.styled(visible(details.caption), "$dim"), layout=False)

    def _show_sound(self) -> None:
        item = self.session.current
        if item is None:
            return
        position = self.sound.position(item)
        place = self.sound.cue if position is None else position
        self.query_one(Waveform).share = min(1.0, place / (item.track.duration or 1.0))
        if (self.lines.playing, self.lines.cue) != (position, self.sound.cue):
            self.lines.playing, self.lines.cue = position, self.sound.cue
            self.query_one("#label-facts").refresh()

    def _count_new(self) -> None:
        snapshot = self.app.snapshot
        known = snapshot is not None and self.lines.read and self.session.view == "waiting"
        self.lines.new = max(0, snapshot.to_label - self.session.left) if snapshot and known else 0

    def _fetch(self) -> None:
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
