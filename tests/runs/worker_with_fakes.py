"""The run's process with kinds of its own, so that the machinery is tried without training anything."""

from __future__ import annotations

import os
import sys
import time

from assistant.errors import MusicHelperError
from assistant.runs import worker
from assistant.runs.context import RunContext
from assistant.runs.kinds import KINDS, Kind


def count(run: RunContext) -> None:
    """Step by step, with a checkpoint file; goes on from it; obeys like a trainer."""
    steps = int(run.spec["steps"])
    place = run.folder / "place"
    first = int(place.read_text()) + 1 if place.exists() else 1
    run.emit({"event": "start", "step": first - 1, "steps": steps, "pid": os.getpid()})
    for step in range(first, steps + 1):
        time.sleep(float(run.spec.get("seconds", 0.01)))
        run.emit(
            {"event": "step", "step": step, "steps": steps, "loss": 10.0 / step, "device": run.record.device}
        )
        match run.control():
            case "stop":
                place.write_text(str(step))
                run.emit({"event": "checkpoint", "step": step})
                run.emit({"event": "end", "state": "stopped", "step": step})
                return
            case "save":
                place.write_text(str(step))
                run.emit({"event": "checkpoint", "step": step})
            case "pause":
                place.write_text(str(step))
                run.emit({"event": "paused", "step": step})
    run.emit({"event": "validation", "step": steps, "valid_loss": 0.5})
    run.emit({"event": "end", "state": "done", "model": "counted", "results": {"count": steps}})


def fail(run: RunContext) -> None:
    match run.spec["how"]:
        case "explained":
            raise MusicHelperError("The music is too quiet.", "Turn it up.")
        case "memory":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        case "die":
            os.kill(os.getpid(), 9)
        case _:
            raise ValueError("broken")


def numbers(run: RunContext) -> None:
    import numpy

    run.emit({"event": "step", "step": numpy.int64(3), "loss": numpy.float32(1.5)})
    run.emit({"event": "step", "step": 4, "loss": float("nan"), "losses": [numpy.float64("inf"), 2.0]})


for name in ("count", "fail", "numbers"):
    KINDS[name] = Kind(f"{__name__}:{name}", device="")

if __name__ == "__main__":
    # What the kinds name must be importable by that name.
    sys.modules["worker_with_fakes"] = sys.modules["__main__"]
    sys.exit(worker.main(sys.argv[1:]))
