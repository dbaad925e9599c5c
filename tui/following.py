"""Following a run: its record, and its curves from the events that were added since."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assistant.library.library import Library

if TYPE_CHECKING:
    from assistant.runs.gpu import Gpu
    from assistant.runs.record import RunRecord

POINTS_KEPT = 4000
SMOOTHING = 0.9
RATE_STEPS = 20
NOTES_KEPT = 50

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class RunView:
    """A run at one moment; curves as (step, loss)."""

    run: RunRecord
    raw: Points = field(default_factory=list)
    smooth: Points = field(default_factory=list)
    validation: Points = field(default_factory=list)
    tokens_per_second: float | None = None
    learning_rate: float | None = None
    memory_bytes: int | None = None
    seconds_left: float | None = None
    notes: tuple[tuple[float, str], ...] = ()
    phase: tuple[str, int, int] | None = None
    """What is done before the first step: a word, done, total."""
    gpus: tuple[Gpu, ...] = ()


class RunFollower:
    """Reads one run again and again; each time only the end of its diary."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._next_byte = 0
        self._raw: Points = []
        self._smooth: Points = []
        self._validation: Points = []
        self._weight = 0.0
        self._average = 0.0
        self._moments: deque[tuple[float, float]] = deque(maxlen=RATE_STEPS)
        self._last: dict[str, Any] = {}
        self._notes: deque[tuple[float, str]] = deque(maxlen=NOTES_KEPT)
        self._phase: tuple[str, int, int] | None = None

    def read(self, library: Library) -> RunView:
        """The run as it is now."""
        from assistant.runs.events import read_events
        from assistant.runs.gpu import gpus
        from assistant.runs.record import read_run, run_folder

        run = read_run(library, self.run_id)
        events, self._next_byte = read_events(run_folder(library, run.id), self._next_byte)
        for event in events:
            self._heed(event)
        return RunView(
            run=run,
            raw=list(self._raw),
            smooth=list(self._smooth),
            validation=list(self._validation),
            tokens_per_second=self._last.get("tokens_per_second"),
            learning_rate=self._last.get("learning_rate"),
            memory_bytes=self._last.get("memory_bytes"),
            seconds_left=self._seconds_left(run),
            notes=tuple(self._notes),
            phase=self._phase,
            gpus=tuple(gpus()),
        )

    def _heed(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        moment = float(event.get("time") or time.time())
        step = event.get("step")
        if kind in ("step", "epoch") and step is not None:
            self._phase = None
            self._last |= {key: value for key, value in event.items() if value is not None}
            self._moments.append((moment, float(step)))
            self._add(float(step), event.get("loss"))
            if kind == "epoch":
                self._add_validation(float(step), event.get("valid_loss"))
        elif kind == "validation" and step is not None:
            self._phase = None
            self._add_validation(float(step), event.get("valid_loss", event.get("loss")))
        elif kind in ("warning", "paused", "resumed", "checkpoint", "start", "end"):
            words = str(event.get("text") or event.get("path") or "")
            self._notes.append((moment, f"{kind} {words}".strip()))
            if kind in ("paused", "resumed", "start"):
                self._moments.clear()
            if kind in ("start", "end"):
                self._phase = None
        elif kind == "preparing":
            self._phase = (str(event.get("what") or ""), 0, 0)
        elif "done" in event and "total" in event:
            self._phase = (str(kind), int(event["done"] or 0), int(event["total"] or 0))

    def _add(self, step: float, loss: Any) -> None:
        if not isinstance(loss, (int, float)) or not math.isfinite(loss):
            return
        # After a resume from a checkpoint the same steps come again; the newer ones count.
        while self._raw and self._raw[-1][0] >= step:
            self._raw.pop()
            self._smooth.pop()
        # Bias-corrected exponential moving average.
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        self._raw.append((step, float(loss)))
        self._smooth.append((step, self._average / self._weight))
        if len(self._raw) > POINTS_KEPT:
            self._raw, self._smooth = _halve(self._raw), _halve(self._smooth)

    def _add_validation(self, step: float, loss: Any) -> None:
        if isinstance(loss, (int, float)) and math.isfinite(loss):
            self._validation.append((step, float(loss)))

    def _seconds_left(self, run: RunRecord) -> float | None:
        if run.state != "running" or not run.steps or len(self._moments) < 2:
            return None
        (begin, first), (end, last) = self._moments[0], self._moments[-1]
        if last <= first or end <= begin:
            return None
        return (run.steps - last) * (end - begin) / (last - first)


def _halve(points: Points) -> Points:
    """The means of pairs: half the points, the same curve."""
    return [
        ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(points[::2], points[1::2], strict=False)
    ] + points[len(points) - len(points) % 2 :]
