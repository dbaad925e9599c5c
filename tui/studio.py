"""Work for the pages for training, generating and listening, done in the bridge's threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump

from assistant.config import Settings
from assistant.library.library import Library
from assistant.workers import Worker
from tui import studio_messages as messages
from tui.following import RunFollower

if TYPE_CHECKING:
    from textual.message import Message

    from assistant.library.ledger import ClipRow

VIEWER = "assistant.audio.viewer"
EXPORTER = "assistant.musicgen.exporting"
PICTURE_SECONDS = 60.0
MOST_COMPARED = 4
CAPTIONS_A_GENRE = 12

Start = Callable[..., None]


class Studio:
    """Calls into `assistant`; each answers the asker with a message of `studio_messages`."""

    def __init__(self, start: Start, settings: Settings) -> None:
        self._start = start
        self._settings = settings
        self._viewer = Worker(VIEWER)

    def close(self) -> None:
        """End the process that draws."""
        self._viewer.kill()

    # Sounds

    def read_picture(self, asker: MessagePump, path: Path, width: int, bands: int) -> None:
        """Answers with `PictureRead`."""

        def job(_library: Library) -> Message:
            request = {"path": str(path), "width": width, "bands": bands}
            answer = self._viewer.call("picture", request, timeout=PICTURE_SECONDS)
            return messages.PictureRead(path, [bytes.fromhex(column) for column in answer["columns"]])

        self._start(asker, "picture", job)

    def read_loudness(self, asker: MessagePump, paths: Sequence[Path]) -> None:
        """Answers with `LoudnessRead`."""

        def job(_library: Library) -> Message:
            request = {"paths": [str(path) for path in paths]}
            found = self._viewer.call("loudness", request, timeout=PICTURE_SECONDS)["found"]
            return messages.LoudnessRead({p: one["lufs"] for p, one in zip(paths, found, strict=True)})

        self._start(asker, "loudness", job)

    def read_ways(self, asker: MessagePump, settings: Settings) -> None:
        """Answers with `WaysRead`."""

        def job(_library: Library) -> Message:
            from assistant.playback.ways import ways

            return messages.WaysRead(ways(settings.playback))

        self._start(asker, "ways", job, drop=True)

    # Clips

    def judge(self, asker: MessagePump, clip_id: int, what: str, value: Any) -> None:
        """Rate, favour, annotate or reject a clip; answers with `Judged`."""

        def job(library: Library) -> Message:
            from assistant.musicgen.shelf import Shelf

            shelf = Shelf(library)
            acts: dict[str, Callable[[int, Any], ClipRow]] = {
                "rating": shelf.rate,
                "favourite": shelf.favour,
                "note": shelf.annotate,
                "rejected": shelf.reject,
            }
            return messages.Judged(acts[what](clip_id, value), what)

        self._start(asker, "judge", job)

    def undo_judgement(self, asker: MessagePump, *, again: bool = False) -> None:
        """Answers with `JudgementUndone`; `again` is the way back."""

        def job(library: Library) -> Message:
            from assistant.musicgen.shelf import Shelf

            shelf = Shelf(library)
            return messages.JudgementUndone(shelf.redo() if again else shelf.undo(), again)

        self._start(asker, "judge", job)

    def read_templates(self, asker: MessagePump) -> None:
        """Answers with `TemplatesRead`."""

        def job(library: Library) -> Message:
            from assistant.caption.examples import example_captions

            return messages.TemplatesRead(example_captions(library, CAPTIONS_A_GENRE))

        self._start(asker, "templates", job, drop=True)

    def export_clip(self, asker: MessagePump, path: Path, folder: Path, form: str, loudness: float) -> None:
        """Answers with `ClipExported`."""

        def job(_library: Library) -> Message:
            request = {"path": str(path), "folder": str(folder), "format": form, "loudness": loudness}
            with Worker(EXPORTER) as worker:
                answer = worker.call("export", request, timeout=PICTURE_SECONDS)
            return messages.ClipExported(Path(answer["path"]))

        self._start(asker, "export", job)

    # Runs

    def look_ahead(self, asker: MessagePump, values: dict[str, Any]) -> None:
        """Answers with `LookingAhead` on the way and `LookedAhead`; values as in `start_finetune`."""

        def job(library: Library) -> Message:
            from assistant.musicgen.client import look_ahead
            from assistant.musicgen.spec import FinetuneSpec

            def heed(event: dict[str, Any]) -> None:
                done, total = int(event.get("done") or 0), int(event.get("total") or 0)
                asker.post_message(
                    messages.LookingAhead(str(event.get("what") or event.get("event")), done, total)
                )

            spec = FinetuneSpec.from_settings(self._settings, **values).check()
            return messages.LookedAhead(values, look_ahead(library, spec, heed))

        self._start(asker, "ahead", job, drop=True)

    def compare(self, asker: MessagePump, runs: Sequence[str]) -> None:
        """Answers with `RunsCompared`."""

        def job(library: Library) -> Message:
            return messages.RunsCompared([RunFollower(run).read(library) for run in runs[:MOST_COMPARED]])

        self._start(asker, "compare", job, drop=True)

    def read_marks(self, asker: MessagePump) -> None:
        """Answers with `RunMarksRead`."""

        def job(library: Library) -> Message:
            from assistant.runs.marks import all_marks

            return messages.RunMarksRead(all_marks(library))

        self._start(asker, "marks", job, drop=True)

    def mark_run(
        self, asker: MessagePump, run: str, *, tags: tuple[str, ...] | None = None, note: str | None = None
    ) -> None:
        """Answers with `RunMarksRead`."""

        def job(library: Library) -> Message:
            from assistant.runs.marks import all_marks, mark_run

            mark_run(library, run, tags=tags, note=note)
            return messages.RunMarksRead(all_marks(library))

        self._start(asker, "mark", job)
