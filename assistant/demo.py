"""The whole job on a library of its own: from composed or given files to generated clips."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from assistant.config import Settings
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _, ngettext
from assistant.library.library import Library, create_library

MODEL = "demo"
POLL_SECONDS = 0.5

Show = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class DemoSize:
    """How much the demo makes; the defaults take a few minutes on two cores."""

    labelled: int = 12
    """Composed pieces for each genre folder."""
    unlabelled: int = 2
    """Composed pieces of each genre for the folder without a genre."""
    piece_seconds: float = 20.0
    steps: int = 200
    """Updates of the built-in model, each on one batch of short crops."""
    crop_seconds: float = 5.0
    clip_seconds: float = 8.0


@dataclass
class Step:
    """One step of the demo as it happened."""

    name: str
    seconds: float
    detail: str
    where: str = ""
    done: bool = True
    figures: dict[str, Any] = field(default_factory=dict)


def run_demo(
    root: Path,
    settings: Settings,
    *,
    source: Path | None = None,
    size: DemoSize = DemoSize(),
    seed: int = 0,
    show: Show | None = None,
) -> Iterator[Step]:
    """Do each step in turn and yield it when it is done; `show` gets the progress in between.

    The library is made in `root`, from pieces composed by rules or from copies of the music in
    `source`. A step that the music does not allow (too few tracks for a classifier, say) is
    yielded with `done=False` and its reason; the others go on.
    """
    show = show or (lambda event: None)
    library = _fresh_library(root, settings)
    truth: dict[str, str] = {}
    with library:
        steps: tuple[tuple[str, Callable[[], tuple[str, Path | None, dict[str, Any]]]], ...] = (
            (
                _("collect the music"),
                lambda: _compose(library, size, seed, truth) if source is None else _copy(library, source),
            ),
            (_("convert and caption"), lambda: _take_in(library, show)),
            (_("train the classifier"), lambda: _classify(library, show)),
            (_("propose and confirm"), lambda: _confirm(library, truth)),
            (_("encode to tokens"), lambda: _encode(library, show)),
            (_("fine-tune"), lambda: _finetune(library, size, seed, show)),
            (_("generate"), lambda: _generate(library, size, seed, show)),
        )
        for name, work in steps:
            show({"event": "begin", "name": name})
            started = time.monotonic()
            try:
                detail, where, figures = work()
                done = True
            except CallError:
                raise
            except MusicHelperError as error:
                detail, where, figures, done = f"{error.title} {error.hint}".strip(), None, {}, False
            yield Step(name, time.monotonic() - started, detail, str(where or ""), done, figures)


def _fresh_library(root: Path, settings: Settings) -> Library:
    if root.exists() and any(root.iterdir()):
        raise CallError(
            _("{root} is not empty.").format(root=root),
            _("Name a folder that does not exist yet: musichelper demo DIR"),
        )
    return create_library(root, settings)


def _compose(
    library: Library, size: DemoSize, seed: int, truth: dict[str, str]
) -> tuple[str, Path, dict[str, Any]]:
    from assistant.symbolic.compose import compose
    from assistant.symbolic.midi import write_midi

    genres = [genre for genre in library.settings.library.genres if genre in library.genres()]
    written = 0
    for genre in genres:
        for number in range(size.labelled + size.unlabelled):
            piece = compose(genre, seed * 1000 + number, size.piece_seconds)
            labelled = number < size.labelled
            path = _unused(library.root / (genre if labelled else library.unlabelled), piece.title, ".mid")
            write_midi(piece, path)
            written += 1
            if not labelled:
                truth[path.name] = genre
    detail = ngettext(
        "{count} piece composed, {unlabelled} without a genre",
        "{count} pieces composed, {unlabelled} without a genre",
        written,
    ).format(count=written, unlabelled=len(truth))
    return detail, library.root, {"pieces": written, "unlabelled": len(truth)}


def _unused(folder: Path, stem: str, suffix: str) -> Path:
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem} {number}{suffix}", number + 1
    return path


def _copy(library: Library, source: Path) -> tuple[str, Path, dict[str, Any]]:
    """Copy music files; those in a subfolder keep its name as their genre, the others have none."""
    from assistant.audio.formats import is_source_name

    if not source.is_dir():
        raise CallError(
            _("{folder} is not a folder.").format(folder=source), _("Name a folder with music: --from FOLDER")
        )
    copied = 0
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or not path.is_file() or not is_source_name(path.name):
            continue
        genre = inside.parts[0] if len(inside.parts) > 1 else library.unlabelled
        folder = library.root / genre
        folder.mkdir(exist_ok=True)
        shutil.copy2(path, _unused(folder, path.stem, path.suffix))
        copied += 1
    if not copied:
        raise CallError(
            _("{folder} holds no music files.").format(folder=source),
            _("MP3, FLAC, OGG, Opus, M4A, WMA, AIFF, WAV and MIDI are read."),
        )
    detail = ngettext("{count} file copied", "{count} files copied", copied).format(count=copied)
    return detail, library.root, {"pieces": copied}


def _take_in(library: Library, show: Show) -> tuple[str, Path, dict[str, Any]]:
    from assistant.intake.pipeline import run_once

    done, counts = 0, {"ready": 0, "failed": 0}
    for event in run_once(library):
        if event.event in counts:
            counts[event.event] += 1
            done += 1
            show({"event": "progress", "done": done, "total": None})
    if not counts["ready"]:
        raise CallError(
            _("None of the files could be read."),
            _("`musichelper --library {root} status` names each with its reason.").format(root=library.root),
        )
    detail = ngettext(
        "{count} track ready, {failed} failed", "{count} tracks ready, {failed} failed", counts["ready"]
    ).format(count=counts["ready"], failed=counts["failed"])
    return detail, library.root, counts


def _classify(library: Library, show: Show) -> tuple[str, Path, dict[str, Any]]:
    from assistant.classify.training import train_classifier

    report = train_classifier(library, on_event=show, model="cnn")
    detail = _("{accuracy:.0%} of held-out tracks right, chance {chance:.0%}").format(
        accuracy=report.accuracy, chance=report.chance
    )
    figures = {"accuracy": report.accuracy, "chance": report.chance, "version": report.version}
    return detail, library.paths.classifier / report.version, figures


def _confirm(library: Library, truth: dict[str, str]) -> tuple[str, Path, dict[str, Any]]:
    """Accept every proposal, as there is no person to ask; count how many were right if that is known."""
    from assistant.classify.predict import propose
    from assistant.label.decisions import Labeller
    from assistant.label.queue import review_queue

    propose(library)
    labeller = Labeller(library)
    accepted = right = 0
    for item in review_queue(library):
        if item.proposal is None:
            continue
        right += truth.get(item.track.path.name) == item.proposal.genre
        labeller.label(item.track.id, item.proposal.genre, decider="demo")
        accepted += 1
    if truth:
        detail = ngettext(
            "{count} proposal accepted, {right} of them right",
            "{count} proposals accepted, {right} of them right",
            accepted,
        ).format(count=accepted, right=right)
    else:
        detail = ngettext("{count} proposal accepted", "{count} proposals accepted", accepted).format(
            count=accepted
        )
    return detail, library.root, {"accepted": accepted, "right": right if truth else None}


def _encode(library: Library, show: Show) -> tuple[str, Path, dict[str, Any]]:
    from assistant.musicgen.models import BUILT_IN
    from assistant.musicgen.tokens import build_tokens

    summary = build_tokens(library, BUILT_IN, on_event=show)
    detail = ngettext(
        "{count} track, {minutes:.0f} minutes", "{count} tracks, {minutes:.0f} minutes", summary.tracks
    ).format(count=summary.tracks, minutes=summary.seconds / 60)
    return detail, library.paths.tokens, {"tracks": summary.tracks, "seconds": summary.seconds}


def _finetune(library: Library, size: DemoSize, seed: int, show: Show) -> tuple[str, Path, dict[str, Any]]:
    from assistant.musicgen.models import BUILT_IN
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.runs.events import read_events
    from assistant.runs.launch import start_finetune
    from assistant.runs.record import read_run, run_folder

    spec = FinetuneSpec.from_settings(
        library.settings,
        name=MODEL,
        model=BUILT_IN,
        steps=size.steps,
        accumulation=1,
        crop_seconds=size.crop_seconds,
        tags_share=0.0,  # in so few steps, one way of saying it is learnt better than three
        title_share=0.0,
        patience=0,
        sample_every=0,
        seed=seed,
    ).check()
    run = start_finetune(library, spec)
    while run.live:
        time.sleep(POLL_SECONDS)
        run = read_run(library, run.id)
        show({"event": "train", "step": run.step, "steps": run.steps, "loss": run.loss})
    if run.state != "done":
        error = run.error or {}
        raise MusicHelperError(
            error.get("title") or _("The fine-tune did not come to its end."),
            _("Its log is in {path}.").format(path=run_folder(library, run.id) / "log.txt"),
        )
    events, _end = read_events(run_folder(library, run.id))
    losses = [event["loss"] for event in events if event["event"] == "step"]
    window = max(1, len(losses) // 20)
    first, last = sum(losses[:window]) / window, sum(losses[-window:]) / window
    detail = _("{steps} steps, loss {first:.2f} → {last:.2f}, held out {valid:.2f}").format(
        steps=run.steps, first=first, last=last, valid=run.valid_loss if run.valid_loss is not None else last
    )
    figures = {"first_loss": first, "last_loss": last, "valid_loss": run.valid_loss, "run": run.id}
    return detail, run_folder(library, run.id), figures


def _generate(library: Library, size: DemoSize, seed: int, show: Show) -> tuple[str, Path, dict[str, Any]]:
    """One clip a genre, each from the caption of a track of that genre."""
    from assistant.musicgen.spec import GenerateSpec
    from assistant.serving.client import Generator

    clips = []
    generator = Generator(library)
    try:
        for number, (genre, prompt) in enumerate(prompts(library)):
            show({"event": "clip", "genre": genre, "done": number})
            spec = GenerateSpec.from_settings(
                library.settings, model=MODEL, prompt=prompt, duration=size.clip_seconds, seed=seed + number
            ).check()
            clips += [
                {"genre": genre, "path": str(clip.path), "prompt": prompt, "seed": clip.seed}
                for clip in generator.generate(spec)
            ]
    finally:
        generator.close()
    detail = ngettext(
        "{count} clip of {seconds:.0f} s", "{count} clips of {seconds:.0f} s", len(clips)
    ).format(count=len(clips), seconds=size.clip_seconds)
    return detail, library.paths.clips, {"clips": clips}


def prompts(library: Library, most: int = 10) -> list[tuple[str, str]]:
    """For each genre the caption of a track; without genres, the captions of some tracks."""
    found = [(genre, text) for genre in library.genres() for text in _captions(library, genre, 1)]
    return found or [(library.unlabelled, text) for text in _captions(library, library.unlabelled, most)]


def _captions(library: Library, folder: str, most: int) -> list[str]:
    captions = (track.caption for track in library.ledger.tracks(state="ready", folder=folder))
    return [(library.root / path).read_text("utf-8").strip() for path in islice(filter(None, captions), most)]
