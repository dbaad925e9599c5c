"""Other queues, new genres, the place kept, captions of the person's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.caption.files import Origin, edit_caption, write_caption
from assistant.errors import CallError, FileError
from assistant.label.decisions import Labeller
from assistant.label.genres import genre_problem, make_genre
from assistant.label.place import PLACE_NAME, Place, read_place, write_place
from assistant.label.queue import review_queue
from assistant.library.library import Library
from tests.label.test_decisions import get, make_track, propose, rewrite


def test_what_waits_is_counted_as_the_queue_has_it(library: Library) -> None:
    tracks = [make_track(library, f"unknow/{number}.mp3") for number in range(8)]
    make_track(library, "root song.mp3")
    make_track(library, "unknown genre/x.mp3")
    make_track(library, "jazz/unknow/x.mp3")
    propose(library, tracks[0], "jazz", 0.9)
    propose(library, tracks[1], "jazz", 0.9)
    labeller = Labeller(library, rewrite=rewrite)

    def check() -> None:
        queue = review_queue(library)
        counts = library.ledger.waiting_counts(library.unlabelled)[:2]
        assert counts == (len(queue), sum(item.proposal is not None for item in queue))

    check()
    labeller.flag(tracks[0].id)
    check()
    labeller.skip(tracks[0].id)  # back in the queue
    check()
    labeller.reject(tracks[2].id)
    labeller.label(tracks[3].id, "jazz")
    check()
    labeller.rename_many([(tracks[2].id, "other name")])  # that is no remark: it stays rejected
    check()
    for _step in range(5):
        labeller.undo()
        check()


@pytest.mark.parametrize(
    "name", ["", " ", ".hidden", "-x", "a/b", " a", "a ", "a\nb", "a\u202eb", "x" * 256, "unknow"]
)
def test_what_cannot_be_a_genre_is_explained(library: Library, name: str) -> None:
    assert genre_problem(library.unlabelled, name)
    with pytest.raises(CallError):
        make_genre(library, name)


@pytest.mark.parametrize("name", ["tango", "爵士 融合", "[red]", "a.b"])
def test_a_new_genre_is_a_folder(library: Library, name: str) -> None:
    make_genre(library, name)
    make_genre(library, name)
    assert name in library.genres()


def test_the_place_is_kept_and_a_damaged_one_is_the_beginning(library: Library) -> None:
    assert read_place(library) == Place()
    write_place(library, Place("settled", "folder", 7))
    assert read_place(library) == Place("settled", "folder", 7)
    (library.paths.state / PLACE_NAME).write_text('{"view": 1')
    assert read_place(library) == Place()


def test_a_caption_of_ones_own_is_in_both_files_and_goes_away_again(library: Library) -> None:
    track = make_track(library, "jazz/song.mp3")
    assert track.info
    assert track.caption
    assert track.wav
    info, caption = library.root / track.info, library.root / track.caption
    for path in (info, caption):
        path.unlink()
    origin = Origin("song.mp3", track.content, "song.wav", "Song", "", "", 3.0, {}, {})
    made = write_caption(info, caption, origin, "jazz", foreign=False).text
    assert edit_caption(library, get(library, track.id), " My  own\nwords. ") == "My own words."
    assert caption.read_text("utf-8") == "My own words.\n"
    assert json.loads(info.read_text("utf-8"))["description"] == "My own words."
    Labeller(library).label(track.id, "blues")
    moved = get(library, track.id)
    assert moved.caption
    assert (library.root / moved.caption).read_text("utf-8") == "My own words.\n"
    again = edit_caption(library, moved, "")
    assert "blues" in again.lower()
    assert made.lower().replace("jazz", "blues") == again.lower()


def test_without_its_json_a_caption_can_be_written_and_is_not_lost(library: Library) -> None:
    track = make_track(library, "jazz/song.mp3")
    assert track.info
    assert track.caption
    (library.root / track.info).unlink()
    assert edit_caption(library, track, " My  own\nwords. ") == "My own words."
    with pytest.raises(FileError, match="no JSON any more"):
        edit_caption(library, track, "")
    assert (library.root / track.caption).read_text("utf-8") == "My own words.\n"
    assert not (library.root / track.info).exists()


def test_a_track_without_a_caption_says_when_it_gets_one(library: Library) -> None:
    track = library.ledger.add_track(Path("x.wav"), "c", 1, 1)
    with pytest.raises(FileError, match="no caption yet"):
        edit_caption(library, track, "words")
