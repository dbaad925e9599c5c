from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from assistant.library.library import Library
from assistant.musicgen import checkpoint
from tests.musicgen.finetunes import go, of, spec, weights
from tests.musicgen.tiny_models import NAME

SETTINGS = {
    "steps": 60,
    "batch_size": 2,
    "accumulation": 2,
    "validate_every": 10,
    "checkpoint_every": 20,
    "ema": 0.9,
    "method": "full",
}


def dies(work: Callable[[], object]) -> None:
    """Do it in a child process that is to be killed on the way."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def kill_self(*_arguments: object) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_sixty_steps_are_twenty_a_kill_and_the_rest(music_and_model: Library) -> None:
    library = music_and_model
    straight = go(library, spec("straight-60", **SETTINGS), "run-straight")
    folder = library.paths.runs / "run-killed"
    wanted = spec("resumed", **SETTINGS)

    def until_a_step() -> None:
        asked = iter(range(1000))
        go(library, wanted, "run-killed", lambda: kill_self() if next(asked) == 27 else None)

    def until_a_save() -> None:
        setattr(checkpoint, "_digest", kill_self)  # noqa: B010 - mypy
        go(library, wanted, "run-killed")

    dies(until_a_step)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir())[-1] == "step-00000020"
    dies(until_a_save)
    resumed = go(library, wanted, "run-killed")
    assert of(resumed, "start")[0]["step"] == 20
    expected = {event["step"]: event["loss"] for event in of(straight, "step")}
    assert all(event["loss"] == expected[event["step"]] for event in of(resumed, "step"))
    looks = [[event["loss"] for event in of(events, "validation")][-4:] for events in (straight, resumed)]
    assert looks[0] == looks[1]
    a, b = weights(library, "straight-60"), weights(library, "resumed")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not list((folder / "checkpoints").glob(".musichelper-*"))


def saved(folder: Path, step: int) -> Path:
    return checkpoint.save(
        folder,
        step,
        {"w": torch.full((3,), float(step))},
        {"n": step},
        {},
        average={"w": torch.zeros(3)},
    )


@pytest.mark.parametrize("name", ["weights.safetensors", "average.safetensors", "state.pt", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "flip", "empty", "gone", "other"])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path: Path, name: str, how: str) -> None:
    saved(tmp_path, 1)
    path = saved(tmp_path, 2) / name
    data = bytearray(path.read_bytes())
    match how:
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "flip":
            data[-2 if name != "manifest.json" else 5] ^= 4
            path.write_bytes(data)
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "other":
            path.write_bytes(os.urandom(len(data)))
    damaged: list[Path] = []
    found = checkpoint.load_newest(tmp_path, torch.device("cpu"), damaged.append)
    assert found is not None
    assert found.step == 1
    assert damaged == [tmp_path / "step-00000002"]


def test_a_save_is_whole_or_absent_whenever_it_is_killed(tmp_path: Path) -> None:
    chooser = random.Random(0)
    last = 0
    for _number in range(5):
        child = os.fork()
        if child == 0:
            for step in range(last + 1, 1_000_000):
                saved(tmp_path, step)
        time.sleep(chooser.uniform(0.02, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        damaged: list[Path] = []
        found = checkpoint.load_newest(tmp_path, torch.device("cpu"), damaged.append)
        assert damaged == []
        if found is not None:
            assert found.step >= last
            assert torch.equal(found.weights["w"], torch.full((3,), float(found.step)))
            last = found.step


def test_a_full_disk_costs_the_checkpoint_and_nothing_else(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoint._write_tensors
    calls = iter(range(1000))

    def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
        if next(calls) == 1:
            path.write_bytes(b"half")
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(path, tensors)

    monkeypatch.setattr(checkpoint, "_write_tensors", write)
    events = go(music_and_model, spec("full-disk", validate_every=0), "run-full-disk")
    assert "No space left" in of(events, "warning")[0]["text"]
    assert events[-1]["step"] == 6
    kept = {path.name for path in (music_and_model.paths.runs / "run-full-disk" / "checkpoints").iterdir()}
    assert kept == {"step-00000002", "step-00000006"}
    assert (music_and_model.paths.models / NAME).exists()
