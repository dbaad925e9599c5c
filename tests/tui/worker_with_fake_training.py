"""A run's process whose fine-tune is a countdown: the record, the diary and the control file are real."""

from __future__ import annotations

import sys
import time

from assistant.runs import worker
from assistant.runs.context import RunContext, RunStopped
from assistant.runs.kinds import KINDS, Kind

STEPS = 400


def train(run: RunContext) -> None:
    """Steps of 20 ms."""
    run.emit({"event": "start", "step": 0, "steps": STEPS})
    for step in range(1, STEPS + 1):
        run.emit(
            {"event": "step", "step": step, "steps": STEPS, "loss": 5.0 / step, "tokens_per_second": 9.0}
        )
        match run.control():
            case "stop":
                raise RunStopped
            case "save":
                run.emit({"event": "checkpoint", "step": step, "path": "checkpoint"})
            case "pause":
                run.emit({"event": "paused", "step": step})
        time.sleep(0.02)
    run.emit({"event": "end", "state": "done", "model": run.record.name})


if __name__ == "__main__":
    sys.modules["worker_with_fake_training"] = sys.modules["__main__"]
    KINDS["finetune"] = Kind("worker_with_fake_training:train", device="cpu")
    KINDS["classifier"] = Kind("worker_with_fake_training:train", device="cpu")
    sys.exit(worker.main(sys.argv[1:]))
