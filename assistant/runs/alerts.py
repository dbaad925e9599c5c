"""What a person should know about a run, in plain words, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.i18n import _, ngettext
from assistant.runs.record import RunRecord

SILENT_SECONDS = 120.0
SILENT_STEPS = 30
"""A run is silent when no step has come for so many times the usual time of one, or the seconds above."""
RISING_LOOKS = 2
RISE = 0.02
"""Nats by which held-out loss counts as risen over its best."""
SLOW_STEPS = 150
SMALLEST_FALL = 0.01
"""Share of the first loss that must be gone after `SLOW_STEPS`."""
LITTLE_SPACE = 2 * 10**9

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Alert:
    """One thing to know. `kind` is error, warning or hint."""

    kind: str
    title: str
    what_to_do: str = ""


@dataclass(frozen=True)
class Course:
    """How a run went so far, as its events tell."""

    smooth: Points = ()
    """Step and smoothed loss."""
    validation: Points = ()
    """Step and held-out loss."""
    last_step_time: float | None = None
    """Unix time."""
    step_seconds: float | None = None
    rollbacks: int = 0
    learning_rate: float | None = None
    warnings: Sequence[str] = ()
    """Of the run itself, the newest last."""


def alerts(
    run: RunRecord, course: Course, *, now: float | None = None, free_bytes: int | None = None
) -> list[Alert]:
    """The most serious first; empty where all is well."""
    now = time.time() if now is None else now
    found: list[Alert] = []
    if run.error:
        found.append(Alert("error", run.error.get("title", ""), run.error.get("hint", "")))
    if run.state == "queued" and run.waits_for:
        found.append(
            Alert(
                "hint",
                _("It waits for the run {run} on {device}.").format(run=run.waits_for, device=run.device),
                _("It begins by itself when that one ends; or stop that one."),
            )
        )
    if run.state == "running":
        found += _while_running(course, now, free_bytes)
    found += _of_the_course(run, course)
    found += [Alert("warning", text) for text in list(course.warnings)[-2:]]
    order = {"error": 0, "warning": 1, "hint": 2}
    return sorted(found, key=lambda alert: order[alert.kind])


def _while_running(course: Course, now: float, free_bytes: int | None) -> list[Alert]:
    found = []
    if course.last_step_time is not None:
        silent = now - course.last_step_time
        if silent > max(SILENT_SECONDS, SILENT_STEPS * (course.step_seconds or 0.0)):
            found.append(
                Alert(
                    "warning",
                    ngettext(
                        "No step has come for {count} minute.",
                        "No step has come for {count} minutes.",
                        round(silent / 60),
                    ).format(count=round(silent / 60)),
                    _("Something else may hold it up: see the log. If it stays so, stop and resume it."),
                )
            )
    if free_bytes is not None and free_bytes < LITTLE_SPACE:
        found.append(
            Alert(
                "warning",
                _("Only {free:.1f} GB are free on the library's disk.").format(free=free_bytes / 1e9),
                _("Free some space: without it no checkpoint and no model can be written."),
            )
        )
    return found


def _of_the_course(run: RunRecord, course: Course) -> list[Alert]:
    found = []
    if course.rollbacks:
        rate = (
            _(" Half of the present rate is {rate:.1e}.").format(rate=course.learning_rate / 2)
            if course.learning_rate
            else ""
        )
        found.append(
            Alert(
                "warning",
                ngettext(
                    "The training went wrong and went back to a good state {count} time.",
                    "The training went wrong and went back to a good state {count} times.",
                    course.rollbacks,
                ).format(count=course.rollbacks),
                _("If it comes again, start anew with a lower learning rate.") + rate,
            )
        )
    looks = [loss for _step, loss in course.validation]
    if len(looks) > RISING_LOOKS:
        best = min(range(len(looks)), key=looks.__getitem__)
        if len(looks) - 1 - best >= RISING_LOOKS and looks[-1] > looks[best] + RISE:
            found.append(
                Alert(
                    "hint" if not run.live else "warning",
                    _(
                        "The held-out loss has risen since step {step:.0f}: it begins to learn by heart."
                    ).format(step=course.validation[best][0]),
                    _("You can stop it: the model that comes out is the one of that step.")
                    if run.live
                    else _("The model is the one of that step. More music, or fewer steps, would help."),
                )
            )
    if len(course.smooth) > 1 and course.smooth[-1][0] >= SLOW_STEPS:
        first, last = course.smooth[0][1], course.smooth[-1][1]
        if last > first * (1 - SMALLEST_FALL):
            found.append(
                Alert(
                    "warning",
                    _("The loss has hardly fallen in {steps:.0f} steps.").format(steps=course.smooth[-1][0]),
                    _("Try a higher learning rate, and look whether the captions fit the music."),
                )
            )
    return found
