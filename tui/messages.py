"""What threads tell the app. Each message carries values only, never a widget or an open library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from assistant.classify.neighbours import Neighbour
    from assistant.classify.predict import SegmentGuess
    from assistant.doctor import Check
    from assistant.label.queue import QueueItem
    from assistant.label.views import View
    from assistant.library.ledger import ClipRow, Track
    from assistant.musicgen.models import ModelInfo
    from assistant.runs.record import RunRecord
    from tui.following import RunView
    from tui.labelling import Merged
    from tui.snapshot import Snapshot
    from tui.track_pages import TrackPages


class News(Message):
    """What a thread tells the page that asked, or the app."""


class TakesNews(MessagePump):
    """Leaves unread what comes when the app is being left: the widgets to show it go away meanwhile."""

    async def _on_message(self, message: Message) -> None:
        if self.app.is_running or not isinstance(message, News):
            await super()._on_message(message)


@dataclass
class Failed(News):
    """Work ended with an error that the person should read."""

    title: str
    hint: str
    group: str
    detail: str = ""


@dataclass
class SnapshotRead(News):
    """What is in the library and what is going on."""

    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotRead)


@dataclass
class LibraryMade(News):
    """The folder is a library now."""

    root: Path


@dataclass
class FoldersFound(News):
    """Folders with music on this machine, with the number of files in each."""

    folders: list[tuple[Path, int]]


@dataclass
class MachineSeen(News):
    """What was found about this machine, the most important first."""

    checks: list[Check]


@dataclass
class PagesRead(News):
    """The tracks of the ledger, or the failed ones, the last changed first."""

    pages: TrackPages
    failed: bool


@dataclass
class TracksRead(News):
    """Some of those tracks."""

    tracks: list[Track]


@dataclass
class Retried(News):
    """Files that failed wait to be tried again."""

    count: int


@dataclass
class IntakeChanged(News):
    """The watcher said something; the feed has what."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, IntakeChanged)


@dataclass
class QueueRead(News):
    """A queue merged with the one that was known, and where the last session left off in it."""

    merged: Merged
    genres: list[str]
    view: View = "waiting"
    order: str = "margin"
    track: int | None = None


@dataclass
class ViewsRead(News):
    """What can be gone through: how many tracks each queue holds, and when contradictions were looked for."""

    counts: dict[View, int]
    searched: float | None


@dataclass
class ReviewMoved(News):
    """How far the search for labels that the sound contradicts is."""

    done: int
    total: int

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ReviewMoved)


@dataclass
class ReviewDone(News):
    """The search for labels that the sound contradicts has ended."""

    found: int


@dataclass
class WhyRead(News):
    """What speaks for a track's proposal: what its parts sound like, and which tracks it resembles."""

    track: int
    segments: list[SegmentGuess]
    neighbours: list[Neighbour]
    problem: str = ""


@dataclass
class CaptionSaved(News):
    """A track has another caption now."""

    track: int
    caption: str


@dataclass
class ProposalsRead(News):
    """The tracks of the queue for which something is proposed now, and was not before."""

    learned: dict[int, QueueItem]


@dataclass
class Decided(News):
    """A decision is in the ledger and its files have moved."""

    track: int
    action: str
    genre: str | None
    problems: list[tuple[str, str]]


@dataclass
class Undone(News):
    """A step was taken back (or, with `again`, done again); no tracks where there was none."""

    tracks: list[int]
    action: str
    genre: str | None
    again: bool


@dataclass
class AcceptablesRead(News):
    """What accepting all proposals from a probability on would do: (track, genre) pairs, the surest first."""

    probability: float
    pairs: list[tuple[int, str]]
    least_sure: list[tuple[str, str]]
    """Those worth a look: names of files with their genres."""


@dataclass
class Accepted(News):
    """All proposals from a probability on were accepted, as one step."""

    tracks: list[int]
    problems: list[tuple[str, str]]


@dataclass
class DetailsRead(News):
    """What is shown of a track beside its name."""

    track: int
    peaks: list[tuple[float, float]]
    caption: str
    playable: Path | None
    problem: str = ""


@dataclass
class PeaksRead(News):
    """The waveform of a clip."""

    path: Path
    peaks: list[tuple[float, float]]


@dataclass
class Translated(News):
    """The English that a model would be told for what the setting `name` holds; empty: that very text, or it
    is not understood."""

    name: str
    prompt: str
    english: str


@dataclass
class ModelsRead(News):
    """The models there are."""

    models: list[ModelInfo]


@dataclass
class RunStarted(News):
    """A run was launched or goes on."""

    run: RunRecord


@dataclass
class RunAsked(News):
    """A run was asked for something."""

    run: RunRecord
    word: str


@dataclass
class RunFollowed(News):
    """A run with its curves so far."""

    view: RunView

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunFollowed)


@dataclass
class ClipsRead(News):
    """The clips, newest first."""

    clips: list[ClipRow]


@dataclass
class GenerationMoved(News):
    """How far a generation is: frames of one clip, or the model being loaded (total 0)."""

    clip: int
    clips: int
    done: int
    total: int

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, GenerationMoved)


@dataclass
class Generated(News):
    """Clips were made."""

    paths: list[Path]
    seeds: list[int]


@dataclass
class GenerationEnded(News):
    """Nothing is being generated any more, whether it went well or not."""

    cancelled: bool = False


@dataclass
class PlayerReady(News):
    """How sound reaches the person, in one sentence."""

    kind: str
    sentence: str
    command: str
    """To run on the listener's own computer; may be empty."""
    link: str
    """To open in a browser; may be empty."""
    heard: bool = True
    """Whether it reaches the person as things are."""


@dataclass
class SettingsSaved(News):
    """The configuration file has the new values."""

    path: Path
