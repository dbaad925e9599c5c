"""Files of a track move as one set and are never overwritten."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from assistant.errors import FileError
from assistant.library import moves
from assistant.library.ledger import Track
from assistant.library.library import Library
from assistant.library.moves import apply_moves, plan_move, plan_return, rename_to_free_name, revert


def make_track(library: Library, name: str, *, wav: str | None = None) -> Track:
    path = Path(name)
    files = {
        "path": path,
        "wav": Path(wav) if wav else path.with_suffix(".wav"),
        "caption": path.with_suffix(".txt"),
        "info": path.with_suffix(".json"),
    }
    for kind, file in files.items():
        (library.root / file).parent.mkdir(parents=True, exist_ok=True)
        (library.root / file).write_text(f"{kind} of {name}")
    track = library.ledger.add_track(path, name, 1, 1)
    library.ledger.update_track(track.id, state="ready", **{k: v for k, v in files.items() if k != "path"})
    found = library.ledger.track(track.id)
    assert found
    return found


def names(library: Library, folder: str) -> set[str]:
    return {path.name for path in (library.root / folder).iterdir()}


SET = {"song.mp3", "song.wav", "song.txt", "song.json"}


def test_a_set_moves_and_returns(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3")
    plan = plan_move(library, track, "jazz")
    apply_moves(library.root, plan)
    assert names(library, "jazz") == SET
    assert names(library, "unknow") == set()
    apply_moves(library.root, plan)  # again: nothing to do
    revert(library.root, plan)
    revert(library.root, plan)
    assert names(library, "unknow") == SET
    assert names(library, "jazz") == set()


def test_the_root_and_inner_folders(library: Library) -> None:
    root = make_track(library, "song.mp3")
    assert plan_move(library, root, "jazz")[0] == (Path("song.mp3"), Path("jazz/song.mp3"))
    inner = make_track(library, "unknow/album/one.mp3")
    assert plan_move(library, inner, "jazz")[0][1] == Path("jazz/album/one.mp3")
    there = make_track(library, "jazz/album/two.mp3")
    assert plan_move(library, there, "jazz") == []
    assert plan_move(library, there, None)[0][1] == Path("unknow/album/two.mp3")


def test_a_wav_that_is_its_own_source_moves_once(library: Library) -> None:
    track = make_track(library, "unknow/song.wav", wav="unknow/song.wav")
    plan = plan_move(library, track, "jazz")
    assert [str(origin) for origin, _target in plan] == [f"unknow/song.{e}" for e in ("wav", "txt", "json")]


def test_one_taken_name_renames_the_whole_set(library: Library) -> None:
    track = make_track(library, "unknow/Mr. Blue.mp3")
    (library.root / "jazz/Mr. Blue.txt").write_text("of another")
    apply_moves(library.root, plan_move(library, track, "jazz"))
    assert names(library, "jazz") == {
        "Mr. Blue.txt",
        *(f"Mr. Blue (2).{ending}" for ending in ("mp3", "wav", "txt", "json")),
    }
    assert (library.root / "jazz/Mr. Blue.txt").read_text() == "of another"


def test_the_number_stands_at_the_same_place_in_a_wav_named_after_its_source(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3", wav="unknow/song.mp3.wav")
    (library.root / "jazz/song.mp3").write_text("of another")
    targets = [target.name for _origin, target in plan_move(library, track, "jazz")]
    assert targets == ["song (2).mp3", "song (2).mp3.wav", "song (2).txt", "song (2).json"]


def test_the_place_to_return_to_may_be_taken(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3")
    plan = plan_move(library, track, "jazz")
    apply_moves(library.root, plan)
    (library.root / "unknow/song.mp3").write_text("new")
    revert(library.root, plan_return(library, plan))
    assert names(library, "unknow") == {"song.mp3", *(f"song (2).{e}" for e in ("mp3", "wav", "txt", "json"))}
    assert (library.root / "unknow/song.mp3").read_text() == "new"


def test_a_caption_of_the_person_that_nobody_claims_comes_along(library: Library) -> None:
    (library.root / "unknow/song.mp3").write_text("a")
    (library.root / "unknow/song.txt").write_text("mine")
    track = library.ledger.add_track(Path("unknow/song.mp3"), "c", 1, 1)
    apply_moves(library.root, plan_move(library, track, "jazz"))
    assert names(library, "jazz") == {"song.mp3", "song.txt"}


def test_a_name_taken_at_the_last_moment_is_not_overwritten(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3")
    plan = plan_move(library, track, "jazz")
    (library.root / "jazz/song.wav").write_text("of another")
    with pytest.raises(FileExistsError):
        apply_moves(library.root, plan)
    assert (library.root / "jazz/song.wav").read_text() == "of another"
    assert (library.root / "unknow/song.wav").read_text() == "wav of unknow/song.mp3"


def test_renaming_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("1")
    two.write_text("2")
    with pytest.raises(FileExistsError):
        rename_to_free_name(one, two)
    monkeypatch.setattr(moves, "_renameat2", lambda: None)  # a system without that call
    with pytest.raises(FileExistsError):
        rename_to_free_name(one, two)
    rename_to_free_name(one, tmp_path / "3")
    assert (tmp_path / "3").read_text() == "1"
    assert two.read_text() == "2"


def other_disk(monkeypatch: pytest.MonkeyPatch, root: Path, folder: str) -> None:
    """Let `folder` behave like one on another disk."""
    rename = moves.rename_to_free_name

    def across(origin: Path, target: Path) -> None:
        if (origin.parent == root / folder) != (target.parent == root / folder):
            raise OSError(errno.EXDEV, "other disk")
        rename(origin, target)

    monkeypatch.setattr(moves, "rename_to_free_name", across)


def test_another_disk(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    track = make_track(library, "unknow/song.mp3")
    other_disk(monkeypatch, library.root, "jazz")
    before = (library.root / "unknow/song.wav").stat()
    apply_moves(library.root, plan_move(library, track, "jazz"))
    assert names(library, "jazz") == SET
    assert names(library, "unknow") == set()
    after = (library.root / "jazz/song.wav").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_bad_copy_leaves_the_original(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    track = make_track(library, "unknow/song.mp3")
    other_disk(monkeypatch, library.root, "jazz")

    def spoil(origin: Path, target: Path, **_options: bool) -> None:
        target.write_text("spoilt")

    monkeypatch.setattr(shutil, "copy2", spoil)
    with pytest.raises(FileError, match="differs"):
        apply_moves(library.root, plan_move(library, track, "jazz"))
    assert names(library, "jazz") == set()
    assert names(library, "unknow") == SET


def test_a_missing_file_is_named(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3")
    (library.root / "unknow/song.mp3").unlink()
    with pytest.raises(FileError, match=r"song\.mp3 is no longer there"):
        apply_moves(library.root, plan_move(library, track, "jazz"))
