"""Learning from the person: how often proposals were kept, and when the head is trained anew."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from assistant.classify.models import NETWORKS
from assistant.classify.predict import propose
from assistant.classify.store import current_version, is_chosen
from assistant.classify.training import train_classifier
from assistant.config import Settings
from assistant.detach import leave_caller
from assistant.errors import MusicHelperError
from assistant.i18n import set_language
from assistant.library.library import Library
from assistant.priority import give_way

LEARNER_COMMAND = [sys.executable, "-m", "assistant.label.learning"]


@dataclass(frozen=True)
class LiveAccuracy:
    """What the person made of proposals: the accuracy on the music at hand."""

    kept: int
    """Decisions for the genre that was proposed."""
    decided: int
    """Decisions on tracks with a proposal."""

    @property
    def share(self) -> float | None:
        """Kept of decided; None before the first decision."""
        return self.kept / self.decided if self.decided else None


def live_accuracy(library: Library) -> LiveAccuracy:
    """How often the person kept what was proposed, over all decisions in force."""
    return LiveAccuracy(*library.ledger.kept_proposals())


def learning_is_due(library: Library) -> bool:
    """Whether the person decided often enough since the version in use was trained.

    Only where its training takes seconds, and where the person did not choose that version.
    """
    wanted = library.settings.classifier.retrain_after
    report = current_version(library)
    if not wanted or report is None or report.model in NETWORKS or is_chosen(library):
        return False
    return library.ledger.labelled_since(report.made) >= wanted


def learn(library: Library) -> int:
    """Train the head anew where that is due, and propose again; returns how many proposals are new.

    One process of a library learns at a time; the others go on with what there is.
    """
    with library.paths.learning_lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        if not learning_is_due(library):
            return 0
        train_classifier(library, model="musicnn", leaky=False)
        return propose(library)


def learn_in_background(library: Library) -> bool:
    """Learn in a process of its own where that is due; whether it is. What it says is in `learning_log`."""
    if not learning_is_due(library):
        return False
    with library.paths.learning_log.open("wb") as log:
        subprocess.run(
            LEARNER_COMMAND,
            input=msgspec.json.encode({"root": str(library.root), "settings": library.settings}),
            stdout=log,
            stderr=log,
            cwd="/",  # the folder it was started from may be unmounted
            check=False,
        )
    return True


def main() -> int:
    """Learn once for the library that standard input tells of, out of the caller's way."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Request)
    leave_caller()
    give_way()
    set_language("auto")
    try:
        with Library(Path(request.root), request.settings) as library:
            learn(library)
    except MusicHelperError as error:
        print(error.title, error.hint, sep="\n", file=sys.stderr)
        return 1
    return 0


class _Request(msgspec.Struct, frozen=True):
    root: str
    settings: Settings


if __name__ == "__main__":
    sys.exit(main())
