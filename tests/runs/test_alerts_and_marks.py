"""What is said of a run: alerts in plain words, tags and notes, differences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli import main
from assistant.errors import CallError
from assistant.library.library import Library
from assistant.runs.alerts import Course, alerts
from assistant.runs.compare import differences
from assistant.runs.marks import RunMarks, all_marks, mark_run, read_marks
from assistant.runs.record import RunRecord, run_folder, write_record
from assistant.runs.worker import kind_of


def record(name: str = "one", state: str = "running", **values: object) -> RunRecord:
    known: dict[str, object] = {"spec": {}, "device": "cpu", "created": 1.0, "launched": 1.0, **values}
    return RunRecord(id=name, kind="finetune", name=name, state=state, **known)  # type: ignore[arg-type]


def titles(run: RunRecord, course: Course, **values: float) -> list[str]:
    return [alert.title for alert in alerts(run, course, **values)]  # type: ignore[arg-type]


def test_a_run_that_goes_well_needs_nothing() -> None:
    falling = [(float(step), 6.0 - step / 100) for step in range(300)]
    looks = [(50.0, 4.0), (100.0, 3.5), (150.0, 3.51), (200.0, 3.4)]
    course = Course(falling, looks, last_step_time=990.0, step_seconds=2.0)
    assert alerts(record(), course, now=1000.0, free_bytes=10**11) == []


def test_silence_little_space_and_going_back_are_told_with_what_to_do() -> None:
    course = Course(last_step_time=0.0, step_seconds=1.0, rollbacks=2, learning_rate=1e-4)
    found = alerts(record(), course, now=600.0, free_bytes=10**9)
    assert [alert.title for alert in found] == [
        "No step has come for 10 minutes.",
        "Only 1.0 GB are free on the library's disk.",
        "The training went wrong and went back to a good state 2 times.",
    ]
    assert "5.0e-05" in found[2].what_to_do
    assert all(alert.what_to_do for alert in found)
    slow = Course(last_step_time=0.0, step_seconds=60.0)
    assert alerts(record(), slow, now=600.0) == []
    assert alerts(record(state="paused"), course, now=600.0)[0].title.startswith("The training")


def test_learning_by_heart_and_not_learning_are_told() -> None:
    looks = [(50.0, 4.0), (100.0, 3.0), (150.0, 3.1), (200.0, 3.2)]
    (alert,) = alerts(record(), Course(validation=looks))
    assert "step 100" in alert.title
    assert "stop it" in alert.what_to_do
    (alert,) = alerts(record(state="done"), Course(validation=looks))
    assert alert.kind == "hint"
    flat = [(float(step), 5.0) for step in range(1, 200)]
    assert titles(record(), Course(smooth=flat)) == ["The loss has hardly fallen in 199 steps."]
    assert titles(record(), Course(smooth=flat[:100])) == []


def test_the_error_comes_first_and_the_runs_own_warnings_are_kept() -> None:
    failed = record(state="failed", error={"title": "It broke.", "hint": "Mend it.", "kind": "memory"})
    found = alerts(failed, Course(warnings=["one", "two", "three"]))
    assert [(alert.kind, alert.title) for alert in found] == [
        ("error", "It broke."),
        ("warning", "two"),
        ("warning", "three"),
    ]
    (alert,) = alerts(record(state="queued", waits_for="other"), Course())
    assert "other" in alert.title


def test_what_was_wanting_is_known_through_the_chain_of_causes() -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    def caused(error: BaseException, cause: BaseException) -> BaseException:
        error.__cause__ = cause
        return error

    assert kind_of(caused(ValueError("a"), OutOfMemoryError("b"))) == "memory"
    assert kind_of(OSError(28, "No space left on device")) == "disk"
    assert kind_of(ValueError("plain")) == ""


@pytest.fixture
def runs(library: Library) -> Library:
    for name, rate in (("one", 1e-4), ("two", 1e-3)):
        folder = library.paths.runs / name
        folder.mkdir(parents=True)
        spec = {"learning_rate": rate, "steps": 10, "name": name}
        write_record(folder, record(name, "done", spec=spec, loss=3.0))
    return library


def test_tags_and_notes_lie_beside_the_record(runs: Library) -> None:
    assert all_marks(runs) == {}
    mark_run(runs, "one", tags=(" best ", "drums", "best"))
    mark_run(runs, "one", note="listen [again]")
    assert read_marks(runs, "one") == RunMarks(("best", "drums"), "listen [again]")
    assert set(all_marks(runs)) == {"one"}
    (run_folder(runs, "one") / "marks.json").write_text("{broken")
    assert read_marks(runs, "one") == RunMarks()
    for tag in ("a,b", "x" * 50, "a\x1bb"):
        with pytest.raises(CallError):
            mark_run(runs, "one", tags=(tag,))
    with pytest.raises(CallError):
        mark_run(runs, "no such run", note="x")


def test_only_what_differs_is_compared() -> None:
    runs = [
        record("a", spec={"steps": 10, "rank": 8, "name": "a"}),
        record("b", spec={"steps": 10, "rank": 16, "name": "b", "ema": 0.9}, device="cuda:0"),
    ]
    assert differences(runs) == [("device", ("cpu", "cuda:0")), ("rank", (8, 16)), ("ema", ("–", 0.9))]


def test_the_command_line_marks_and_compares(runs: Library, capsys: pytest.CaptureFixture[str]) -> None:
    def called(*words: str) -> dict[str, object]:
        assert main(["--library", str(runs.root), "train", *words, "--json"]) == 0
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        return document

    assert called("tag", "one", "good", "slow")["tags"] == ["good", "slow"]
    assert called("note", "one", "nice")["note"] == "nice"
    listed = {run["run"]: run for run in called("list")["runs"]}  # type: ignore[attr-defined]
    assert (listed["one"]["tags"], listed["one"]["note"]) == (["good", "slow"], "nice")
    compared = called("compare", "one", "two")
    assert compared["differences"] == {"learning_rate": [1e-4, 1e-3]}
    assert main(["--library", str(runs.root), "train", "compare", "one", "two"]) == 0
    assert "0.0001" in capsys.readouterr().out


def test_a_marks_file_is_no_run(runs: Library) -> None:
    (runs.paths.runs / "stray").write_text("x")
    assert all_marks(runs) == {}
    assert isinstance(run_folder(runs, "one"), Path)
