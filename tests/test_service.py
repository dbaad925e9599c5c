from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from assistant.cli import main
from assistant.commands.console import width
from assistant.commands.status import status_lines
from assistant.library.library import create_library
from assistant.service import systemd_unit, unit_name

NAMES = ["Music", "My Music", 'a "b" c', "50%off", "$HOME", "back\\slash", "歌曲", "semi;colon"]


@pytest.mark.parametrize("name", NAMES)
def test_systemd_understands_the_unit(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / name).mkdir()
    path = tmp_path / unit_name(tmp_path / name)
    path.write_text(systemd_unit(tmp_path / name), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert complaints == []


def test_the_unit_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_library(tmp_path / "Music").close()
    assert main(["--library", str(tmp_path / "Music"), "watch", "--systemd-unit"]) == 0
    told = capsys.readouterr()
    assert "[Service]" in told.out
    assert str(tmp_path / "Music") in told.out
    assert "  systemctl --user enable --now musichelper-Music.service" in told.err.splitlines()
    assert main(["--library", str(tmp_path / "Music"), "watch", "--systemd-unit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unit"] == told.out


def state(failed: int = 0, genres: int = 10, runs: int = 0) -> dict[str, object]:
    """A status as `--json` has it."""
    return {
        "library": "/home/a/Music",
        "tracks": {
            "total": 100,
            "by_genre": {f"genre {number}": number for number in range(genres)},
            "by_state": {"ready": 100 - failed, "failed": failed},
            "hours": 2.5,
        },
        "failed": [{"path": f"/m/rock/歌曲 {n}.mp3", "reason": "It is empty." * 9} for n in range(failed)],
        "put_off": [],
        "duplicates": 1,
        "watch": {"running": False},
        "classifier": None,
        "runs": [
            {"id": f"r{n}", "kind": "finetune", "state": "done", "step": 1, "steps": None, "loss": None}
            for n in range(runs)
        ],
    }


@pytest.mark.parametrize(("failed", "genres", "runs"), [(0, 2, 0), (90, 10, 5), (3, 10, 1), (200, 14, 9)])
def test_the_status_is_one_screen(failed: int, genres: int, runs: int) -> None:
    lines = status_lines(state(failed, genres, runs), 80, 22)
    assert len(lines) <= 22
    assert all(width(line) <= 80 for line in lines)
    shown = "\n".join(lines)
    assert "Nobody watches" in shown
    if failed == 3:
        assert "歌曲 2.mp3" in shown
        assert "more" not in shown
    if failed >= 90:
        assert "more; see" in shown
