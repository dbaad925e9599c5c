"""The only place where the app starts work of `assistant`: in threads that answer with messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import Library
from tui import messages
from tui.engine import Engine
from tui.following import RunFollower
from tui.garbage import GarbageCollector
from tui.generating import english_of
from tui.label_bridge import LabelBridge
from tui.listening import Listening
from tui.snapshot import SnapshotReader
from tui.studio import Studio
from tui.threads import explain as explain
from tui.track_pages import Sight, read_pages

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message


FOLDER_SEARCH_SHOWN = 5
HOLD = {"running": "pause", "paused": "resume", "stopped": "resume", "lost": "resume", "failed": "resume"}
"""What holding a run, or letting it go on, means by its state."""


class Bridge(LabelBridge):
    """Calls into `assistant` for one library. Each thread opens the library for itself."""

    def __init__(
        self,
        app: App[Any],
        root: Path,
        settings: Settings,
        config_file: Path | None = None,
        *,
        garbage: GarbageCollector | None = None,
    ) -> None:
        super().__init__(app, root, settings, garbage or GarbageCollector())
        self._config_file = config_file
        self.engine = Engine(app, root, settings)
        self.listening = Listening(app, settings.playback)
        self.studio = Studio(self._start, settings)
        self._snapshots = SnapshotReader()
        self._follower: RunFollower | None = None

    def close(self) -> None:
        """Let go of everything: the watcher, the player, the engine."""
        self.feed.stop()
        self.engine.close()
        self.listening.close()
        self.reasons.close()
        self.studio.close()

    # Reading

    def read_snapshot(self, asker: MessagePump) -> None:
        """Answers with `SnapshotRead`; passed over while an earlier one is being read."""
        self._start(
            asker, "snapshot", lambda lib: messages.SnapshotRead(self._snapshots.read(lib)), drop=True
        )

    def read_pages(self, asker: MessagePump, *, failed: bool, sight: Sight) -> None:
        """Answers with `PagesRead`."""
        self._start(
            asker,
            "tracks",
            lambda lib: messages.PagesRead(read_pages(lib, failed=failed, sight=sight), failed),
            drop=True,
        )

    def read_tracks(self, asker: MessagePump, numbers: list[int]) -> None:
        """Answers with `TracksRead`."""
        self._start(
            asker,
            "rows",
            lambda lib: messages.TracksRead(lib.ledger.tracks_numbered(numbers)),
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

    def translate(self, asker: MessagePump, name: str, prompt: str) -> None:
        """Answers with `Translated` for a prompt, or for several: what the setting of this name holds."""
        self._start(
            asker,
            f"english {name}",
            lambda _lib: messages.Translated(name, prompt, english_of(prompt, several=name == "then")),
        )

    def read_clips(self, asker: MessagePump, limit: int, **chosen: Any) -> None:
        """Answers with `ClipsRead`; `chosen` as in `Ledger.clips`."""
        self._start(asker, "clips", lambda lib: messages.ClipsRead(lib.ledger.clips(limit=limit, **chosen)))

    def read_models(self, asker: MessagePump) -> None:
        """Answers with `ModelsRead`."""

        def job(library: Library) -> Message:
            from assistant.musicgen.models import list_models

            return messages.ModelsRead(list_models(library))

        self._start(asker, "models", job, drop=True)

    def follow(self, asker: MessagePump, run_id: str, log_lines: int = 0) -> None:
        """Answers with `RunFollowed`; asked again, it reads only what was added since."""

        def job(library: Library) -> Message:
            if self._follower is None or self._follower.run_id != run_id:
                self._follower = RunFollower(run_id)
            return messages.RunFollowed(self._follower.read(library, log_lines=log_lines))

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


def _peaks(path: Path, width: int) -> tuple[list[tuple[float, float]], str]:
    from assistant.audio.peaks import peaks

    try:
        return peaks(path, width), ""
    except MusicHelperError as error:
        return [], error.title
    except (OSError, RuntimeError, ValueError) as error:
        return [], str(error)
