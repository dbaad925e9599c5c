from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
import torch

from assistant.library.library import Library
from tests.musicgen.finetunes import go, of, spec, weights


@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_learn_what_one_learns(
    music_and_model: Library, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    library = music_and_model
    wanted = spec(f"alone-{method}", method=method, batch_size=4, accumulation=1, ema=0.9)
    alone = go(library, wanted, f"run-alone-{method}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", str(port)), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    wanted = replace(wanted, name=f"both-{method}")
    child = os.fork()
    if child == 0:
        os.environ["RANK"] = "1"
        status = 1
        try:
            go(library, wanted, f"run-both-{method}")
            status = 0
        finally:
            os._exit(status)
    monkeypatch.setenv("RANK", "0")
    both = go(library, wanted, f"run-both-{method}")
    assert os.waitpid(child, 0)[1] == 0
    assert of(both, "start")[0]["processes"] == 2
    for kind in ("step", "validation"):
        for one, other in zip(of(alone, kind), of(both, kind), strict=True):
            assert other["losses"] == pytest.approx(one["losses"], abs=2e-5)
    if method == "full":
        a, b = weights(library, wanted.name), weights(library, f"alone-{method}")
        assert all(torch.allclose(a[key], b[key], atol=1e-3) for key in a)
