"""Telling a person who looks elsewhere that a run has ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.text import visible

if TYPE_CHECKING:
    from assistant.runs.record import RunRecord


def ended_runs(before: Sequence[RunRecord], now: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that went on before and do not any more."""
    live = {run.id for run in before if run.live}
    return [run for run in now if run.id in live and not run.live]


def notification(text: str) -> str:
    """The sequence (OSC 9) that asks the terminal for a notification; tmux is asked to hand it on."""
    sequence = f"\x1b]9;{visible(text)}\x07"
    if os.environ.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence
