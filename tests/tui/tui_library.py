"""What the tests of the app share: a real library of files, ledger, runs and clips; waiting and looking."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from textual.pilot import Pilot

from assistant.files import write_text
from assistant.library.ledger import Proposal, Track
from assistant.library.library import Library
from assistant.runs.events import EventLog
from assistant.runs.record import RunRecord, run_folder, write_record

RATE = 44100

Opened = Callable[..., Any]
"""Opens the app: an asynchronous context manager that gives the pilot."""


def write_tone(path: Path, hertz: float = 220.0, seconds: float = 0.5) -> None:
    """A decaying tone."""
    moments = np.arange(int(RATE * seconds)) / RATE
    sound = np.sin(2 * np.pi * hertz * moments) * np.exp(-3 * moments) * 0.8
    path.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    soundfile.write(data, np.stack([sound, sound], 1), RATE, subtype="PCM_16", format="WAV")
    path.write_bytes(data.getvalue())  # soundfile cannot write every name that Linux allows


def add_track(library: Library, name: str, *, state: str = "ready", **values: Any) -> Track:
    """A WAV with its caption, and its row."""
    path = library.root / name
    if state == "failed":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no audio")
    else:
        write_tone(path, 110.0 + 10 * len(name))
    stat = path.stat()
    relative = Path(name)
    track = library.ledger.add_track(relative, f"{abs(hash(name)):032x}", stat.st_size, stat.st_mtime_ns)
    if state == "ready":
        caption = path.with_suffix(".txt")
        write_text(caption, "A short, calm piece with a decaying tone.\n")
        values = {
            "wav": relative,
            "caption": caption.relative_to(library.root),
            "duration": 0.5,
            "title": path.stem.encode("utf-8", "replace").decode(),
            "artist": "The Testers",
            **values,
        }
    library.ledger.update_track(track.id, state=state, **values)
    made = library.ledger.track(track.id)
    assert made is not None
    return made


def propose(library: Library, track: Track, *top: tuple[str, float]) -> None:
    """A proposal of the classifier."""
    library.ledger.set_proposals([Proposal(track.id, "v1", top[0][0], top[0][1], list(top), time.time())])


def add_run(library: Library, name: str = "jazz-0101", *, state: str = "done", steps: int = 60) -> RunRecord:
    """A run with its record and its diary, as its process would have left them."""
    run_id = f"20260101-120000-{name}"
    folder = library.paths.runs / run_id
    folder.mkdir(parents=True)
    now = time.time()
    record = RunRecord(
        id=run_id,
        kind="finetune",
        name=name,
        state=state,
        created=now - 120,
        launched=now - 120,
        started=now - 110,
        ended=None if state == "running" else now - 10,
        spec={},
        device="cpu",
        step=steps,
        steps=steps,
        loss=3.1,
        valid_loss=3.4,
        model=name,
    )
    write_record(folder, record)
    log = EventLog(folder)
    for step in range(1, steps + 1):
        loss = 3 + 4 * float(np.exp(-step / 20)) + 0.2 * float(np.sin(step))
        log.append(
            {"event": "step", "step": step, "steps": steps, "loss": loss, "learning_rate": 1e-4}
            | {"tokens_per_second": 1234.0}
        )
        if step % 20 == 0:
            log.append({"event": "validation", "step": step, "loss": loss + 0.3})
    log.append({"event": "end", "state": state, "model": name})
    log.close()
    return record


def add_codebooks_and_samples(library: Library, run: RunRecord) -> None:
    """Steps with the losses of four codebooks, two samples, a rollback and a log."""
    log = EventLog(run_folder(library, run.id))
    for step in (61, 62, 63):
        log.append({"event": "step", "step": step, "loss": 3.0, "losses": [3.0, 3.5, 4.0, 4.5]})
    for name, step in (("base", 0), ("step-60", 60)):
        path = run_folder(library, run.id) / "samples" / name / "0.wav"
        write_tone(path)
        base = run_folder(library, run.id) / "samples" / "base" / "0.wav"
        sample = {"event": "sample", "step": step, "path": str(path), "base": str(base), "prompt": "calm"}
        log.append({**sample, "seed": 3})
    log.append({"event": "rollback", "step": 60, "text": "It went back."})
    log.close()
    (run_folder(library, run.id) / "log.txt").write_text("first line\nthe [red]last[/] line\n")


def add_clip(library: Library, name: str, **recipe: Any) -> Path:
    """A clip with its recipe in the ledger."""
    path = library.paths.clips / name
    write_tone(path, seconds=1.0)
    full = {
        "prompt": "calm piano",
        "model": "mini",
        "duration": 1.0,
        "seed": 7,
        "temperature": 1.0,
        "top_k": 250,
        "top_p": 0.0,
        "cfg": 3.0,
        "continue_from": None,
        **recipe,
    }
    library.ledger.add_clip(path, full, 1.0)
    return path


async def until(
    pilot: Pilot[None], holds: Callable[[], object], what: str = "", seconds: float = 60.0
) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what or "waited in vain"
        await pilot.pause(0.02)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until all threads have answered and all is painted."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, and wait until they have done all they do."""
    await pilot.press(*keys)
    await settle(pilot)


def text_of(pilot: Pilot[None], selector: str) -> str:
    """What a widget of the screen in front says, however its lines are broken."""
    return " ".join(str(pilot.app.screen.query_one(selector).render()).split())


def screen_text(pilot: Pilot[None]) -> str:
    """All that is on the screen, as plain lines."""
    screen = pilot.app.screen
    lines = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)
