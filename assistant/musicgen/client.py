"""Clips from the side that asks: a warm process does the work, this one stays light."""

from __future__ import annotations

import dataclasses
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import CallError, Cancelled
from assistant.i18n import _
from assistant.library.library import Library
from assistant.musicgen.models import BUILT_IN, model_folder, read_card
from assistant.musicgen.spec import LARGEST_SEED, FinetuneSpec, GenerateSpec
from assistant.workers import Worker, WorkerDied

WORKER_MODULE = "assistant.musicgen.worker"

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Clip:
    """A clip that was made."""

    path: str
    seed: int
    duration: float
    """Seconds of the file."""
    model: str
    prompt: str


class Generator:
    """Makes clips in a process that keeps the model loaded. One call of `generate` at a time."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._worker = heavy_worker()
        self._cancelled = threading.Event()

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def generate(self, spec: GenerateSpec, on_event: OnEvent | None = None) -> list[Clip]:
        """Make the clips; each is written, with its recipe, and in the ledger as soon as it is done.

        Events: {"event": "loading"}, {"event": "tokens", "done", "total", "clip"} and
        {"event": "clip", "path", "seed", …}. Raises `CallError` for a request that makes no sense,
        `MusicHelperError` for a model that cannot be had, and `Cancelled` after `cancel()`.
        """
        spec = spec.check()
        self._check_model(spec.model)
        if spec.seed is None:
            spec = dataclasses.replace(spec, seed=secrets.randbelow(LARGEST_SEED - spec.count))
        self._cancelled.clear()
        request = {
            "library": os.fsdecode(self._library.root),
            "spec": spec.as_dict(),
            "continue_from": self._audio_file(spec.continue_from),
            "melody": self._audio_file(spec.melody),
        }
        try:
            answer = self._worker.call("generate", request, on_event=on_event)
        except WorkerDied:
            if self._cancelled.is_set():
                raise Cancelled(
                    _("The generation was stopped."), _("Clips that were done are kept.")
                ) from None
            raise
        return [Clip(**clip) for clip in answer["clips"]]

    def cancel(self) -> None:
        """Stop the call in progress at once, from any thread."""
        self._cancelled.set()
        self._worker.kill()

    def close(self) -> None:
        """End the process and free what the model holds."""
        self._worker.close()

    def _check_model(self, name: str) -> None:
        folder = model_folder(name, self._library.paths)
        if folder is not None and name == BUILT_IN and read_card(folder).get("trained") is False:
            raise CallError(
                _("The small built-in model has learnt no music yet; it would only make noise."),
                _("Fine-tune it with `musichelper train start`, and generate with the model that comes out."),
            )

    def _audio_file(self, name: str | None) -> str | None:
        """The file that is meant: a track stands for its WAV."""
        if name is None:
            return None
        path = Path(name).expanduser()
        if not path.exists() and (self._library.root / path).exists():
            path = self._library.root / path
        if not path.is_file():
            raise CallError(
                _("The file {path} does not exist.").format(path=name),
                _("Name a clip, a track of the library, or another WAV, FLAC or OGG file."),
            )
        path = path.absolute()
        if path.is_relative_to(self._library.root):
            track = self._library.ledger.track_at(path.relative_to(self._library.root))
            if track is not None and track.wav is not None:
                path = self._library.root / track.wav
        return os.fsdecode(path)


def look_ahead(library: Library, spec: FinetuneSpec, on_event: OnEvent | None = None) -> dict[str, Any]:
    """What a fine-tune would take, as `preflight.Preflight` has it; two steps are tried and forgotten.

    Raises what the run itself would raise.
    """
    request = {"library": os.fsdecode(library.root), "spec": spec.as_dict()}
    with heavy_worker() as worker:
        return worker.call("preflight", request, on_event=on_event)


def export_model(library: Library, model: str, form: str, folder: Path) -> None:
    """Write a model into a new folder, in one of `models.EXPORT_FORMATS`.

    Raises `MusicHelperError` for a model that cannot be had in that format.
    """
    request = {
        "library": os.fsdecode(library.root),
        "model": model,
        "format": form,
        "folder": os.fsdecode(folder.absolute()),
    }
    with heavy_worker() as worker:
        worker.call("export", request)


def heavy_worker() -> Worker:
    """A process for models; its libraries say nothing and ask nobody."""
    # Threads that spin while they wait would starve each other on a busy machine: on two cores
    # shared with other work the codec made 5 steps in 25 s with them, and 54 without.
    return Worker(
        WORKER_MODULE, environment={"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    )
