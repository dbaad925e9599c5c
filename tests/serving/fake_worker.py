"""An engine's worker that makes clips out of nothing, for the tests of `assistant.serving`."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from assistant.errors import CallError
from assistant.workers import Emit, check_cancelled, serve

STEP_SECONDS = 0.01
_loaded: list[str] = []


def generate(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    spec = request["spec"]
    if spec["prompt"] == "crash":
        print("no luck today", file=sys.stderr, flush=True)
        os.abort()
    if spec["prompt"] == "refuse":
        raise CallError("It cannot be.", os.environ["MUSICHELPER_LANGUAGE"])
    if spec["model"] not in _loaded:
        emit({"event": "loading"})
        _loaded[:] = [spec["model"]]
    clips = []
    for number in range(spec["count"]):
        steps = int(spec["duration"] * 50)
        for step in range(steps):
            check_cancelled()
            time.sleep(STEP_SECONDS)
            if step % 10 == 0:
                emit({"event": "tokens", "done": step, "total": steps, "clip": number})
        clip = {
            "path": f"{os.getpid()}",
            "seed": spec["seed"] + number,
            "duration": spec["duration"],
            "model": spec["model"],
            "prompt": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }
        clips.append(clip)
        emit({"event": "clip", **clip})
    return {"clips": clips}


if __name__ == "__main__":
    serve({"generate": generate})
