"""The only place where the app starts work of `assistant`: in threads that answer with messages."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.errors import FileError, MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from tui import messages
from tui.engine import Engine
from tui.feed import IntakeFeed
from tui.following import RunFollower
from tui.listening import Listening
from tui.reasons import Reasons
from tui.snapshot import SnapshotReader

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

    from assistant.label.queue import Order
    from assistant.label.views import View

Job = Callable[[Library], "Message | None"]

FOLDER_SEARCH_SHOWN = 5
HOLD = {"running": "pause", "paused": "resume", "stopped": "resume", "lost": "resume", "failed": "resume"}
"""What holding a run, or letting it go on, means by its state."""


class Bridge:
    """Calls into `assistant` for one library. Each thread opens the library for itself."""

    def __init__(
        self, app: App[Any], root: Path, settings: Settings, config_file: Path | None = None
    ) -> None:
        self.app = app
        self.root = root
        self.settings = settings
        self._config_file = config_file
        self.feed = IntakeFeed(app, root, settings)
        self.engine = Engine(app, root, settings)
        self.listening = Listening(app, settings.playback)
        self._snapshots = SnapshotReader()
        self._reasons = Reasons()
        self._follower: RunFollower | None = None
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of everything: the watcher, the player, the engine."""
        self.feed.stop()
        self.engine.close()
        self.listening.close()
        self._reasons.close()

    # Reading

    def read_snapshot(self, asker: MessagePump) -> None:
        """Answers with `SnapshotRead`; passed over while an earlier one is being read."""
        self._start(
            asker, "snapshot", lambda lib: messages.SnapshotRead(self._snapshots.read(lib)), drop=True
        )

    def read_tracks(self, asker: MessagePump, *, failed: bool, limit: int) -> None:
        """Answers with `TracksRead`."""
        self._start(
            asker,
            "tracks",
            lambda lib: messages.TracksRead(
                lib.ledger.recent_tracks(state="failed" if failed else None, limit=limit)
            ),
            drop=True,
        )

    def retry(self, asker: MessagePump, path: Path | None) -> None:
        """Try a failed file again, or all; answers with `Retried`."""

        def job(library: Library) -> Message:
            from assistant.intake.retry import retry

            tracks, problems = retry(library, None if path is None else [library.root / path])
            if problems:
                raise problems[0]
            return messages.Retried(len(tracks))

        self._start(asker, "retry", job, drop=True)

    def read_queue(self, asker: MessagePump, view: View | None, order: str) -> None:
        """Answers with `QueueRead`. Without a view: where the last session was left, and from there on."""

        def job(library: Library) -> Message:
            from assistant.label.place import Place, read_place
            from assistant.label.queue import ORDERS
            from assistant.label.views import VIEWS, view_queue

            place = Place(view or "waiting", order) if view else read_place(library)
            wanted: View = next((name for name in VIEWS if name == place.view), "waiting")
            how: Order = next((name for name in ORDERS if name == place.order), "margin")
            items = view_queue(library, wanted, how)
            return messages.QueueRead(items, library.genres(), wanted, how, place.track)

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

            waiting, _proposed = library.ledger.waiting_counts(library.unlabelled)
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
        self._start(asker, "why", lambda library: self._reasons.read(library, track_id))

    def read_proposals(self, asker: MessagePump) -> None:
        """Answers with `ProposalsRead`."""
        self._start(asker, "proposals", lambda lib: messages.ProposalsRead(lib.ledger.proposals()), drop=True)

    def read_details(self, asker: MessagePump, track_id: int, width: int) -> None:
        """Answers with `DetailsRead`: waveform and caption of a track."""

        def job(library: Library) -> Message | None:
            track = library.ledger.track(track_id)
            if track is None:
                return None
            caption = ""
            if track.caption is not None:
                try:
                    caption = (library.root / track.caption).read_text("utf-8", "replace").strip()
                except OSError as error:
                    caption = _("The caption cannot be read: {reason}.").format(reason=error.strerror)
            playable = library.root / (track.wav or track.path)
            peaks, problem = _peaks(playable, width) if track.wav is not None else ([], "")
            return messages.DetailsRead(track_id, peaks, caption, playable, problem)

        self._start(asker, "details", job)

    def read_peaks(self, asker: MessagePump, path: Path, width: int) -> None:
        """Answers with `PeaksRead`."""
        self._start(asker, "details", lambda _lib: messages.PeaksRead(path, _peaks(path, width)[0]))

    def read_clips(self, asker: MessagePump, limit: int) -> None:
        """Answers with `ClipsRead`."""
        self._start(asker, "clips", lambda lib: messages.ClipsRead(lib.ledger.clips(limit=limit)))

    def read_models(self, asker: MessagePump) -> None:
        """Answers with `ModelsRead`."""

        def job(library: Library) -> Message:
            from assistant.musicgen.models import list_models

            return messages.ModelsRead(list_models(library))

        self._start(asker, "models", job, drop=True)

    def follow(self, asker: MessagePump, run_id: str) -> None:
        """Answers with `RunFollowed`; asked again, it reads only what was added since."""

        def job(library: Library) -> Message:
            if self._follower is None or self._follower.run_id != run_id:
                self._follower = RunFollower(run_id)
            return messages.RunFollowed(self._follower.read(library))

        self._start(asker, "follow", job, drop=True)

    def find_folders(self, asker: MessagePump) -> None:
        """Answers with `FoldersFound`; needs no library."""

        def job(_library: Library) -> Message:
            from assistant.library.find import music_folders

            found = [(folder.path, folder.files) for folder in music_folders(Path.home())]
            return messages.FoldersFound(found[:FOLDER_SEARCH_SHOWN])

        self._start(asker, "folders", job, drop=True)

    # The library and its labels

    def look_at_machine(self, asker: MessagePump) -> None:
        """Answers with `MachineSeen`; needs no library."""

        def job(_library: Library) -> Message:
            from assistant.doctor import checks

            return messages.MachineSeen(checks(None, self.settings))

        self._start(asker, "machine", job, drop=True)

    def make_library(self, asker: MessagePump, root: Path) -> None:
        """Answers with `LibraryMade`."""

        def job(_library: Library) -> Message:
            from assistant.library.library import create_library

            create_library(root, self.settings).close()
            return messages.LibraryMade(root)

        self._start(asker, "make", job)

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

            return messages.AcceptablesRead(probability, Labeller(library).acceptable(probability))

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

    # Runs

    def start_finetune(self, asker: MessagePump, values: dict[str, Any]) -> None:
        """Answers with `RunStarted`. The values are fields of `FinetuneSpec`."""

        def job(library: Library) -> Message:
            from assistant.musicgen.spec import FinetuneSpec
            from assistant.runs.launch import start_finetune

            spec = FinetuneSpec.from_settings(self.settings, **values).check()
            return messages.RunStarted(start_finetune(library, spec))

        self._start(asker, "launch", job, drop=True)

    def start_classifier(self, asker: MessagePump) -> None:
        """Answers with `RunStarted`."""

        def job(library: Library) -> Message:
            from assistant.runs.launch import start_run

            return messages.RunStarted(start_run(library, "classifier", {}, "classifier"))

        self._start(asker, "launch", job, drop=True)

    def ask_run(self, asker: MessagePump, run_id: str, word: str) -> None:
        """Answers with `RunAsked`, or with `RunStarted` after `resume`.

        `hold` is pause or resume, by the run's state now: what was shown may be a second old.
        """

        def job(library: Library) -> Message:
            from assistant.runs.control import request
            from assistant.runs.launch import resume_run
            from assistant.runs.record import read_run

            chosen = HOLD.get(read_run(library, run_id).state, "pause") if word == "hold" else word
            if chosen == "resume":
                return messages.RunStarted(resume_run(library, run_id))
            return messages.RunAsked(request(library, run_id, chosen), chosen)

        self._start(asker, "ask", job)

    # Settings

    def save_settings(self, asker: MessagePump, values: dict[str, Any]) -> None:
        """Answers with `SettingsSaved`. The values are `{"section.key": value}`."""

        def job(_library: Library) -> Message:
            from assistant.config import change_settings

            return messages.SettingsSaved(change_settings(values, self._config_file))

        self._start(asker, "settings", job)

    # Threads

    def _start(self, asker: MessagePump, group: str, job: Job, *, drop: bool = False) -> None:
        with self._lock:
            if drop and group in self._busy:
                return
            self._busy.add(group)
        self.app.run_worker(
            partial(self._work, asker, group, job),
            name=group,
            group=group,
            thread=True,
            exit_on_error=False,
        )

    def _work(self, asker: MessagePump, group: str, job: Job) -> None:
        answer: Message | None
        try:
            with Library(self.root, self.settings) as library:
                answer = job(library)
        except Exception as error:
            answer = explain(error, group)
        finally:
            with self._lock:
                self._busy.discard(group)
        if answer is not None:
            asker.post_message(answer)


def explain(error: Exception, group: str) -> messages.Failed:
    """An error as a message; one that is nobody's known mistake keeps its traceback for the report."""
    if isinstance(error, MusicHelperError):
        return messages.Failed(error.title, error.hint, group, str(getattr(error, "log", "")).strip())
    return messages.Failed(
        _("Something unexpected went wrong: {reason}").format(reason=f"{type(error).__name__}: {error}"),
        _("The app goes on. Please report this with the text below."),
        group,
        "".join(traceback.format_exception(error)),
    )


def _problems(errors: Iterable[FileError]) -> list[tuple[str, str]]:
    return [(error.title, error.hint) for error in errors]


def _peaks(path: Path, width: int) -> tuple[list[tuple[float, float]], str]:
    from assistant.audio.peaks import peaks

    try:
        return peaks(path, width), ""
    except MusicHelperError as error:
        return [], error.title
    except (OSError, RuntimeError, ValueError) as error:
        return [], str(error)
