"""What each kind of run does. Imported only in a run's process, where torch may be loaded."""

from __future__ import annotations

from typing import Any

from assistant.runs.context import RunContext, RunStopped
from assistant.runs.helper import helpers


def finetune(run: RunContext) -> None:
    """Fine-tune a MusicGen model; goes on from the checkpoints in the run's folder where there are any."""
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.training import finetune as train

    spec = FinetuneSpec.from_dict(run.spec)
    with helpers(run.folder, spec.processes):
        for event in train(spec, run.library_root, run.folder, run.control):
            run.emit(event)


def classifier(run: RunContext) -> None:
    """Train the genre classifier, and propose genres with it unless the spec says `propose: false`."""
    from assistant.classify.predict import propose
    from assistant.classify.training import train_classifier

    def heed(event: dict[str, Any]) -> None:
        if event.get("event") == "epoch":
            event = {**event, "step": event.get("epoch"), "steps": event.get("epochs")}
        elif event.get("event") == "fold":
            event = {**event, "step": event.get("fold"), "steps": event.get("folds")}
        run.emit(event)
        # Training lives in a helper process: stopping it is leaving it, pausing is not reading on.
        match run.control():
            case "stop":
                raise RunStopped
            case "pause":
                run.emit({"event": "paused"})

    with run.library() as library:
        report = train_classifier(library, on_event=heed)
        proposals = propose(library, on_event=heed) if run.spec.get("propose", True) else 0
    run.emit(
        {
            "event": "end",
            "state": "done",
            "model": report.version,
            "results": {
                "accuracy": report.accuracy,
                "chance": report.chance,
                "proposals": proposals,
            },
        }
    )
