"""Learning from the person: how often proposals were kept, and when the head is trained anew."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.classify.models import NETWORKS
from assistant.classify.predict import propose
from assistant.classify.store import current_version, is_chosen
from assistant.classify.training import train_classifier
from assistant.library.library import Library


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
    """Train the head anew where that is due, and propose again; returns how many proposals are new."""
    if not learning_is_due(library):
        return 0
    train_classifier(library, model="musicnn", leaky=False)
    return propose(library)
