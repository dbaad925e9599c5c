"""What the app knows of a library at one moment, read in a thread and handed over frozen."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.library.ledger import Track
    from assistant.library.library import Library
    from assistant.runs.gpu import Gpu
    from assistant.runs.record import RunRecord

UNLABELLED_FOLDER = ""
RECENT_SHOWN = 12
WATCH_SHOWN = (
    "running", "pid", "backend", "watches", "watch_limit", "last_scan", "missed", "note", "hint",
)  # fmt: skip
MIN_GENRES_FOR_CLASSIFIER = 2
MIN_TRACKS_FOR_CLASSIFIER = 6


@dataclass(frozen=True)
class GenreCount:
    """One folder: tracks that are there, and seconds that are ready."""

    name: str
    tracks: int
    seconds: float


@dataclass(frozen=True)
class Snapshot:
    """The library and what goes on in it."""

    root: Path
    genres: tuple[GenreCount, ...] = ()
    unlabelled: GenreCount = field(default_factory=lambda: GenreCount("unknow", 0, 0.0))
    by_state: dict[str, int] = field(default_factory=dict)
    to_label: int = 0
    proposed: int = 0
    """Those of them with a proposal."""
    scored: int = 0
    """Those of them with a proposal of the classifier in use."""
    watch: dict[str, Any] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()
    classifier: tuple[str, float, float] | None = None
    """Version, held-out accuracy by track, chance."""
    kept: tuple[int, int] = (0, 0)
    """Proposals that the person kept, of those decided on."""
    labelled_today: int = 0
    """Labels that the person gave since midnight."""
    recent: tuple[Track, ...] = ()
    """What came in or failed last, the newest first."""
    clips: int = 0
    own_models: int = 0
    gpus: tuple[Gpu, ...] = ()

    @property
    def tracks(self) -> int:
        """All tracks that are there."""
        return sum(number for state, number in self.by_state.items() if state != "missing")

    @property
    def coming(self) -> int:
        """Tracks that wait or are in work."""
        return self.by_state.get("waiting", 0) + self.by_state.get("working", 0)

    @property
    def seconds(self) -> float:
        """Seconds of music that is ready."""
        return sum(genre.seconds for genre in (*self.genres, self.unlabelled))

    @property
    def live_runs(self) -> list[RunRecord]:
        """Runs at work, waiting or paused, newest first."""
        return [run for run in self.runs if run.live]

    @property
    def can_classify(self) -> bool:
        """Whether there is enough to train a classifier on."""
        filled = [genre for genre in self.genres if genre.tracks > 1]
        return (
            len(filled) >= MIN_GENRES_FOR_CLASSIFIER
            and sum(genre.tracks for genre in filled) >= MIN_TRACKS_FOR_CLASSIFIER
        )


class SnapshotReader:
    """Reads snapshots; the dear parts only when the ledger's file has changed."""

    def __init__(self) -> None:
        self._signature: tuple[object, ...] = ()
        self._counts: list[tuple[str, str, int, float]] = []
        self._queue = (0, 0, 0)
        self._recent: tuple[Track, ...] = ()

    def read(self, library: Library) -> Snapshot:
        """The library as it is now."""
        from assistant.classify.store import current_version
        from assistant.intake.watch import watch_state
        from assistant.runs.gpu import gpus
        from assistant.runs.record import list_runs

        report = current_version(library)
        self._look_again(library, report.version if report else "")
        totals: dict[str, list[float]] = {name: [0, 0.0] for name in library.genres()}
        totals[UNLABELLED_FOLDER] = [0, 0.0]
        by_state: dict[str, int] = {}
        for folder, state, number, seconds in self._counts:
            by_state[state] = by_state.get(state, 0) + number
            if state != "missing":
                name = UNLABELLED_FOLDER if folder == library.unlabelled else folder
                total = totals.setdefault(name, [0, 0.0])
                total[0] += number
                total[1] += seconds if state == "ready" else 0.0
        without = totals.pop(UNLABELLED_FOLDER)
        to_label, proposed, scored = self._queue
        return Snapshot(
            root=library.root,
            genres=tuple(GenreCount(name, int(n), s) for name, (n, s) in sorted(totals.items())),
            unlabelled=GenreCount(library.unlabelled, int(without[0]), without[1]),
            by_state=by_state,
            to_label=to_label,
            proposed=proposed,
            scored=scored,
            watch={name: value for name, value in watch_state(library).items() if name in WATCH_SHOWN},
            runs=tuple(list_runs(library)),
            classifier=(report.version, report.accuracy, report.chance) if report else None,
            kept=library.ledger.kept_proposals(),
            labelled_today=library.ledger.labelled_since(_midnight()),
            recent=self._recent,
            clips=library.ledger.count("clips"),
            own_models=_own_models(library),
            gpus=tuple(gpus()),
        )

    def _look_again(self, library: Library, version: str) -> None:
        signature = (*_signature(library.paths.ledger), version)
        if signature != self._signature:
            self._counts = library.ledger.counts()
            self._queue = library.ledger.waiting_counts(library.unlabelled, version)
            self._recent = tuple(library.ledger.recent_tracks(limit=RECENT_SHOWN))
            self._signature = signature


def _midnight() -> float:
    now = time.localtime()
    return time.mktime((*now[:3], 0, 0, 0, *now[6:]))


def _signature(path: Path) -> tuple[tuple[int, int], ...]:
    found = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            stat = name.stat()
        except FileNotFoundError:
            continue
        if stat.st_size:  # an empty log is made anew by each reader
            found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _own_models(library: Library) -> int:
    """Models in the library's own folder that were fine-tuned there."""
    if not library.paths.models.is_dir():
        return 0
    return sum(entry.is_dir() and not entry.name.startswith(".") for entry in library.paths.models.iterdir())
