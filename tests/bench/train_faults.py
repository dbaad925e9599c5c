"""A fine-tune that is killed at random moments, and one whose disk is full for a while.

    uv run python tests/bench/train_faults.py [--kills 100] [--write]

Each kill is SIGKILL to the process of a fine-tune of a tiny model that saves every few steps. It passes where
the next process goes on from a whole checkpoint with at most one save interval lost. The disk is a tmpfs in a
user namespace (`unshare -Urm`). Controls do the same to what is simplest: one file that `torch.save` writes
in place, and a loop that steps whatever the loss is.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table
from tests.bench.train_fault_cases import all_others, kills_of_a_file_in_place

INTERVAL = 4
STEPS_A_KILL = 12
"""Of the whole run, which must not end before its last kill."""


def prepared(root: Path) -> None:
    """A library with a tiny model."""
    from assistant.library.library import create_library
    from tests.musicgen.tiny_models import add_tracks, write_tiny_model

    with create_library(root) as library:
        add_tracks(library)
        write_tiny_model(library)


def train(root: Path, run: str, steps: int, told: Path | None = None) -> list[dict[str, object]]:
    """Do a fine-tune or go on with it; its last step is always in the file `told`."""
    from assistant.musicgen.training import finetune
    from tests.musicgen.finetunes import spec

    folder = root / ".musichelper" / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    wanted = spec(run, steps=steps, checkpoint_every=INTERVAL, validate_every=50, batch_size=2)
    events = []
    for event in finetune(wanted, root, folder, lambda: None):
        events.append(event)
        if told is not None and event["event"] in ("step", "start"):
            told.write_text(str(event["step"]))
    return events


def model_of(root: Path, run: str) -> bytes:
    """The trained weights as they are on the disk."""
    import torch

    path = root / ".musichelper" / "models" / run / "state_dict.bin"
    state = torch.load(path, weights_only=True)["best_state"]
    return b"".join(value.numpy().tobytes() for _name, value in sorted(state.items()))


def kills(root: Path, number: int) -> list[list[object]]:
    """Kill a run again and again, every other time in the middle of a save; a row for each kind."""
    import torch

    from assistant.musicgen import checkpoint

    prepared(root)
    steps = STEPS_A_KILL * number
    train(root, "quiet", steps)
    told = root / "told"
    folder = root / ".musichelper" / "runs" / "killed" / "checkpoints"
    chooser = random.Random(0)
    good, tried = [0, 0], [0, 0]
    for turn in range(number):
        told.write_text("")
        before = set(folder.glob(".*"))
        child = os.fork()
        if child == 0:
            try:
                train(root, "killed", steps, told)
            finally:
                os._exit(1)
        begun = _wait_for(lambda: told.read_text())
        wanted = int(begun) + chooser.randrange(INTERVAL)
        _wait_for(lambda: int(told.read_text() or 0) >= wanted)  # noqa: B023 - called at once
        saving = turn % 2
        if saving:
            _wait_for(lambda: set(folder.glob(".*")) - before)  # noqa: B023
            time.sleep(chooser.uniform(0.0, 0.01))
        else:
            time.sleep(chooser.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        caught = int(bool(set(folder.glob(".*")) - before))
        damaged: list[Path] = []
        found = checkpoint.load_newest(folder, torch.device("cpu"), damaged.append)
        reached = 0 if found is None else found.step
        tried[caught] += 1
        good[caught] += not damaged and int(told.read_text() or 0) - reached <= INTERVAL
    assert reached < steps, "more steps are needed for so many kills"
    train(root, "killed", steps)
    same = "" if model_of(root, "killed") == model_of(root, "quiet") else "not "
    end = f"in the end the model is {same}bit by bit that of a run without kills"
    return [
        ["kill -9 outside a save", tried[0], good[0], f"at most {INTERVAL} steps lost each time; {end}"],
        ["kill -9 in the middle of a save", tried[1], good[1], "the checkpoint before is taken"],
    ]


def _wait_for(found: Callable[[], Any]) -> Any:
    while not (result := found()):
        time.sleep(0.001)
    return result


def full_disk(folder: Path) -> dict[str, object]:
    """Fill the disk after a few steps, free it later; to be called inside a namespace of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "disk", str(folder)], check=True)
    from assistant.musicgen.training import finetune
    from tests.musicgen.finetunes import spec

    root = folder / "library"
    prepared(root)
    run = root / ".musichelper" / "runs" / "full"
    run.mkdir(parents=True)
    filler = folder / "filler"
    warned, kept = 0, []
    for event in finetune(
        spec("full", steps=40, checkpoint_every=4, validate_every=0), root, run, lambda: None
    ):
        if event["event"] == "step" and event["step"] == 10:
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
        if event["event"] == "step" and event["step"] == 26:
            kept = sorted(path.name for path in (run / "checkpoints").iterdir())
            filler.unlink()
        warned += event["event"] == "warning"
        last = event
    return {"warned": warned, "kept": kept, "state": last.get("state"), "step": last.get("step")}


def main() -> None:
    """Try and print; with --write also into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full-disk", type=Path, help=argparse.SUPPRESS)
    called = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # children are forked
    if called.full_disk:
        print(json.dumps(full_disk(called.full_disk)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as place:
        rows += kills(Path(place, "library"), called.kills)
        rows.append(kills_of_a_file_in_place(Path(place), called.kills // 4))
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "library")
        prepared(root)
        rows += all_others(root)
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            ["unshare", "-Urm", sys.executable, __file__, "--full-disk", place],
            capture_output=True,
            text=True,
            check=False,
        )
        told = (
            json.loads(done.stdout.splitlines()[-1])
            if done.returncode == 0
            else {"error": done.stderr[-300:]}
        )
        fine = told.get("state") == "done" and told.get("kept") == ["step-00000004", "step-00000008"]
        detail = f"{told['warned']} warnings, both checkpoints kept, then done" if fine else str(told)
        rows.append(["full disk for 16 steps", 1, int(fine), detail])
    words = table(["what", "times", "went on as it should", ""], rows)
    print(words)
    if called.write:
        save("train faults", words)


if __name__ == "__main__":
    main()
