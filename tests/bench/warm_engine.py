"""What the warm engine saves: `musichelper generate` three times in a row, and how fast a clip is cancelled.

    uv run python -m tests.bench.warm_engine [--write]

The peer is the same work in a process that is started for each call, as a script around audiocraft does it.
The weights are random ones of the tests' tiny model, so that what is left is starting and loading.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from assistant.errors import Cancelled
from assistant.library.library import Library, create_library
from assistant.musicgen.client import heavy_worker
from assistant.musicgen.spec import GenerateSpec
from assistant.serving import start
from assistant.serving.client import Generator
from tests.bench import results
from tests.musicgen.tiny_models import NAME, write_tiny_model

SECONDS = 2.0


def main() -> None:
    """Print the table, and with --write put it into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    with tempfile.TemporaryDirectory(prefix="mh-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        with create_library(Path(folder) / "library") as library:
            write_tiny_model(library)
            try:
                text = measured(library)
            finally:
                start.stop()
    print(text)
    if parser.parse_args().write:
        results.save("The warm engine", text)


def measured(library: Library) -> str:
    """The table."""
    alone = [_alone(library) for _time in range(2)][-1]  # the first fills the disk's cache
    calls = [_command(library) for _time in range(3)]
    rows = [("a process for each call", f"{alone:.2f}", "1.0")]
    names = ("`musichelper generate`, the engine is started", "again", "again")
    rows += [(name, f"{took:.2f}", f"{alone / took:.1f}") for name, took in zip(names, calls, strict=True)]
    text = results.table((f"A clip of {SECONDS:.0f} s", "seconds", "times as fast"), rows)
    return text + f"\nCancelled in the middle of a clip, told after {_cancelling(library) * 1e3:.0f} ms.\n"


def _spec(seconds: float = SECONDS) -> GenerateSpec:
    return GenerateSpec(model=NAME, prompt="a jazz tune", duration=seconds, seed=1, device="cpu")


def _alone(library: Library) -> float:
    began = time.perf_counter()
    with heavy_worker() as worker:
        request = {"library": str(library.root), "spec": _spec().as_dict()}
        worker.call("generate", {**request, "continue_from": None, "melody": None})
    return time.perf_counter() - began


def _command(library: Library) -> float:
    spec = _spec()
    settings = [f"--model={spec.model}", f"--prompt={spec.prompt}", f"--duration={spec.duration}"]
    settings += ["--device=cpu", "--seed=1"]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "assistant.cli", "--library", str(library.root), "generate", *settings],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def _cancelling(library: Library) -> float:
    generator, moving, asked = Generator(library), threading.Event(), 0.0

    def stop() -> None:
        nonlocal asked
        moving.wait()
        time.sleep(0.5)
        asked = time.perf_counter()
        generator.cancel()

    threading.Thread(target=stop).start()
    try:
        generator.generate(_spec(300.0), lambda event: moving.set() if event["event"] == "tokens" else None)
    except Cancelled:
        return time.perf_counter() - asked
    raise AssertionError("it was not cancelled")


if __name__ == "__main__":
    main()
