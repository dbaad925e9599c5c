from __future__ import annotations

from pathlib import Path

import pytest

from assistant.runs.record import RunRecord
from tui.next_step import next_step
from tui.snapshot import GenreCount, Snapshot

JAZZ = (GenreCount("blues", 4, 60.0), GenreCount("jazz", 4, 60.0))
RUN = RunRecord("r", "finetune", "mine", "running", 0.0, 0.0, {}, "cpu", step=1, steps=9)


@pytest.mark.parametrize(
    ("values", "go"),
    [
        ({}, "intake"),
        ({"by_state": {"waiting": 2}}, "intake"),
        ({"by_state": {"failed": 2}}, "intake"),
        ({"by_state": {"ready": 9}, "to_label": 3, "proposed": 2, "genres": JAZZ}, "label"),
        ({"by_state": {"ready": 9}, "to_label": 3, "genres": JAZZ}, "classifier"),
        ({"by_state": {"ready": 9}, "to_label": 3, "genres": JAZZ, "classifier": ("v", 0.5, 0.1)}, "label"),
        ({"by_state": {"ready": 9}, "to_label": 3}, "label"),
        ({"by_state": {"ready": 9}, "genres": JAZZ}, "train"),
        ({"by_state": {"ready": 9}, "genres": JAZZ, "runs": (RUN,)}, "train"),
        ({"by_state": {"ready": 9}, "genres": JAZZ, "own_models": 1}, "generate"),
    ],
)
def test_the_next_step_follows_from_what_is_there(values: dict[str, object], go: str) -> None:
    step = next_step(Snapshot(root=Path("/m"), **values), "~/m")  # type: ignore[arg-type]
    assert step.go == go
    assert step.sentence
