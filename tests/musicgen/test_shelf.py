"""What the person thinks of clips: on the shelf, in the ledger, on the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from assistant.cli import main
from assistant.errors import MusicHelperError
from assistant.library import moves
from assistant.library.library import Library
from assistant.musicgen import shelf as shelf_module
from assistant.musicgen.clip_meanings import generate_meanings
from assistant.musicgen.finetune_meanings import finetune_meanings
from assistant.musicgen.shelf import Shelf
from assistant.musicgen.spec import FinetuneSpec, GenerateSpec


@pytest.fixture
def clip(library: Library) -> Path:
    path = library.paths.clips / "a [red] clip.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"the sound")
    library.ledger.add_clip(path, {"prompt": "calm", "duration": 8.0}, 8.0)
    return path


def test_ratings_and_notes_are_undone_one_by_one_also_after_a_restart(library: Library, clip: Path) -> None:
    shelf = Shelf(library)
    number = shelf.find(clip).id
    shelf.rate(number, 3)
    shelf.rate(number, 5)
    shelf.favour(number, True)
    shelf.annotate(number, " good bass ")
    assert [(c.rating, c.favourite, c.note) for c in library.ledger.clips()] == [(5, True, "good bass")]
    assert [c.id for c in library.ledger.clips(favourites=True, rating=5)] == [number]
    library.close()
    shelf = Shelf(library)
    undone = [shelf.undo() for _time in range(5)]
    assert [one.what if one else None for one in undone] == ["note", "favourite", "rating", "rating", None]
    assert library.ledger.clips()[0].rating == 0
    shelf.redo()
    assert library.ledger.clips()[0].rating == 3
    shelf.favour(number, True)
    assert shelf.redo() is None
    with pytest.raises(MusicHelperError, match="rated 6"):
        shelf.rate(number, 6)


def test_a_rejected_clip_lies_in_the_trash_and_comes_back(library: Library, clip: Path) -> None:
    shelf = Shelf(library)
    number = shelf.find(clip).id
    there = shelf.reject(number).trash
    assert there is not None
    assert there.parent == library.paths.trash
    assert there.read_bytes() == b"the sound"
    assert not clip.exists()
    assert library.ledger.clips() == []
    assert library.ledger.count("clips") == 0
    assert shelf.find(there).id == number
    clip.write_bytes(b"another one")
    with pytest.raises(MusicHelperError, match="another file has its name"):
        shelf.undo()
    clip.unlink()
    shelf.undo()
    assert clip.read_bytes() == b"the sound"
    assert [c.id for c in library.ledger.clips()] == [number]
    clip.unlink()
    with pytest.raises(MusicHelperError, match="no longer there"):
        shelf.reject(number)
    assert library.ledger.clips()[0].trash is None


def test_a_move_that_was_cut_off_is_finished(
    library: Library, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_arguments: object) -> None:
        raise KeyboardInterrupt

    shelf = Shelf(library)
    monkeypatch.setattr(shelf_module, "apply_moves", dies)
    with pytest.raises(KeyboardInterrupt):
        shelf.reject(1)
    assert clip.exists()
    monkeypatch.setattr(shelf_module, "apply_moves", moves.apply_moves)
    Shelf(library)
    assert not clip.exists()
    assert Shelf(library).reject(1, False).trash is None
    assert clip.read_bytes() == b"the sound"


def test_the_command_line_judges_clips(
    library: Library, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def called(*words: str) -> dict[str, Any]:
        assert main(["--library", str(library.root), "clips", *words, "--json"]) == 0
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    assert called("rate", str(clip), "4")["clip"]["rating"] == 4
    assert called("favourite", str(clip))["clip"]["favourite"]
    assert called("note", str(clip), "nice")["clip"]["note"] == "nice"
    assert len(called("list", "--favourites", "--rating", "4")["clips"]) == 1
    assert called("list", "--rating", "5")["clips"] == []
    assert called("reject", str(clip))["clip"]["rejected"]
    (rejected,) = called("list", "--rejected")["clips"]
    assert not called("restore", rejected["path"])["clip"]["rejected"]
    assert called("undo")["clip"]["rejected"]
    assert main(["--library", str(library.root), "clips", "rate", "/no/such.wav", "4"]) != 0


@pytest.mark.parametrize(
    ("meanings", "spec"), [(generate_meanings, GenerateSpec), (finetune_meanings, FinetuneSpec)]
)
def test_each_setting_has_its_meaning(meanings: Any, spec: Any) -> None:
    found = meanings()
    assert [one.name for one in found] == [field.name for field in dataclasses.fields(spec)]
    assert [one.name for one in found if not one.help] == []
    assert len({one.option for one in found}) == len(found)
