"""Harlequin and posting with something to go through, each installed into an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.screen_measure import Result, measure, rest
from tests.bench.terminal import Terminal

REQUESTS = 200


def of_peer(name: str, folder: Path, tracks: int, keys: int) -> Result | None:
    """The same of a peer; None where it cannot be installed."""
    program = _program(folder, name)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as temporary:
        if name == "harlequin":
            return _harlequin(program, Path(temporary), tracks, keys)
        return _posting(program, Path(temporary), keys)


def _program(folder: Path, name: str) -> str | None:
    """The program of a peer, installed on first use; None where it cannot be."""
    place = folder / name
    program = place / "bin" / name
    packages = ["posting", "tree-sitter>=0.25,<0.26"] if name == "posting" else [name]  # 0.26 crashes it
    if not program.exists():
        for command in (
            ["uv", "venv", "--python", sys.executable, str(place)],
            ["uv", "pip", "install", "--python", str(place / "bin" / "python"), *packages],
        ):
            if shutil.which("uv") is None or subprocess.run(command, check=False).returncode:
                return None
    return str(program)


def _harlequin(program: str, folder: Path, tracks: int, keys: int) -> Result:
    """Its table of results."""

    def query(terminal: Terminal) -> None:
        terminal.send(f"select * from range({tracks})".encode())
        terminal.settle(quiet=0.5, most=3.0)
        terminal.send(b"\n")
        rest(terminal)
        rest(terminal)
        terminal.send(b"\x1b[15~")  # F5: the results
        terminal.settle(quiet=0.5, most=3.0)

    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    command = [program, "--no-download-tzdata", "--limit", str(tracks)]
    return measure("harlequin", command, "Query Editor", keys, prepare=query, environment=home)


def _posting(program: str, folder: Path, keys: int) -> Result:
    """A collection of requests."""
    requests = folder / "collection"
    requests.mkdir()
    for number in range(REQUESTS):
        text = f"name: request {number:03d}\nmethod: GET\nurl: http://127.0.0.1/{number}\n"
        (requests / f"request-{number:03d}.posting.yaml").write_text(text, "utf-8")
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}

    def tree(terminal: Terminal) -> None:
        terminal.send(b"\t\t")
        terminal.settle(quiet=0.5, most=3.0)

    command = [program, "--collection", str(requests)]
    return measure("posting", command, "Collection", keys, prepare=tree, environment=home)
