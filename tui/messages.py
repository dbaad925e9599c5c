"""What threads tell the app. Each message carries values only, never a widget or an open library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from assistant.label.queue import QueueItem
    from assistant.library.ledger import ClipRow, Track
    from assistant.musicgen.models import ModelInfo
    from assistant.runs.record import RunRecord
    from tui.following import RunView
    from tui.snapshot import Snapshot


@dataclass
class Failed(Message):
    """Work ended with an error that the person should read."""

    title: str
    hint: str
    group: str
    detail: str = ""


@dataclass
class SnapshotRead(Message):
    """What is in the library and what is going on."""

    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotRead)


@dataclass
class LibraryMade(Message):
    """The folder is a library now."""

    root: Path


@dataclass
class FoldersFound(Message):
    """Folders with music on this machine, with the number of files in each."""

    folders: list[tuple[Path, int]]


@dataclass
class TracksRead(Message):
    """Tracks as the ledger has them, the last changed first."""

    tracks: list[Track]


@dataclass
class Retried(Message):
    """Files that failed wait to be tried again."""

    count: int


@dataclass
class IntakeChanged(Message):
    """The watcher said something; the feed has what."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, IntakeChanged)


@dataclass
class QueueRead(Message):
    """The tracks that wait for a genre."""

    items: list[QueueItem]
    genres: list[str]


@dataclass
class Decided(Message):
    """A decision is in the ledger and its files have moved."""

    track: int
    action: str
    genre: str | None
    problems: list[tuple[str, str]]


@dataclass
class Undone(Message):
    """A step was taken back (or, with `again`, done again); no tracks where there was none."""

    tracks: list[int]
    action: str
    genre: str | None
    again: bool


@dataclass
class AcceptablesRead(Message):
    """What accepting all proposals from a probability on would do: (track, genre) pairs."""

    probability: float
    pairs: list[tuple[int, str]]


@dataclass
class Accepted(Message):
    """All proposals from a probability on were accepted, as one step."""

    tracks: list[int]
    problems: list[tuple[str, str]]


@dataclass
class DetailsRead(Message):
    """What is shown of a track beside its name."""

    track: int
    peaks: list[tuple[float, float]]
    caption: str
    playable: Path | None
    problem: str = ""


@dataclass
class PeaksRead(Message):
    """The waveform of a clip."""

    path: Path
    peaks: list[tuple[float, float]]


@dataclass
class ModelsRead(Message):
    """The models there are."""

    models: list[ModelInfo]


@dataclass
class RunStarted(Message):
    """A run was launched or goes on."""

    run: RunRecord


@dataclass
class RunAsked(Message):
    """A run was asked for something."""

    run: RunRecord
    word: str


@dataclass
class RunFollowed(Message):
    """A run with its curves so far."""

    view: RunView

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunFollowed)


@dataclass
class ClipsRead(Message):
    """The clips, newest first."""

    clips: list[ClipRow]


@dataclass
class GenerationMoved(Message):
    """How far a generation is: frames of one clip, or the model being loaded (total 0)."""

    clip: int
    clips: int
    done: int
    total: int

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, GenerationMoved)


@dataclass
class Generated(Message):
    """Clips were made."""

    paths: list[Path]
    seeds: list[int]


@dataclass
class GenerationEnded(Message):
    """Nothing is being generated any more, whether it went well or not."""

    cancelled: bool = False


@dataclass
class PlayerReady(Message):
    """How sound reaches the person, in one sentence."""

    kind: str
    sentence: str
    command: str
    """To run on the listener's own computer; may be empty."""
    link: str
    """To open in a browser; may be empty."""


@dataclass
class SettingsSaved(Message):
    """The configuration file has the new values."""

    path: Path
