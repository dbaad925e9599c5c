"""Decisions move files, are written first, and are taken back in order."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant.errors import CallError, FileError
from assistant.label.decisions import Labeller
from assistant.label.exchange import export_labels, import_labels
from assistant.label.queue import review_queue
from assistant.library.ledger import Proposal, Track
from assistant.library.library import Library

ENDINGS = (".mp3", ".wav", ".txt", ".json")


def rewrite(library: Library, track: Track) -> None:
    """Stands for the captions' own: the genre of the folder goes into the JSON."""
    assert track.info
    genre = library.genre_of(track.path)
    (library.root / track.info).write_text(json.dumps({"genre": genre, "of": track.content}))


def make_track(library: Library, name: str) -> Track:
    path = Path(name)
    (library.root / path).parent.mkdir(parents=True, exist_ok=True)
    for ending in ENDINGS:
        (library.root / path.with_suffix(ending)).write_text(ending)
    track = library.ledger.add_track(path, os.fsencode(name).hex(), 1, 1)
    library.ledger.update_track(
        track.id,
        state="ready",
        wav=path.with_suffix(".wav"),
        caption=path.with_suffix(".txt"),
        info=path.with_suffix(".json"),
    )
    return get(library, track.id)


def get(library: Library, number: int) -> Track:
    track = library.ledger.track(number)
    assert track
    return track


def propose(library: Library, track: Track, genre: str, first: float, second: float = 0.0) -> None:
    top = [(genre, first), ("blues", second)]
    library.ledger.set_proposals([Proposal(track.id, "v", genre, first, top, 1.0)])


def where(library: Library, stem: str) -> list[str]:
    return sorted(str(p.parent.relative_to(library.root)) for p in library.root.glob(f"*/{stem}.*"))


def test_a_label_moves_the_set_and_the_row(library: Library) -> None:
    track = make_track(library, "unknow/song.mp3")
    propose(library, track, "rock", 0.4)
    decision = Labeller(library, rewrite=rewrite).label(track.id, "jazz")
    assert where(library, "song") == ["jazz"] * 4
    track = get(library, track.id)
    assert [str(p) for p in (track.path, track.wav, track.caption, track.info)] == [
        f"jazz/song{ending}" for ending in ENDINGS
    ]
    assert json.loads((library.root / "jazz/song.json").read_text())["genre"] == "jazz"
    assert (decision.state, decision.genre_from, decision.genre_to) == ("done", None, "jazz")
    assert (decision.proposed, decision.probability) == ("rock", 0.4)


def test_undo_again_and_again_also_after_a_restart(library: Library) -> None:
    root = library.root
    tracks = [make_track(library, f"unknow/{n}.mp3") for n in range(3)]
    labeller = Labeller(library, rewrite=rewrite)
    for track, genre in zip(tracks, ("jazz", "rock", "pop"), strict=True):
        labeller.label(track.id, genre)
    labeller.label(tracks[0].id, "metal")
    library.close()

    library = Library(root)
    labeller = Labeller(library, rewrite=rewrite)
    undone = labeller.undo()
    assert undone
    assert undone.track == tracks[0].id
    assert where(library, "0") == ["jazz"] * 4
    assert json.loads((library.root / "jazz/0.json").read_text())["genre"] == "jazz"
    library.close()
    library = Library(root)
    labeller = Labeller(library, rewrite=rewrite)
    for _ in range(3):
        assert labeller.undo()
    assert labeller.undo() is None
    assert [where(library, str(n)) for n in range(3)] == [["unknow"] * 4] * 3

    for _ in range(4):
        assert labeller.redo()
    assert labeller.redo() is None
    assert [where(library, str(n))[0] for n in range(3)] == ["metal", "rock", "pop"]


def test_a_new_decision_ends_redo(library: Library) -> None:
    one, two = make_track(library, "unknow/1.mp3"), make_track(library, "unknow/2.mp3")
    labeller = Labeller(library, rewrite=rewrite)
    labeller.label(one.id, "jazz")
    labeller.label(two.id, "jazz")
    labeller.undo()
    labeller.undo()
    labeller.label(two.id, "rock")
    assert labeller.redo() is None
    labeller.undo()
    redone = labeller.redo()
    assert redone
    assert redone.genre_to == "rock"


def test_accepting_all_is_one_step(library: Library) -> None:
    tracks = [make_track(library, f"unknow/{n}.mp3") for n in range(4)]
    for track, probability in zip(tracks, (0.95, 0.9, 0.5, 0.99), strict=True):
        propose(library, track, "jazz", probability)
    labeller = Labeller(library, rewrite=rewrite)
    labeller.reject(tracks[3].id)
    assert [d.track for d in labeller.accept_above(0.9)] == [tracks[0].id, tracks[1].id]
    assert where(library, "0") == ["jazz"] * 4
    assert where(library, "3") == ["unknow"] * 4
    labeller.undo()
    assert where(library, "0") == where(library, "1") == ["unknow"] * 4
    labeller.redo()
    assert where(library, "0") == where(library, "1") == ["jazz"] * 4


def test_remarks_and_the_queue(library: Library) -> None:
    tracks = [make_track(library, f"unknow/{n}.mp3") for n in range(5)]
    make_track(library, "jazz/known.mp3")
    root = make_track(library, "root.mp3")
    for track, first, second in zip(
        tracks, (0.6, 0.5, 0.9, 0.4, 0.8), (0.1, 0.45, 0.02, 0.1, 0.1), strict=True
    ):
        propose(library, track, "jazz", first, second)
    labeller = Labeller(library, rewrite=rewrite)
    labeller.skip(tracks[1].id)
    labeller.flag(tracks[3].id)
    labeller.reject(tracks[4].id)

    def queue(order: str) -> list[int]:
        return [item.track.id for item in review_queue(library, order)]  # type: ignore[arg-type]

    assert queue("margin") == [tracks[0].id, tracks[2].id, root.id, tracks[1].id]
    assert queue("confident") == [tracks[2].id, tracks[0].id, root.id, tracks[1].id]
    assert queue("newest") == [root.id, tracks[2].id, tracks[0].id, tracks[1].id]
    assert queue("folder") == [root.id, tracks[0].id, tracks[2].id, tracks[1].id]
    assert {i.track.id for i in review_queue(library, settled=True)} == {tracks[3].id, tracks[4].id}
    labeller.undo()
    labeller.undo()
    labeller.undo()
    assert queue("margin")[0] == tracks[1].id


def test_wrong_calls(library: Library) -> None:
    track = make_track(library, "unknow/1.mp3")
    labeller = Labeller(library, rewrite=rewrite)
    with pytest.raises(CallError, match="jaz") as caught:
        labeller.label(track.id, "jaz")
    assert "jazz" in caught.value.hint
    with pytest.raises(CallError):
        labeller.label(99, "jazz")
    with pytest.raises(CallError):
        labeller.label(track.id, "../out")
    library.ledger.update_track(track.id, state="working")
    with pytest.raises(FileError, match="converted"):
        labeller.label(track.id, "jazz")
    assert labeller.undo() is None


def test_a_set_that_cannot_move_stays_whole(library: Library) -> None:
    track = make_track(library, "unknow/1.mp3")

    def take_the_name(step: str) -> None:
        if step == "planned":
            (library.root / "jazz/1.txt").write_text("of another")

    with pytest.raises(FileError, match="could not be moved"):
        Labeller(library, rewrite=rewrite, on_step=take_the_name).label(track.id, "jazz")
    assert where(library, "1") == ["jazz"] + ["unknow"] * 4
    assert get(library, track.id).path == Path("unknow/1.mp3")
    assert Labeller(library).undo() is None


def test_undo_of_a_file_that_went_elsewhere_goes_on_with_the_one_before(library: Library) -> None:
    one, two = make_track(library, "unknow/1.mp3"), make_track(library, "unknow/2.mp3")
    labeller = Labeller(library, rewrite=rewrite)
    labeller.label(one.id, "jazz")
    labeller.label(two.id, "jazz")
    (library.root / "jazz/2.mp3").rename(library.root / "rock/2.mp3")
    with pytest.raises(FileError, match="since that decision"):
        labeller.undo()
    undone = labeller.undo()
    assert undone
    assert undone.track == one.id
    assert where(library, "1") == ["unknow"] * 4


def test_a_caption_that_cannot_be_written_does_not_stop_a_label(library: Library) -> None:
    track = make_track(library, "unknow/1.mp3")

    def fail(_library: Library, _track: Track) -> None:
        raise PermissionError(13, "no")

    labeller = Labeller(library, rewrite=fail)
    assert labeller.label(track.id, "jazz").state == "done"
    assert [problem.path.name for problem in labeller.problems] == ["1.mp3"]


def test_a_row_that_a_scan_made_for_the_moved_file_gives_way(library: Library) -> None:
    track = make_track(library, "unknow/1.mp3")

    def scan(step: str) -> None:
        if step == "moved" and library.ledger.track_at(Path("jazz/1.mp3")) is None:
            library.ledger.add_track(Path("jazz/1.mp3"), track.content, 1, 1)

    Labeller(library, rewrite=rewrite, on_step=scan).label(track.id, "jazz")
    assert [t.id for t in library.ledger.tracks()] == [track.id]


def test_a_name_that_is_no_unicode(library: Library) -> None:
    track = make_track(library, "unknow/caf\udce9.mp3")
    labeller = Labeller(library, rewrite=rewrite)
    labeller.label(track.id, "jazz")
    assert (library.root / "jazz/caf\udce9.wav").exists()
    labeller.undo()
    assert get(library, track.id).path == Path("unknow/caf\udce9.mp3")


def test_labels_go_out_and_come_back(library: Library) -> None:
    tracks = [make_track(library, f"unknow/{n}.mp3") for n in range(3)]
    labeller = Labeller(library, rewrite=rewrite)
    labeller.label(tracks[0].id, "jazz")
    labeller.label(tracks[1].id, "rock", decider="demo")
    make_track(library, "pop/3.mp3")
    rows = json.loads(json.dumps(export_labels(library)))
    assert [(row["path"], row["genre"], row["decider"]) for row in rows] == [
        ("jazz/0.mp3", "jazz", "person"),
        ("pop/3.mp3", "pop", "folder"),
        ("rock/1.mp3", "rock", "demo"),
    ]
    labeller.undo()
    labeller.undo()
    rows.append({"content": "of nobody", "genre": "jazz"})
    counts = import_labels(library, rows, labeller)
    assert counts == {"labelled": 2, "unchanged": 1, "unknown": 1, "failed": 0}
    assert where(library, "0") == ["jazz"] * 4
    labeller.undo()
    assert where(library, "0") == where(library, "1") == ["unknow"] * 4
    with pytest.raises(CallError):
        import_labels(library, [{"path": "unknow/0.mp3"}], labeller)
