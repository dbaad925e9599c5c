"""What to do next, from what is there: one sentence and one action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.i18n import _, ngettext

if TYPE_CHECKING:
    from tui.snapshot import Snapshot


@dataclass(frozen=True)
class Step:
    """A proposal: `go` is the screen it leads to, or `classifier`."""

    sentence: str
    go: str


def next_step(snapshot: Snapshot, folder: str) -> Step:
    """The most useful thing to do now. `folder` is the library's path as it is shown."""
    ready = snapshot.by_state.get("ready", 0)
    failed = snapshot.by_state.get("failed", 0)
    if not snapshot.tracks:
        return Step(
            _(
                "Copy music into {folder}: into a genre's folder, or into {unlabelled} where you do not know."
            ).format(folder=folder, unlabelled=snapshot.unlabelled.name),
            "intake",
        )
    if not ready:
        if snapshot.coming:
            return Step(_("The first files are being converted. Watch them come in."), "intake")
        return Step(
            ngettext(
                "{count} file could not be read. See why.",
                "{count} files could not be read. See why.",
                failed,
            ).format(count=failed),
            "intake",
        )
    if snapshot.proposed:
        return Step(
            ngettext(
                "{count} track has a proposed genre. Confirm it with one key.",
                "{count} tracks have a proposed genre. Confirm each with one key.",
                snapshot.proposed,
            ).format(count=snapshot.proposed),
            "label",
        )
    live = snapshot.live_runs
    if live:
        return Step(_("The run {name} is going on. See its curve.").format(name=live[0].name), "train")
    if snapshot.to_label and snapshot.classifier is None and snapshot.can_classify:
        return Step(
            _("Train the genre classifier on what is labelled; it then proposes genres for the rest."),
            "classifier",
        )
    if snapshot.to_label:
        return Step(
            ngettext(
                "{count} track waits for a genre.", "{count} tracks wait for a genre.", snapshot.to_label
            ).format(count=snapshot.to_label),
            "label",
        )
    if not snapshot.own_models:
        return Step(_("All is labelled. Fine-tune MusicGen on it."), "train")
    return Step(_("Your model is ready. Generate a clip with it."), "generate")
