"""One run of intake on real files, in real processes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.caption import read_caption, rewrite_caption
from assistant.errors import MusicHelperError
from assistant.intake.events import IntakeEvent
from assistant.intake.lock import intake_lock
from assistant.intake.pipeline import run_once
from assistant.intake.retry import MOST_ENDS
from assistant.library.library import Library
from tests.intake.intake_runs import run, track
from tests.made_sounds import midi, tone, write


def names(events: list[IntakeEvent]) -> list[str]:
    return sorted(event.path for event in events)


def files(library: Library, folder: str) -> list[str]:
    return sorted(path.name for path in (library.root / folder).iterdir())


def test_from_dropped_files_to_ready_tracks(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(2.0))
    write(library.root / "unknow/b.mp3", tone(2.0))
    write(library.root / "jazz/own.wav", tone(2.0), subtype="PCM_16")
    (library.root / "pop/c.mid").write_bytes(midi([(0, 96, 60), (96, 192, 64)]))
    (library.root / "pop/bad.mp3").write_bytes(b"This is no music. " * 50)
    events = run(library)
    assert names(events["ready"]) == ["jazz/own.wav", "pop/c.mid", "rock/a.flac", "unknow/b.mp3"]
    assert [event.path for event in events["failed"]] == ["pop/bad.mp3"]
    assert "cannot be read" in events["failed"][0].reason
    assert files(library, "rock") == ["a.flac", "a.json", "a.txt", "a.wav"]
    assert files(library, "jazz") == ["own.json", "own.txt", "own.wav"]
    ready = track(library, "rock/a.flac")
    assert ready.state == "ready"
    assert (ready.wav, ready.caption, ready.info) == (
        Path("rock/a.wav"), Path("rock/a.txt"), Path("rock/a.json"),
    )  # fmt: skip
    assert ready.duration == pytest.approx(2.0)
    assert "rock" in read_caption(library, ready)
    own = track(library, "jazz/own.wav")
    assert own.wav == own.path
    assert json.loads(library.paths.quarantine.read_text())["path"] == "pop/bad.mp3"

    before = {path: path.stat().st_mtime_ns for path in library.root.rglob("*.wav")}
    again = run(library)
    assert set(again) == {"skipped", "done"}
    assert [event.path for event in again["skipped"]] == ["pop/bad.mp3"]
    assert before == {path: path.stat().st_mtime_ns for path in library.root.rglob("*.wav")}


def test_a_failed_file_is_tried_again_when_it_changed(library: Library) -> None:
    path = library.root / "rock/a.flac"
    path.write_bytes(b"")
    assert "empty" in run(library)["failed"][0].reason
    assert set(run(library)) == {"skipped", "done"}
    write(path, tone())
    assert names(run(library)["ready"]) == ["rock/a.flac"]
    assert not library.paths.quarantine.exists()


def test_a_changed_file_is_made_anew(library: Library) -> None:
    path = write(library.root / "rock/a.flac", tone(1.0))
    run(library)
    write(path, tone(2.0))
    assert names(run(library)["ready"]) == ["rock/a.flac"]
    assert soundfile.info(library.root / "rock/a.wav").duration == pytest.approx(2.0)
    assert files(library, "rock") == ["a.flac", "a.json", "a.txt", "a.wav"]


def test_names_that_collide(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    write(library.root / "rock/a.ogg", tone(1.5))
    write(library.root / "rock/a.mp3", tone(2.0))
    run(library)
    wavs = {track.path.name: track.wav for track in library.ledger.tracks()}
    assert len(set(wavs.values())) == 3
    assert Path("rock/a.wav") in wavs.values()
    lengths = {"a.flac": 1.0, "a.ogg": 1.5, "a.mp3": 2.0}
    for name, wav in wavs.items():
        assert wav is not None
        assert soundfile.info(library.root / wav).duration == pytest.approx(lengths[name], abs=0.06)
        assert (library.root / wav.with_suffix(".json")).exists()
    assert set(run(library)) == {"done"}


def test_the_persons_own_files_are_never_touched(library: Library) -> None:
    mine = write(library.root / "rock/a.wav", tone(3.0, 48000), 48000, subtype="FLOAT")
    write(library.root / "rock/a.flac", tone(1.0))
    (library.root / "rock/a.txt").write_text("Words of mine.\n")
    (library.root / "rock/a.json").write_text('{"mine": true}')
    before = {path: path.read_bytes() for path in (library.root / "rock").iterdir()}
    events = run(library)
    assert names(events["ready"]) == ["rock/a.flac", "rock/a.wav"]
    assert {path: path.read_bytes() for path in before} == before
    for name in ("rock/a.flac", "rock/a.wav"):
        made = track(library, name)
        assert made.wav is not None
        assert made.wav != mine.relative_to(library.root)
        assert made.info != Path("rock/a.json")
        assert soundfile.info(library.root / made.wav).samplerate == 44100
    captions = {read_caption(library, track) for track in library.ledger.tracks()}
    assert "Words of mine." in captions
    assert len(captions) == 2
    assert set(run(library)) == {"done"}


def test_a_moved_source_keeps_its_row_and_takes_its_files_along(library: Library) -> None:
    write(library.root / "unknow/a.flac", tone(1.0))
    run(library)
    row = track(library, "unknow/a.flac")
    made = (library.root / "unknow/a.wav").stat().st_ino
    (library.root / "unknow/a.flac").rename(library.root / "jazz/new name.flac")
    events = run(library)
    assert "ready" not in events
    moved = track(library, "jazz/new name.flac")
    assert (moved.id, moved.state, moved.wav) == (row.id, "ready", Path("jazz/new name.wav"))
    assert (library.root / "jazz/new name.wav").stat().st_ino == made
    assert "jazz" in read_caption(library, moved)
    assert files(library, "unknow") == []
    assert set(run(library)) == {"done"}


def test_a_whole_folder_is_moved(library: Library) -> None:
    write(library.root / "unknow/album/a.flac", tone(1.0))
    write(library.root / "unknow/album/b.wav", tone(1.0), subtype="PCM_16")
    run(library)
    (library.root / "unknow/album").rename(library.root / "blues/album")
    events = run(library)
    assert "ready" not in events
    wanted = ["a.flac", "a.json", "a.txt", "a.wav", "b.json", "b.txt", "b.wav"]
    assert files(library, "blues/album") == wanted
    assert all(track.state == "ready" for track in library.ledger.tracks())
    assert track(library, "blues/album/b.wav").wav == Path("blues/album/b.wav")
    assert "blues" in read_caption(library, track(library, "blues/album/a.flac"))


def test_the_ledger_is_made_anew_from_the_folder(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    write(library.root / "rock/a.ogg", tone(1.5))
    write(library.root / "jazz/own.wav", tone(2.0), subtype="PCM_16")
    run(library)
    before = {(t.path, t.wav, t.caption, t.info, t.title) for t in library.ledger.tracks()}
    library.close()
    for path in library.paths.state.glob("ledger.db*"):
        path.unlink()
    events = run(library)
    assert "ready" not in events
    assert len(events["skipped"]) == 3
    assert {(t.path, t.wav, t.caption, t.info, t.title) for t in library.ledger.tracks()} == before


def test_a_crash_in_the_middle_leaves_no_riddle(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    for event in run_once(library):
        if event.event == "working":
            break
    # As a crash after the WAV took its name and before the ledger knew.
    row = track(library, "rock/a.flac")
    library.ledger.update_track(row.id, state="working", wav=Path("rock/a.wav"), attempts=1)
    write(library.root / "rock/a.wav", tone(0.5), subtype="PCM_16")
    assert names(run(library)["ready"]) == ["rock/a.flac"]
    assert files(library, "rock") == ["a.flac", "a.json", "a.txt", "a.wav"]
    assert soundfile.info(library.root / "rock/a.wav").duration == pytest.approx(1.0)


def test_a_file_that_ends_the_program_each_time_is_given_up(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    run(library)
    row = track(library, "rock/a.flac")
    library.ledger.update_track(row.id, state="working", attempts=MOST_ENDS)
    run(library)
    assert track(library, "rock/a.flac").state == "failed"


def test_one_intake_at_a_time(library: Library) -> None:
    with intake_lock(library), pytest.raises(MusicHelperError, match=str(os.getpid())):
        next(run_once(library))
    run(library)


def test_names_of_any_kind(library: Library) -> None:
    source = write(library.root / "plain.flac", tone(0.5))
    odd = [
        b"caf\xe9.flac",
        "晚安.flac".encode(),
        b"[red] [@click=x]Artist.flac",
        b"a\nb.flac",
        b"x" * 250 + b".flac",
    ]
    for name in odd:
        shutil.copy(source, library.root / "rock" / os.fsdecode(name))
    source.unlink()
    events = run(library)
    assert len(events["ready"]) == len(odd)
    for row in library.ledger.tracks():
        assert row.state == "ready"
        row.title.encode()
        json.loads((library.root / (row.info or "")).read_text("utf-8"))
    assert set(run(library)) == {"done"}


def test_a_folder_that_may_not_be_written_to(library: Library) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    write(library.root / "rock/a.flac", tone(0.5))
    (library.root / "rock").chmod(0o555)
    try:
        events = run(library)
        assert "cannot be written" in events["failed"][0].reason
        assert track(library, "rock/a.flac").state == "waiting"
    finally:
        (library.root / "rock").chmod(0o755)
    assert names(run(library)["ready"]) == ["rock/a.flac"]


def test_tags_and_titles(library: Library) -> None:
    path = library.root / "rock/03_blue_moon.flac"
    with soundfile.SoundFile(path, "w", 44100, 2) as file:
        file.artist = "Ella"
        file.write(tone(1.0).astype(np.float32))
    run(library)
    row = track(library, "rock/03_blue_moon.flac")
    assert (row.title, row.artist) == ("blue moon", "Ella")


def test_rewriting_a_caption(library: Library) -> None:
    write(library.root / "rock/a.flac", tone(1.0))
    run(library)
    row = track(library, "rock/a.flac")
    for name in ("a.flac", "a.wav", "a.txt", "a.json"):
        (library.root / "rock" / name).rename(library.root / "disco" / name)
    place = Path("disco")
    library.ledger.update_track(
        row.id, path=place / "a.flac", wav=place / "a.wav", caption=place / "a.txt", info=place / "a.json"
    )
    assert "disco" in rewrite_caption(library, track(library, "disco/a.flac"))
    assert set(run(library)) == {"done"}


def test_real_music(library: Library, shared_data: Path) -> None:
    for name in ("tada.ogg", "coconut_run2.mid", "pingus-4.it"):
        shutil.copy(shared_data / "music" / name, library.root / "unknow" / name)
    events = run(library)
    assert {"unknow/tada.ogg", "unknow/coconut_run2.mid"} <= set(names(events["ready"]))
    assert len(events["ready"]) + len(events.get("failed", [])) == 3  # the module needs libopenmpt
    assert "180 BPM" in read_caption(library, track(library, "unknow/coconut_run2.mid"))
