from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from assistant.library.library import Library
from assistant.musicgen.dataset import Batch
from assistant.musicgen.learner import Learner
from assistant.musicgen.spec import FinetuneSpec
from tests.musicgen.finetunes import Events, go, of, spec, weights

Both = Callable[[Library, FinetuneSpec, str], Events]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Both:
    """Does a fine-tune in two processes of its own; the events of the first."""

    def run(library: Library, wanted: FinetuneSpec, name: str) -> Events:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for key, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", str(port))):
            monkeypatch.setenv(key, value)
        children = []
        for rank in (0, 1):
            child = os.fork()
            if child == 0:
                os.environ.update(WORLD_SIZE="2", RANK=str(rank))
                status = 1
                try:
                    (tmp_path / f"events-{rank}").write_text(json.dumps(go(library, wanted, name)))
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        events: Events = json.loads((tmp_path / "events-0").read_text())
        return events

    return run


@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_learn_what_one_learns(music_and_model: Library, both: Both, method: str) -> None:
    library = music_and_model
    wanted = spec(f"alone-{method}", method=method, batch_size=4, accumulation=1, ema=0.9)
    alone = go(library, wanted, f"run-alone-{method}")
    wanted = replace(wanted, name=f"both-{method}")
    together = both(library, wanted, f"run-both-{method}")
    assert of(together, "start")[0]["processes"] == 2
    for kind in ("step", "validation"):
        for one, other in zip(of(alone, kind), of(together, kind), strict=True):
            assert other["losses"] == pytest.approx(one["losses"], abs=2e-5)
    if method == "full":
        a, b = weights(library, wanted.name), weights(library, f"alone-{method}")
        assert all(torch.allclose(a[key], b[key], atol=1e-3) for key in a)


def test_where_one_process_has_too_little_memory_both_take_fewer_crops(
    music_and_model: Library, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = spec("roomy-2", batch_size=4, accumulation=1, validate_every=0)
    roomy = go(music_and_model, wanted, "run-roomy-2")
    real: Any = Learner._losses

    def losses(self: Learner, batch: Batch, scales: list[float]) -> Any:
        if len(batch) > 1 and os.environ["RANK"] == "1":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, batch, scales)

    monkeypatch.setattr(Learner, "_losses", losses)
    tight = both(music_and_model, replace(wanted, name="tight-2"), "run-tight-2")
    assert len(of(tight, "warning")) == 1  # two, one
    for one, other in zip(of(roomy, "step"), of(tight, "step"), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)


def test_shared_out_weights_learn_what_one_process_learns_and_resume_exactly(
    music_and_model: Library, both: Both
) -> None:
    library = music_and_model
    wanted = spec("alone-whole", method="full", batch_size=4, accumulation=1, ema=0.9, gradient_clip=0.05)
    alone = go(library, wanted, "run-alone-whole")
    shared = replace(wanted, name="shared", shard=True, processes=2)
    together = both(library, shared, "run-shared")
    assert any("shared out" in reason for reason in of(together, "start")[0]["reasons"])
    for kind in ("step", "validation"):
        for one, other in zip(of(alone, kind), of(together, kind), strict=True):
            assert other["losses"] == pytest.approx(one["losses"], abs=2e-5)
            if kind == "step":
                assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-4)
    a, b = weights(library, "shared"), weights(library, "alone-whole")
    assert all(torch.allclose(a[key], b[key], atol=1e-3) for key in a)
    checkpoints = library.paths.runs / "run-shared" / "checkpoints"
    shutil.rmtree(checkpoints / "step-00000006")
    again = both(library, shared, "run-shared")
    assert of(again, "start")[0]["step"] == 4
    assert [e["loss"] for e in of(again, "step")] == [e["loss"] for e in of(together, "step")[4:]]
