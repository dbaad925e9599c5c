from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.library.library import Library, create_library
from assistant.runs import launch
from assistant.runs.kinds import KINDS, Kind
from assistant.runs.record import RunRecord, list_runs, read_run

FAKES = Path(__file__).with_name("worker_with_fakes.py")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A library whose runs may be of the kinds in `worker_with_fakes`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(launch, "WORKER_COMMAND", (sys.executable, str(FAKES)))
    for name in ("count", "fail", "numbers"):
        monkeypatch.setitem(KINDS, name, Kind(f"worker_with_fakes:{name}"))
    with create_library(tmp_path / "music") as library:
        yield library
        for record in list_runs(library):
            if record.live and record.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)


@pytest.fixture
def until(library: Library) -> Callable[..., RunRecord]:
    """Wait for something to be true of a run."""

    def wait(run_id: str, condition: Callable[[RunRecord], Any], seconds: float = 15.0) -> RunRecord:
        deadline = time.monotonic() + seconds
        while True:
            record = read_run(library, run_id)
            if condition(record):
                return record
            assert time.monotonic() < deadline, f"still {record}"
            time.sleep(0.05)

    return wait
