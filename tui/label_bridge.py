"""What labelling asks of the library."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.errors import FileError
from assistant.library.library import Library
from tui import messages
from tui.feed import IntakeFeed
from tui.garbage import GarbageCollector
from tui.labelling import Known, learned, merge
from tui.reasons import Reasons
from tui.threads import Threads

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

    from assistant.label.queue import Order, QueueItem
    from assistant.label.views import View

PREVIEWED = 8


class LabelBridge(Threads):
    """Queues, decisions, reasons and captions."""

    def __init__(self, app: App[Any], root: Path, settings: Settings, garbage: GarbageCollector) -> None:
        super().__init__(app, root, settings)
        self._garbage = garbage
        self.feed = IntakeFeed(app, root, settings)
        self.reasons = Reasons()

    def read_queue(self, asker: MessagePump, view: View | None, order: str, known: Known) -> None:
        """Answers with `QueueRead`, merged with what is known of the same view in the same order.

        Without a view: where the last session was left, and from there on.
        """

        def job(library: Library) -> Message:
            from assistant.label.place import Place, read_place
            from assistant.label.queue import ORDERS
            from assistant.label.views import VIEWS, view_queue

            place = Place(view or "waiting", order) if view else read_place(library)
            wanted: View = next((name for name in VIEWS if name == place.view), "waiting")
            how: Order = next((name for name in ORDERS if name == place.order), "margin")
            with self._garbage.long_list():
                merged = merge(known, view_queue(library, wanted, how))
            return messages.QueueRead(merged, library.genres(), wanted, how, place.track)

        self._start(asker, "queue", job, drop=True)

    def keep_place(self, asker: MessagePump, view: View, order: str, track: int | None) -> None:
        """Remember where the person is in a queue."""

        def job(library: Library) -> None:
            from assistant.label.place import Place, write_place

            write_place(library, Place(view, order, track))

        self._start(asker, "place", job, drop=True)

    def read_views(self, asker: MessagePump) -> None:
        """Answers with `ViewsRead`."""

        def job(library: Library) -> Message:
            from assistant.label.queue import review_queue
            from assistant.label.views import review_state

            waiting = library.ledger.waiting_counts(library.unlabelled)[0]
            settled, state = len(review_queue(library, settled=True)), review_state(library)
            counts: dict[View, int] = {
                "waiting": waiting,
                "settled": settled,
                "contradicted": state.found if state else 0,
            }
            return messages.ViewsRead(counts, state.made if state else None)

        self._start(asker, "views", job, drop=True)

    def find_contradicted(self, asker: MessagePump) -> None:
        """Answers with `ReviewMoved` on the way and with `ReviewDone`; takes from seconds to minutes."""

        def job(library: Library) -> Message:
            from assistant.label.views import find_contradicted

            def heed(event: dict[str, Any]) -> None:
                if event.get("total"):
                    moved = messages.ReviewMoved(int(event.get("done") or 0), int(event["total"]))
                    asker.post_message(moved)

            return messages.ReviewDone(find_contradicted(library, heed))

        self._start(asker, "review", job, drop=True)

    def read_why(self, asker: MessagePump, track_id: int) -> None:
        """Answers with `WhyRead`."""
        self._start(asker, "why", lambda library: self.reasons.read(library, track_id))

    def read_proposals(self, asker: MessagePump, items: list[QueueItem]) -> None:
        """Answers with `ProposalsRead`: those of the items that had none."""

        def job(library: Library) -> Message:
            with self._garbage.long_list():
                wanted = [item.track.id for item in items if item.proposal is None]
                return messages.ProposalsRead(learned(items, library.ledger.proposals(wanted)))

        self._start(asker, "proposals", job, drop=True)

    def edit_caption(self, asker: MessagePump, track_id: int, text: str) -> None:
        """Answers with `CaptionSaved`; an empty text brings back the caption that was made."""

        def job(library: Library) -> Message | None:
            from assistant.caption.files import edit_caption

            track = library.ledger.track(track_id)
            if track is None:
                return None
            return messages.CaptionSaved(track_id, edit_caption(library, track, text))

        self._start(asker, "caption", job)

    def decide(
        self,
        asker: MessagePump,
        track_id: int,
        action: str,
        genre: str | None = None,
        *,
        new_genre: bool = False,
    ) -> None:
        """Answers with `Decided`. `action` is label, skip, flag or reject."""

        def job(library: Library) -> Message:
            from assistant.label.decisions import Labeller
            from assistant.label.genres import make_genre

            if new_genre and genre is not None:
                make_genre(library, genre)
            labeller = Labeller(library)
            if action == "label":
                labeller.label(track_id, genre or "")
            else:
                getattr(labeller, action)(track_id)
            self.feed.decided()
            return messages.Decided(track_id, action, genre, _problems(labeller.problems))

        self._start(asker, "decide", job)

    def undo(self, asker: MessagePump, *, again: bool = False) -> None:
        """Answers with `Undone`; `again` is the way back."""

        def job(library: Library) -> Message:
            from assistant.label.decisions import Labeller

            labeller = Labeller(library)
            decision = labeller.redo() if again else labeller.undo()
            if decision is None:
                return messages.Undone([], "", None, again)
            tracks = [decision.track]
            if decision.step is not None:
                states = ("done",) if again else ("undone",)
                step = library.ledger.decisions(states=states, step=decision.step)
                tracks += [other.track for other in step if other.track != decision.track]
            return messages.Undone(tracks, decision.action, decision.genre_to, again)

        self._start(asker, "decide", job)

    def preview_accept(self, asker: MessagePump, probability: float) -> None:
        """Answers with `AcceptablesRead`."""

        def job(library: Library) -> Message:
            from assistant.label.decisions import Labeller

            pairs = Labeller(library).acceptable(probability)
            least_sure = [
                (track.path.name, genre)
                for number, genre in pairs[-PREVIEWED:]
                if (track := library.ledger.track(number)) is not None
            ]
            return messages.AcceptablesRead(probability, pairs, least_sure)

        self._start(asker, "preview", job)

    def accept_above(self, asker: MessagePump, probability: float) -> None:
        """Answers with `Accepted`."""

        def job(library: Library) -> Message:
            from assistant.label.decisions import Labeller

            labeller = Labeller(library)
            decisions = labeller.accept_above(probability)
            self.feed.decided()
            return messages.Accepted([one.track for one in decisions], _problems(labeller.problems))

        self._start(asker, "decide", job)


def _problems(errors: Iterable[FileError]) -> list[tuple[str, str]]:
    return [(error.title, error.hint) for error in errors]
