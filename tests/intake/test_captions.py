"""Captions of a person and of plug-ins, through whole runs of intake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.caption import captioner
from assistant.cli import main
from assistant.library.library import Library
from tests.made_sounds import tone, write

OWN_WORDS = "A tune that my grandmother hummed.\n"


def watch_once(
    library: Library, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of `watch --once` and its events."""
    status = main([*options, "--library", str(library.root), "watch", "--once", "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def lose_ledger(library: Library) -> None:
    library.close()
    for path in library.paths.state.glob("ledger.db*"):
        path.unlink()


@pytest.mark.parametrize("lost", ["ledger", "ledger and WAV", "ledger, moved"])
def test_an_edited_caption_survives_a_lost_ledger(
    library: Library, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    assert watch_once(library, capsys)[0] == 0
    folder = library.root / "rock"
    (folder / "a.txt").write_text(OWN_WORDS)
    lose_ledger(library)
    if lost == "ledger and WAV":
        (folder / "a.wav").unlink()
    elif lost == "ledger, moved":
        (library.root / "jazz").mkdir(exist_ok=True)
        for name in ("a.flac", "a.wav", "a.txt", "a.json"):
            (folder / name).rename(library.root / "jazz" / name)
        folder = library.root / "jazz"
    for _run in range(2):
        assert watch_once(library, capsys)[0] == 0
        assert (folder / "a.txt").read_text() == OWN_WORDS
    assert sorted(path.name for path in folder.iterdir()) == ["a.flac", "a.json", "a.txt", "a.wav"]
    assert json.loads((folder / "a.json").read_text())["description"] == OWN_WORDS.strip()


def test_an_edited_caption_survives_without_anything_of_ours(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    watch_once(library, capsys)
    (library.root / "rock/a.txt").write_text(OWN_WORDS)
    lose_ledger(library)
    (library.root / "rock/a.json").unlink()
    assert watch_once(library, capsys)[0] == 0
    assert (library.root / "rock/a.txt").read_text() == OWN_WORDS


def test_an_edited_description_survives_a_lost_ledger(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    watch_once(library, capsys)
    info = library.root / "rock/a.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"description": OWN_WORDS.strip()}))
    lose_ledger(library)
    (library.root / "rock/a.wav").unlink()
    assert watch_once(library, capsys)[0] == 0
    assert json.loads(info.read_text())["description"] == OWN_WORDS.strip()
    assert (library.root / "rock/a.txt").read_text() == OWN_WORDS


PLUG_IN = """
class Stubborn:
    def caption(self, known):
        if known.title == "bad":
            raise ValueError("no words for [bold]this[/bold]\\n\\x1b[31mat all")
        if known.title == "exit":
            raise SystemExit(3)
        return "Heard: " + known.title
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The configuration that asks for an installed captioner which cannot describe everything."""
    package = tmp_path / "site"
    about = package / "stubborn_captions-1.0.dist-info"
    about.mkdir(parents=True)
    (package / "stubborn_captions.py").write_text(PLUG_IN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stubborn-captions\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{captioner.GROUP}]\nstubborn = stubborn_captions:Stubborn\n")
    monkeypatch.syspath_prepend(str(package))
    config = tmp_path / "config.toml"
    config.write_text('[caption]\ncaptioner = "stubborn"\n')
    captioner.load.cache_clear()
    yield config
    captioner.load.cache_clear()


def test_a_plug_in_that_fails_costs_only_its_own_caption(
    library: Library, plug_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("bad", "exit", "fine")):
        write(library.root / f"rock/{name}.flac", tone(1.0 + number / 2))
    status, events = watch_once(library, capsys, "--config", str(plug_in))
    assert status == 0
    ready = {Path(event["path"]).stem: event for event in events if event["event"] == "ready"}
    assert set(ready) == {"bad", "exit", "fine"}
    captions = {name: (library.root / f"rock/{name}.txt").read_text() for name in ready}
    assert captions["fine"] == "Heard: fine\n"
    for name, reason in (("bad", "no words for"), ("exit", "SystemExit")):
        assert "rock" in captions[name]
        told = ready[name]["hint"]
        assert reason in told
        assert "built-in" in told
        assert told.isprintable()
        assert json.loads((library.root / f"rock/{name}.json").read_text())["description"] in captions[name]
    assert {event["event"] for event in watch_once(library, capsys, "--config", str(plug_in))[1]} == {"done"}
