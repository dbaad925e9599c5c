"""Files are whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.files import maker_of_temporary, whole_file, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "caption.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["caption.txt"]


def test_an_existing_file_is_not_replaced_when_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with pytest.raises(FileExistsError), whole_file(path, overwrite=False) as temporary:
        temporary.write_bytes(b"ours")
        path.write_bytes(b"theirs, come at the last moment")
    assert path.read_bytes().startswith(b"theirs")
    assert os.listdir(tmp_path) == ["song.wav"]


def test_names_of_255_bytes_and_undecodable_names_can_be_written(tmp_path: Path) -> None:
    for name in ("歌" * 83 + ".json", os.fsdecode(b"caf\xe9.json")):
        write_json(tmp_path / name, {"title": "é"})
        assert (tmp_path / name).exists()


def test_a_killed_writer_leaves_no_torn_file(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    code = (
        "import sys; from pathlib import Path; from assistant.files import write_bytes\n"
        "while True: write_bytes(Path(sys.argv[1]), b'x' * 20_000_000)"
    )
    pids = set()
    for wait in (0.3, 0.5):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        pids.add(process.pid)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not path.exists() or path.stat().st_size == 20_000_000
        assert {maker_of_temporary(entry.name) for entry in tmp_path.iterdir() if entry != path} <= pids
