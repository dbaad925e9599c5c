"""The keys of the labelling page: what each does, and when it counts."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from textual import events, on

from assistant.i18n import _
from assistant.label.genres import genre_problem
from assistant.label.queue import ORDERS
from assistant.label.views import view_name
from tui.label_lines import LabelLines
from tui.label_sound import LabelSound
from tui.labelling import LabelSession
from tui.messages import DetailsRead, ViewsRead
from tui.screens.page import Page
from tui.text import ago
from tui.widgets.caption_edit import CaptionEdit
from tui.widgets.drawn import Drawn
from tui.widgets.form import Option
from tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    from assistant.label.views import View
    from tui.actions import Action

GUARD_SECONDS = 0.15
"""A key this soon after an item was painted was meant for the one before it."""
GUARDED = {"label.accept", "label.genre", "label.skip", "label.flag", "label.reject", "label.all"}
SEARCH = "search"
"""In the choice of queues: look for contradicted labels now."""


class LabelKeys(Page):
    """Turns keys into decisions, and asks for what they need; the answers come to the screen."""

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
        self.details: OrderedDict[int, DetailsRead] = OrderedDict()
        self._asked: set[int] = set()
        self._wanted: int | None = None
        self._version: str | None = None
        self._learned = False
        """There is another classifier since the queue was read."""
        self._scored = False
        """What waits has been heard by the classifier in use."""
        self._proposed = 0
        """The number of proposals when they were last read."""

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

    def paint(self, *, rows: bool = True) -> None:
        """Show the item under the cursor; with `rows`, others of the queue have changed too."""
        raise NotImplementedError

    def fetch(self) -> None:
        """Ask for what is shown of it."""
        raise NotImplementedError

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
        self.do(action)

    def do(self, action: Action) -> None:
        """Do what a key stands for."""
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
            self.query_one("#label-proposals", Drawn).redraw()
            self.query_one("#label-segments", Drawn).redraw()

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
        self.paint(rows=False)

    def action_play(self) -> None:
        if self.session.current is not None:
            self.sound.toggle(self.session.current)
            self.show_sound()

    def action_seek(self, steps: int) -> None:
        if self.session.current is not None:
            self.sound.seek(self.session.current, steps)
            self.show_sound()

    def action_autoplay(self) -> None:
        wanted = not self.app.settings.interface.autoplay
        self.app.change_interface(autoplay=wanted)
        self.say(_("Each track plays as it comes.") if wanted else _("Tracks play when you ask."))

    def action_order(self) -> None:
        place = (ORDERS.index(self.session.order) + 1) % len(ORDERS)
        self.begin(self.session.view, ORDERS[place])

    def action_reload(self) -> None:
        self.read_queue(self.session.view)

    def action_accept_all(self) -> None:
        from tui.screens.accept import AcceptScreen

        if self.session.view != "waiting":
            self.say(_("Only what waits for a genre can be accepted at once."))
            return

        def take(probability: float | None) -> None:
            if probability is not None and not self.busy:
                self.busy = True
                self.bridge.accept_above(self, probability)

        self.app.push_screen(AcceptScreen(), take)

    def action_caption(self) -> None:
        item = self.session.current
        details = self.details.get(item.track.id) if item else None
        if item is None or details is None:
            return
        if item.track.caption is None:
            self.say(_("A caption can be written when the track is ready."))
            return
        self._edited = item.track.id
        self.add_class("-editing")
        self.query_one(CaptionEdit).begin(details.caption)

    @on(CaptionEdit.Done)
    def _caption_written(self, event: CaptionEdit.Done) -> None:
        self.remove_class("-editing")
        if event.text is not None:
            self.bridge.edit_caption(self, self._edited, event.text)

    def action_why(self) -> None:
        self.toggle_class("-why")
        self.fetch()

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
            self.say(_("Listening to all labelled tracks…"))
            self.bridge.find_contradicted(self)
        elif chosen is not None:
            self.begin(chosen, self.session.order)

    def begin(self, view: View, order: str) -> None:
        """Go through a queue from its beginning."""
        self.session.restart(order, view)
        self._painted = None
        self.read_queue(view)

    def read_queue(self, view: View | None) -> None:
        known = self.session.known(rescore=self.rescore_due)
        self.bridge.read_queue(self, view, self.session.order, known)

    @property
    def rescore_due(self) -> bool:
        """Whether what comes next is to be ordered anew."""
        return self._learned and self._scored

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

    def say(self, word: str) -> None:
        self.lines.word = word
        self.query_one("#label-word", Drawn).redraw()

    def show_sound(self) -> None:
        item = self.session.current
        if item is None:
            return
        position = self.sound.position(item)
        place = self.sound.cue if position is None else position
        self.query_one(Waveform).share = min(1.0, place / (item.track.duration or 1.0))
        if (self.lines.playing, self.lines.cue) != (position, self.sound.cue):
            self.lines.playing, self.lines.cue = position, self.sound.cue
            self.query_one("#label-facts", Drawn).redraw()
