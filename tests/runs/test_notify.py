from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assistant.config import NotifySettings
from assistant.runs.notify import command_line, run_command
from assistant.runs.record import RunRecord


def record(state: str = "done", name: str = "jazz") -> RunRecord:
    return RunRecord(
        id="r1", kind="finetune", name=name, state=state, created=0.0, launched=0.0, spec={}, device="cpu",
        error={"title": "The disk is full.", "hint": ""} if state == "failed" else None,
    )  # fmt: skip


def test_fields_fill_arguments_and_never_a_shells_line() -> None:
    settings = NotifySettings(command="tell --title '{title} ({state})' {name}")
    assert command_line(settings, record(name="a b; $(reboot)")) == [
        "tell",
        "--title",
        "The run a b; $(reboot) is done. (done)",
        "a b; $(reboot)",
    ]
    assert command_line(NotifySettings(), record()) == []


def test_the_command_is_run_and_its_trouble_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    settings = NotifySettings(command=f'{sys.executable} -c "{code}" {told} "{{title}}"')
    assert run_command(settings, record("failed")) == ""
    assert told.read_text() == "The run jazz failed: The disk is full."


@pytest.mark.parametrize("command", ["no-such-program-at-all", "'open", f"{sys.executable} -c 'exit(3)'"])
def test_a_wrong_command_is_a_sentence_and_no_error(command: str) -> None:
    assert run_command(NotifySettings(command=command), record())
