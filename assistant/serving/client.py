"""Clips from the side that asks: the engine does the work, this process stays light."""

from __future__ import annotations

import dataclasses
import os
import secrets
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import CallError, Cancelled, MusicHelperError
from assistant.i18n import _, language
from assistant.library.library import Library
from assistant.musicgen.client import QUIET_ENVIRONMENT
from assistant.musicgen.models import model_folder
from assistant.musicgen.prompts import English, is_chinese, translate
from assistant.musicgen.spec import LARGEST_SEED, GenerateSpec
from assistant.runs.gpu import device_for
from assistant.serving import start
from assistant.serving.place import engine_place
from assistant.serving.protocol import Link, Message, environment
from assistant.workers import Emit, ReportedError


@dataclass(frozen=True)
class Clip:
    """A clip that was made."""

    path: str
    seed: int
    duration: float
    """Seconds of the file."""
    model: str
    prompt: str
    english: str = ""
    """What the model was told."""
    then_english: tuple[str, ...] = ()
    """And for each of the later parts."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Clip:
        """From plain values; names that are not known here are passed over."""
        known = {field.name for field in dataclasses.fields(cls)}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        return cls(**plain)


class _Left(Exception):
    """The engine left on its own account before it did the job."""


class Generator:
    """Makes clips in the engine, which is started when it is needed. One call of `generate` at a time."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._link: Link | None = None
        self._cancelled = threading.Event()

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def generate(self, spec: GenerateSpec, on_event: Emit | None = None) -> list[Clip]:
        """Make the clips; each is written, with its recipe, and in the ledger as soon as it is done.

        Events: {"event": "english", "prompt", "english", "left_out", "elsewhere", "unknown"} for a prompt of
        which the model is told something else, {"event": "starting"}, {"event": "queued", "ahead": N},
        {"event": "waiting", "for": "upgrade" | "engine"}, {"event": "restarted"}, {"event": "loading"},
        {"event": "tokens", "done", "total", "clip"} and {"event": "clip", "path", "seed", …}. Raises
        `CallError` for a request that makes no sense, `MusicHelperError` for a model that cannot be had or a
        GPU that a run has, and `Cancelled` after `cancel()`.
        """
        spec = _in_english(self._prepared(spec), on_event)
        self._writable_folder(spec.out)
        message: Message = {
            "op": "generate",
            "request": {
                "library": os.fsdecode(self._library.root),
                "continue_from": self._audio_file(spec.continue_from),
                "melody": self._audio_file(spec.melody),
            },
            "device": device_for(spec.device),
            "environment": {**environment(), **QUIET_ENVIRONMENT},
            "language": language(),
            "idle_seconds": self._library.settings.engine.idle_minutes * 60,
        }
        made: list[Clip] = []

        def heed(event: dict[str, Any]) -> None:
            if event.get("event") == "clip":
                made.append(Clip.from_dict(event))
            if on_event is not None:
                on_event(event)

        self._cancelled.clear()
        for attempt in (1, 2, 3):
            message["request"]["spec"] = (spec.without_first(len(made)) if made else spec).as_dict()
            try:
                self._ask(message, heed)
                return made
            except _Left:
                continue  # it was about to leave; a new one takes the job
            except ConnectionError:
                if len(made) == len(spec.clips):
                    return made
                if attempt > 1:
                    break
                heed({"event": "restarted"})
        raise MusicHelperError(
            _("The engine that generates ended twice without a word."),
            _("Its log is in {log}.").format(log=engine_place().log),
        )

    def cancel(self) -> None:
        """Stop the call in progress within a step, from any thread; the model stays loaded."""
        self._cancelled.set()
        link = self._link
        if link is not None:
            try:
                link.send({"op": "cancel"})
            except OSError:
                return  # it is over already

    def close(self) -> None:
        """Let go of the engine; it stays warm for the next one who asks."""
        self.cancel()

    def _prepared(self, spec: GenerateSpec) -> GenerateSpec:
        spec = spec.check()
        folder = model_folder(spec.model, self._library.paths)
        if folder is not None and folder == Path(spec.model).expanduser().absolute():
            spec = dataclasses.replace(spec, model=os.fsdecode(folder))  # the engine works elsewhere
        if spec.seed is None:
            spec = dataclasses.replace(spec, seed=secrets.randbelow(LARGEST_SEED - len(spec.clips)))
        return spec

    def _writable_folder(self, name: str | None) -> None:
        """Make the folder for the clips. Raises `CallError` before anything is computed in vain."""
        folder = self._library.paths.clips if name is None else Path(name).expanduser().absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return
        except OSError as error:
            raise CallError(
                _("Clips cannot be written into {folder}: {reason}.").format(
                    folder=folder, reason=error.strerror
                ),
                _("Name a folder that you may write to, or make room."),
            ) from error

    def _ask(self, message: Message, on_event: Emit) -> None:
        """Send the message and hear the engine to its end. Raises `_Left`, `ConnectionError` and what
        `generate` raises."""
        link = start.reach(on_event, self._cancelled.is_set)
        if link is None:
            raise _stopped()
        with link:
            link.send(message)
            self._link = link
            try:
                if self._cancelled.is_set():
                    link.send({"op": "cancel"})
                while "event" in (told := link.receive()):
                    on_event(told["event"])
            finally:
                self._link = None
        if "answer" not in told:
            raise _outcome(told)

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


def _in_english(spec: GenerateSpec, on_event: Emit | None) -> GenerateSpec:
    """The request with the English for its prompts; what stands in place of one is told, once.

    Raises `CallError` where nothing of a prompt is understood.
    """
    said: dict[tuple[str, str], str] = {}

    def english_for(prompt: str, given: str) -> str:
        if (prompt, given) in said or not (given or is_chinese(prompt)):
            return said.get((prompt, given), prompt)
        found = English(prompt, given) if given else translate(prompt)
        if not found.english:
            raise CallError(
                _("Nothing of the prompt was understood: {prompt}").format(prompt=prompt),
                _("Say it in other words, or give the English with `--english TEXT`."),
            )
        if on_event is not None and found.english != prompt:
            on_event({"event": "english", **dataclasses.asdict(found)})
        said[prompt, given] = found.english
        return found.english

    english = spec.english
    for prompt in spec.prompts or (spec.prompt,):
        if prompt == spec.prompt:
            english = english_for(prompt, spec.english)
        else:
            english_for(prompt, "")
    given = spec.then_english + ("",) * (len(spec.then) - len(spec.then_english))
    then = tuple(english_for(*pair) for pair in zip(spec.then, given, strict=True))
    return dataclasses.replace(
        spec,
        english=english if english != spec.prompt else "",
        then_english=then if then != spec.then else (),
    )


def _stopped() -> Cancelled:
    return Cancelled(_("The generation was stopped."), _("Clips that were done are kept."))


def _outcome(told: Message) -> Exception:
    """The last word of the engine as the exception that it means."""
    if "cancelled" in told:
        return _stopped()
    if "leaving" in told:
        return _Left()
    if "error" in told:
        error = ReportedError(**told["error"])
        return CallError(error.title, error.hint) if error.kind == "CallError" else error
    if "held" in told:
        return _held(str(told["held"].get("run") or ""))
    log = _("Its log is in {log}.").format(log=engine_place().log)
    if "died" in told:
        number = told["died"]["signal"]
        title = (
            _("The engine's process was ended by signal {number}.").format(number=number)
            if number
            else _("The engine's process ended before it was done.")
        )
        return MusicHelperError(
            title,
            _("Perhaps the memory was not enough: try a smaller model or a shorter clip.") + " " + log,
        )
    return MusicHelperError(str(told.get("failure")), log)


def _held(run: str) -> MusicHelperError:
    if run:
        return MusicHelperError(
            _("The GPU belongs to the run {run} until it is done.").format(run=run),
            _(
                "Wait for it, stop it with `musichelper train stop {run}` and resume it later, or "
                "generate on the CPU with `--device cpu`."
            ).format(run=run),
        )
    return MusicHelperError(
        _("Another program of yours has the GPU."),
        _("Wait until it is done, or generate on the CPU with `--device cpu`."),
    )
