"""Names of every kind, from the folder through intake, caption, label and status to the screen."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from assistant.cli import main
from assistant.config import IntakeSettings, Settings
from assistant.intake.pipeline import run_once
from assistant.label.decisions import Labeller
from assistant.label.names import garbled_names
from assistant.library.library import Library, create_library
from assistant.library.scan import display_name
from assistant.status import status
from tests.made_sounds import tone, write
from tui.text import visible

NAMES: list[str | bytes] = [
    b"caf\xe9 \xff",
    "七里香".encode("big5"),
    "x" * 250,
    "長" * 83,
    unicodedata.normalize("NFC", "Ångström"),
    unicodedata.normalize("NFD", "Ångström"),
    "new\nline",
    "tab\tand\rreturn",
    "-rf",
    "--help",
    "[Artist] Title",
    "x [red]",
    "[@click=app.quit]press",
    "\x1b[31mred\x1b[0m",
    "bell\x07 \x9bA",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "$(touch hacked)",
    "`touch hacked`; touch hacked",
    "a%03d",
    "http:x",
    "concat:a|b",
    "'\"\\",
    " leading and trailing ",
    "two..dots",
    "CON",
    "🎵🎶",
    "e\u0301" * 40,
    "&lt;b&gt;",
    "#1",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("hostile")
    root = base / "library"
    with create_library(root, Settings(intake=IntakeSettings(workers=2))) as library:
        # Each of its own content: equal files are one track to a folder that moves.
        for number, name in enumerate(NAMES):
            plain = write(base / "plain.flac", tone(0.2 + number / 100), 8000)
            data = name if isinstance(name, bytes) else name.encode()
            plain.rename(root / "unknow" / os.fsdecode(data + b".flac"))
        events = list(run_once(library))
        assert [(e.path, e.reason) for e in events if e.event == "failed"] == []
        for event in events:
            json.dumps(event.as_dict(), ensure_ascii=False).encode()
        assert [event.event for event in events].count("ready") == len(NAMES)
    return root


def test_each_has_its_wav_caption_and_fields(root: Path) -> None:
    with Library(root) as library:
        tracks = library.ledger.tracks(state="ready")
        assert len(tracks) == len(NAMES)
        made = [path for track in tracks for path in (track.wav, track.caption, track.info)]
        assert len(set(made)) == 3 * len(tracks)
        for track in tracks:
            assert track.wav
            assert track.caption
            assert track.info
            assert (root / track.wav).stat().st_size > 1000
            assert (root / track.caption).read_text("utf-8").isprintable() is False  # the end of the line
            fields = json.loads((root / track.info).read_text("utf-8"))
            assert fields["title"].isprintable()
            assert fields["musichelper"]["source"] == display_name(track.path.name)
            assert visible(track.path).isprintable()
    assert not list(root.rglob("hacked"))
    assert not Path("hacked").exists()


def test_the_commands_speak_of_each(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["status"], ["label", "list"], ["names", "list"]):
        for form in ([], ["--json"]):
            capsys.readouterr()
            assert main(["--library", str(root), *words, *form]) == 0
            said = capsys.readouterr()
            (said.out + said.err).encode()
            if form:
                json.loads(said.out)
            else:
                lines = (said.out + said.err).split("\n")
                assert all(line.isprintable() for line in lines)
                assert not [line for line in lines if line.startswith("line.flac")]


def test_each_moves_to_a_genre_and_back(root: Path) -> None:
    with Library(root) as library:
        before = sorted(map(os.fsencode, (root / "unknow").iterdir()))
        labeller = Labeller(library)
        tracks = library.ledger.tracks(state="ready")
        decisions = labeller.label_many((track.id, "jazz") for track in tracks)
        assert (len(decisions), labeller.problems) == (len(tracks), [])
        assert list((root / "unknow").iterdir()) == []
        json.dumps(status(library), ensure_ascii=True)
        assert [event.event for event in run_once(library)].count("ready") == 0
        labeller.undo()
        assert sorted(map(os.fsencode, (root / "unknow").iterdir())) == before
        assert {name.proposal for name in garbled_names(library)} == {"七里香", "café ÿ"}


def test_a_genre_of_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [b"[red]\n\x1b \xff", "爵士".encode("big5"), b"\x01", b"-rf"]
    for number, name in enumerate(names):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        write(tmp_path / "plain.flac", tone(0.2 + number / 100), 8000).rename(folder / "a.flac")
    with create_library(tmp_path, Settings(intake=IntakeSettings(workers=1))) as library:
        assert [event.event for event in run_once(library)].count("ready") == len(names)
        for path in (track.info for track in library.ledger.tracks(state="ready")):
            assert path
            fields = json.loads((tmp_path / path).read_text("utf-8"))
            assert fields["genre"] in ("[red] ÿ", "", "-rf")
            assert fields["description"].isprintable()
            assert fields["musichelper"]["written"]
        decisions = Labeller(library).label_many((t.id, "jazz") for t in library.ledger.tracks(state="ready"))
        assert len(decisions) == len(names)
        Labeller(library).undo()
    for words in (["status"], ["label", "list"]):
        assert main(["--library", str(tmp_path), *words]) == 0
        said = capsys.readouterr()
        assert all(line.isprintable() for line in (said.out + said.err).split("\n"))
