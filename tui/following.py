"""Following a run: its record, and its curves from the events that were added since."""

from __future__ import annotations

import math
import os
import shutil
import statistics
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assistant.i18n import _
from assistant.library.library import Library

if TYPE_CHECKING:
    from assistant.runs.alerts import Alert
    from assistant.runs.gpu import Gpu
    from assistant.runs.record import RunRecord

POINTS_KEPT = 4000
SMOOTHING = 0.9
RATE_STEPS = 20
NOTES_KEPT = 50
LOADS_KEPT = 240

Points = list[tuple[float, float, float]]
"""Step, loss, and seconds of training until then."""


@dataclass(frozen=True)
class Sample:
    """A clip that a run made on its way, and what its base made of the same prompt and seed."""

    step: int
    path: str
    base: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class RunView:
    """A run at one moment."""

    run: RunRecord
    raw: Points = field(default_factory=list)
    smooth: Points = field(default_factory=list)
    validation: Points = field(default_factory=list)
    codebooks: list[Points] = field(default_factory=list)
    """Smoothed, the coarsest codebook first."""
    tokens_per_second: float | None = None
    learning_rate: float | None = None
    memory_bytes: int | None = None
    seconds_left: float | None = None
    notes: tuple[tuple[float, str], ...] = ()
    phase: tuple[str, int, int] | None = None
    """What is done before the first step: a word, done, total."""
    samples: tuple[Sample, ...] = ()
    alerts: tuple[Alert, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    loads: tuple[tuple[float, float], ...] = ()
    """Once a look: use of the GPU (or of the processors) and of its memory, 0 to 1."""
    log: tuple[str, ...] = ()


class Curve:
    """Points in the order of their steps, with their exponential moving average (bias-corrected)."""

    def __init__(self) -> None:
        self.raw: Points = []
        self.smooth: Points = []
        self._weight = 0.0
        self._average = 0.0

    def add(self, step: float, loss: Any, seconds: float) -> None:
        """Add a point; what is no finite number is left out."""
        if not isinstance(loss, (int, float)) or not math.isfinite(loss):
            return
        # After a resume from a checkpoint the same steps come again; the newer ones count.
        while self.raw and self.raw[-1][0] >= step:
            self.raw.pop()
            self.smooth.pop()
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        self.raw.append((step, float(loss), seconds))
        self.smooth.append((step, self._average / self._weight, seconds))
        if len(self.raw) > POINTS_KEPT:
            self.raw, self.smooth = _halve(self.raw), _halve(self.smooth)


class RunFollower:
    """Reads one run again and again; each time only the end of its diary."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._next_byte = 0
        self._loss = Curve()
        self._codebooks: list[Curve] = []
        self._validation: Points = []
        self._moments: deque[tuple[float, float]] = deque(maxlen=RATE_STEPS)
        self._last: dict[str, Any] = {}
        self._last_step_time: float | None = None
        self._seconds = 0.0
        self._notes: deque[tuple[float, str]] = deque(maxlen=NOTES_KEPT)
        self._warnings: deque[str] = deque(maxlen=5)
        self._rollbacks = 0
        self._samples: dict[str, Sample] = {}
        self._loads: deque[tuple[float, float]] = deque(maxlen=LOADS_KEPT)
        self._phase: tuple[str, int, int] | None = None

    def read(self, library: Library, *, log_lines: int = 0) -> RunView:
        """The run as it is now, with so many of the last lines of its log."""
        from assistant.runs.alerts import Course, alerts
        from assistant.runs.events import read_events
        from assistant.runs.gpu import gpus
        from assistant.runs.record import LOG_NAME, read_run, run_folder

        run = read_run(library, self.run_id)
        folder = run_folder(library, run.id)
        events, self._next_byte = read_events(folder, self._next_byte)
        for event in events:
            self._heed(event)
        cards = gpus()
        if run.live:
            self._loads.append(_load(run.device, cards))
        course = Course(
            smooth=[point[:2] for point in self._loss.smooth],
            validation=[point[:2] for point in self._validation],
            last_step_time=self._last_step_time,
            step_seconds=self._step_seconds(),
            rollbacks=self._rollbacks,
            learning_rate=self._last.get("learning_rate"),
            warnings=tuple(self._warnings),
        )
        return RunView(
            run=run,
            raw=list(self._loss.raw),
            smooth=list(self._loss.smooth),
            validation=list(self._validation),
            codebooks=[list(curve.smooth) for curve in self._codebooks],
            tokens_per_second=self._last.get("tokens_per_second"),
            learning_rate=self._last.get("learning_rate"),
            memory_bytes=self._last.get("memory_bytes"),
            seconds_left=self._seconds_left(run),
            notes=tuple(self._notes),
            phase=self._phase,
            samples=tuple(self._samples.values()),
            alerts=tuple(alerts(run, course, free_bytes=shutil.disk_usage(folder).free)),
            gpus=tuple(cards),
            loads=tuple(self._loads),
            log=tail(folder / LOG_NAME, log_lines) if log_lines else (),
        )

    def _heed(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        moment = float(event.get("time") or time.time())
        step = event.get("step")
        if kind in ("step", "epoch") and step is not None:
            self._phase = None
            self._last |= {key: value for key, value in event.items() if value is not None}
            if self._moments:
                self._seconds += max(0.0, moment - self._moments[-1][0])
            self._moments.append((moment, float(step)))
            self._last_step_time = moment
            self._loss.add(float(step), event.get("loss"), self._seconds)
            self._add_codebooks(float(step), event.get("losses"))
            if kind == "epoch":
                self._add_validation(float(step), event.get("valid_loss"))
        elif kind == "validation" and step is not None:
            self._phase = None
            self._add_validation(float(step), event.get("valid_loss", event.get("loss")))
        elif kind == "sample" and event.get("path"):
            path = str(event["path"])
            self._samples[path] = Sample(
                int(step or 0),
                path,
                str(event.get("base") or ""),
                str(event.get("prompt") or ""),
                int(event.get("seed") or 0),
            )
        elif kind in ("warning", "rollback", "paused", "resumed", "checkpoint", "start", "end"):
            self._note(str(kind), moment, event)
        elif kind == "preparing":
            self._phase = (str(event.get("what") or ""), 0, 0)
        elif "done" in event and "total" in event:
            self._phase = (str(kind), int(event["done"] or 0), int(event["total"] or 0))

    def _note(self, kind: str, moment: float, event: dict[str, Any]) -> None:
        words = str(event.get("text") or os.path.basename(str(event.get("path") or "")))  # noqa: PTH119
        self._notes.append((moment, f"{_note_words(kind)} {words}".strip()))
        if kind in ("paused", "resumed", "start"):
            self._moments.clear()
            self._last_step_time = moment
        if kind in ("start", "end"):
            self._phase = None
        if kind == "rollback":
            self._rollbacks += 1
        elif kind == "warning":
            self._warnings.append(words)

    def _add_codebooks(self, step: float, losses: Any) -> None:
        if not isinstance(losses, list) or len(losses) < 2:
            return
        while len(self._codebooks) < len(losses):
            self._codebooks.append(Curve())
        for curve, loss in zip(self._codebooks, losses, strict=False):
            curve.add(step, loss, self._seconds)

    def _add_validation(self, step: float, loss: Any) -> None:
        if isinstance(loss, (int, float)) and math.isfinite(loss):
            while self._validation and self._validation[-1][0] >= step:
                self._validation.pop()
            self._validation.append((step, float(loss), self._seconds))

    def _step_seconds(self) -> float | None:
        gaps = [b[0] - a[0] for a, b in zip(self._moments, list(self._moments)[1:], strict=False)]
        return statistics.median(gaps) if gaps else None

    def _seconds_left(self, run: RunRecord) -> float | None:
        if run.state != "running" or not run.steps or len(self._moments) < 2:
            return None
        (begin, first), (end, last) = self._moments[0], self._moments[-1]
        if last <= first or end <= begin:
            return None
        return (run.steps - last) * (end - begin) / (last - first)


def _note_words(kind: str) -> str:
    """What happened to a run, in the person's language."""
    return {
        "warning": _("warning"),
        "rollback": _("went back"),
        "paused": _("paused"),
        "resumed": _("goes on"),
        "checkpoint": _("saved"),
        "start": _("began"),
        "end": _("ended"),
    }[kind]


def tail(path: Any, lines: int, most_bytes: int = 32768) -> tuple[str, ...]:
    """The last lines of a text file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most_bytes))
            return tuple(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ()


def _load(device: str, cards: list[Gpu]) -> tuple[float, float]:
    for card in cards:
        if device == f"cuda:{card.index}":
            return (card.utilisation or 0) / 100, card.memory_used / (card.memory_total or 1)
    processors = os.cpu_count() or 1
    memory: dict[str, int] = {}
    try:
        with open("/proc/meminfo", "rb") as file:  # noqa: PTH123
            for line in file:
                name, _colon, rest = line.partition(b":")
                memory[name.decode()] = int(rest.split()[0])
    except (OSError, ValueError, IndexError):
        memory = {}
    used = 1 - memory["MemAvailable"] / memory["MemTotal"] if "MemAvailable" in memory else 0.0
    return min(1.0, os.getloadavg()[0] / processors), used


def _halve(points: Points) -> Points:
    """The means of pairs: half the points, the same curve."""
    halved = [
        ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)
        for a, b in zip(points[::2], points[1::2], strict=False)
    ]
    return halved + points[len(points) - len(points) % 2 :]
