"""Faults of a fine-tune beside kills and full disks, and controls that have no defence."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch

Row = list[object]
HOWS = ("cut", "flip", "empty", "gone", "other")
FILES = ("weights.safetensors", "average.safetensors", "state.pt", "manifest.json")


def all_others(root: Path) -> list[Row]:
    """A row for each, on a library that has the tiny model."""
    from assistant.library.library import Library

    with Library(root) as library:
        return [
            exact_resume(library),
            *damaged_checkpoints(root.parent / "damaged"),
            out_of_memory(library),
            no_number(library),
            no_number_without_defence(),
        ]


def exact_resume(library: Any) -> Row:
    """Sixty steps, and twenty, a kill and the rest."""
    from tests.musicgen.finetunes import go, of, spec, weights
    from tests.musicgen.test_resume import SETTINGS, dies, kill_self

    straight = go(library, spec("straight-60", **SETTINGS), "run-straight")
    wanted = spec("resumed", **SETTINGS)

    def until_a_step() -> None:
        asked = iter(range(1000))
        go(library, wanted, "run-killed", lambda: kill_self() if next(asked) == 27 else None)

    dies(until_a_step)
    resumed = go(library, wanted, "run-killed")
    begun = of(resumed, "start")[0]["step"]
    expected = {event["step"]: event["loss"] for event in of(straight, "step")}
    losses = max(abs(event["loss"] - expected[event["step"]]) for event in of(resumed, "step"))
    a, b = weights(library, "straight-60"), weights(library, "resumed")
    values = max(float((a[key] - b[key]).abs().max()) for key in a)
    detail = f"went on from {begun}; greatest difference of a loss {losses:g}, of a weight {values:g}"
    return ["60 steps, and 20 + kill + resume", 1, int(losses == values == 0 and begun == 20), detail]


def damage(path: Path, how: str) -> None:
    """Do this to a file."""
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
        return
    if how == "flip":
        data[len(data) * 3 // 4] ^= 4
    other: dict[str, bytes] = {
        "cut": bytes(data[: len(data) // 2]),
        "empty": b"",
        "other": os.urandom(len(data)),
    }
    path.write_bytes(other.get(how, bytes(data)))


def damaged_checkpoints(folder: Path) -> list[Row]:
    """Twenty damaged checkpoints; and the same done to a file of `torch.save`."""
    from assistant.musicgen import checkpoint
    from tests.musicgen.test_resume import saved

    good = 0
    for file in FILES:
        for how in HOWS:
            place = folder / f"{file}-{how}"
            saved(place, 1)
            damage(saved(place, 2) / file, how)
            damaged: list[Path] = []
            found = checkpoint.load_newest(place, torch.device("cpu"), damaged.append)
            good += found is not None and found.step == 1 and len(damaged) == 1
    unnoticed = 0
    for turn in range(20):
        path = folder / "plain.pt"
        torch.save({"w": torch.arange(1000.0) + turn}, path)
        damage(path, HOWS[turn % len(HOWS)])
        try:
            torch.load(path, weights_only=True)
            unnoticed += 1
        except Exception:
            continue
    return [
        [
            "checkpoint damaged: " + ", ".join(HOWS),
            20,
            good,
            "the one before is taken",
        ],
        [
            "control: one file of torch.save",
            20,
            0,
            f"{unnoticed} read as if whole, {20 - unnoticed} lost",
        ],
    ]


def kills_of_a_file_in_place(folder: Path, number: int) -> Row:
    """The control of kills: `torch.save` over the last checkpoint."""
    path, chooser, good = folder / "in-place.pt", random.Random(0), 0
    state = {str(part): torch.zeros(100_000) for part in range(20)}
    for _turn in range(number):
        torch.save(state, path)
        child = os.fork()
        if child == 0:
            while True:
                torch.save(state, path)
        time.sleep(chooser.uniform(0.02, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            torch.load(path, weights_only=True)
            good += 1
        except Exception:
            continue
    return [
        "control: kill -9 while torch.save writes in place",
        number,
        good,
        "the others cannot be read again",
    ]


def out_of_memory(library: Any) -> Row:
    """A card that holds one crop at a time."""
    from assistant.musicgen.learner import Learner
    from tests.musicgen.finetunes import go, of, spec

    wanted = {"batch_size": 4, "accumulation": 1, "validate_every": 0}
    roomy = go(library, spec("roomy", **wanted), "run-roomy")
    real: Any = Learner._losses

    def losses(self: Any, batch: Any, scales: list[float]) -> Any:
        if len(batch) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, batch, scales)

    setattr(Learner, "_losses", losses)  # noqa: B010
    tight = go(library, spec("tight", **wanted), "run-tight")
    setattr(Learner, "_losses", real)  # noqa: B010
    pairs = zip(of(roomy, "step"), of(tight, "step"), strict=True)
    far = max(abs(one["loss"] - other["loss"]) for one, other in pairs)
    warned = len(of(tight, "warning"))
    detail = f"{warned} warnings, 4 crops at once, then 2, then 1; greatest difference of a loss {far:.0e}"
    return ["out of memory in the first step", 1, int(far < 1e-5 and tight[-1]["state"] == "done"), detail]


def no_number(library: Any) -> Row:
    """A loss that is no number at a step."""
    from assistant.musicgen.learner import Learner
    from tests.musicgen.finetunes import go, of, spec, weights

    real, counter = Learner._losses, iter(range(1_000_000))

    def losses(self: Any, batch: Any, scales: list[float]) -> Any:
        loss, sums = real(self, batch, scales)
        factor = float("nan") if torch.is_grad_enabled() and next(counter) == 8 else 1.0
        return loss * factor, sums * factor

    setattr(Learner, "_losses", losses)  # noqa: B010
    events = go(
        library, spec("nan", steps=12, accumulation=1, validate_every=0, checkpoint_every=3), "run-nan"
    )
    setattr(Learner, "_losses", real)  # noqa: B010
    finite = all(bool(value.isfinite().all()) for value in weights(library, "nan").values())
    back = [(event["from"], event["step"]) for event in of(events, "rollback")]
    detail = f"went back from and to {back}, took other crops, said so, and ended"
    return ["a loss that is NaN in step 9", 1, int(finite and back == [(8, 6)]), detail]


def no_number_without_defence() -> Row:
    """The control: a loop that steps whatever the loss is."""
    weight = torch.nn.Parameter(torch.ones(8))
    optimizer = torch.optim.AdamW([weight])
    for step in range(12):
        loss = (weight.square().sum()) * (float("nan") if step == 8 else 1.0)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([weight], 1.0)
        optimizer.step()
        optimizer.zero_grad()
    lost = int((~weight.isfinite()).sum())
    return [
        "control: NaN in step 9, clipping alone",
        1,
        0,
        f"{lost} of 8 weights are NaN from then on",
    ]
