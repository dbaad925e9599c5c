"""What threads tell the pages for training, generating and listening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.messages import News

if TYPE_CHECKING:
    from assistant.library.ledger import ClipRow, Opinion
    from assistant.playback.ways import Way
    from assistant.runs.marks import RunMarks
    from tui.following import RunView


@dataclass
class PictureRead(News):
    """The log-mel picture of a sound: a byte a band for each column, the lowest band first."""

    path: Path
    columns: list[bytes]


@dataclass
class LoudnessRead(News):
    """Integrated loudness of files in LUFS; None where there is none."""

    lufs: dict[Path, float | None]


@dataclass
class TemplatesRead(News):
    """Captions of the person's own tracks, to write prompts from: (genre, caption) pairs."""

    captions: list[tuple[str, str]]


@dataclass
class Judged(News):
    """The person's opinion of a clip is in the ledger."""

    clip: ClipRow
    what: str


@dataclass
class JudgementUndone(News):
    """An opinion was taken back (or, with `again`, given again); None where there was none."""

    opinion: Opinion | None
    again: bool


@dataclass
class ClipExported(News):
    """A copy of a clip was written."""

    path: Path


@dataclass
class LookedAhead(News):
    """What a fine-tune with these values would take, as `preflight.Preflight` has it."""

    values: dict[str, Any]
    found: dict[str, Any]


@dataclass
class LookingAhead(News):
    """How far the look ahead is."""

    what: str
    done: int = 0
    total: int = 0

    def can_replace(self, message: object) -> bool:
        return isinstance(message, LookingAhead)


@dataclass
class RunsCompared(News):
    """Runs with their curves."""

    views: list[RunView]


@dataclass
class RunMarksRead(News):
    """Tags and notes by run."""

    marks: dict[str, RunMarks]


@dataclass
class WaysRead(News):
    """How sound can reach the person."""

    ways: list[Way]


@dataclass
class FirstSound(News):
    """The beginning of a clip that is still being made can be heard."""

    path: Path
    seconds: float
    """Of music that is there."""
    clip: int
