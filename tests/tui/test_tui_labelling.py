from __future__ import annotations

from pathlib import Path

from assistant.label.queue import QueueItem
from assistant.library.ledger import Proposal, Track
from tui.labelling import LabelSession, learned, merge


def item(number: int, genre: str | None = None) -> QueueItem:
    track = Track(
        id=number,
        path=Path(f"unknow/{number}.wav"),
        content="",
        size=0,
        mtime_ns=0,
        state="ready",
        reason="",
        hint="",
        attempts=0,
        wav=None,
        caption=None,
        info=None,
        duration=1.0,
        title="",
        artist="",
        album="",
        added=0.0,
        changed=0.0,
    )
    return QueueItem(track, Proposal(number, "v", genre, 0.9, [(genre, 0.9)], 0.0) if genre else None)


def session(*numbers: int) -> LabelSession:
    made = LabelSession()
    made.take([item(number) for number in numbers], ["jazz", "rock"], ["jazz"])
    return made


def order(made: LabelSession) -> list[int]:
    return [one.track.id for one in made.items]


def here(made: LabelSession) -> int | None:
    return made.current.track.id if made.current else None


def test_new_tracks_come_in_at_the_end_and_move_nothing() -> None:
    made = session(1, 2, 3)
    made.browse(1)
    assert made.take([item(9), item(3), item(2), item(1)], ["jazz", "rock"], ["jazz"]) == 1
    assert order(made) == [1, 2, 3, 9]
    assert here(made) == 2


def test_what_others_decided_leaves_except_under_the_cursor() -> None:
    made = session(1, 2, 3)
    made.browse(1)
    made.take([item(3)], ["jazz", "rock"], ["jazz"])
    assert order(made) == [2, 3]
    assert here(made) == 2


def test_decisions_go_on_to_the_next_open_one() -> None:
    made = session(1, 2, 3)
    made.decide(1, "label", "jazz", 0.0)
    assert here(made) == 2
    made.decide(2, "skip", None, 1.0)
    assert order(made) == [1, 3, 2]
    assert here(made) == 3
    made.decide(3, "label", "rock", 3.0)
    assert here(made) == 2  # the skipped one comes again
    made.decide(2, "flag", None, 4.0)
    assert here(made) is None
    assert made.left == 0


def test_what_was_skipped_and_taken_back_is_where_it_was() -> None:
    made = session(1, 2, 3, 4)
    made.decide(1, "label", "jazz", 0.0)
    made.decide(2, "skip", None, 1.0)
    made.decide(3, "skip", None, 2.0)
    assert order(made) == [1, 4, 2, 3]
    for track in (3, 2):
        assert made.take_back([track])
        assert here(made) == track
    assert order(made) == [1, 2, 3, 4]


def test_taking_back_goes_there() -> None:
    made = session(1, 2)
    made.decide(1, "label", "jazz", 0.0)
    assert made.take_back([1])
    assert here(made) == 1
    assert made.state(1) == "open"
    assert not made.take_back([77])


def test_many_at_once_and_undone_at_once() -> None:
    made = session(1, 2, 3)
    made.decide_many([1, 2], 0.0)
    assert here(made) == 3
    assert made.take_back([2, 1])
    assert made.left == 3


def test_a_track_that_was_undone_elsewhere_is_open_again() -> None:
    made = session(1, 2)
    made.decide(1, "label", "jazz", 0.0)
    made.take([item(1), item(2)], ["jazz", "rock"], ["jazz"])
    assert made.state(1) == "open"


def test_digits_stay_with_their_genres() -> None:
    made = session(1)
    assert made.genres == ["jazz", "rock"]
    made.take([item(1)], ["acid", "jazz", "rock"], ["jazz"])
    assert made.genres == ["jazz", "rock", "acid"]


def test_pace_is_the_median() -> None:
    made = session(*range(1, 6))
    assert made.pace() is None
    for track, moment in ((1, 0.0), (2, 2.0), (3, 4.0), (4, 60.0)):
        made.decide(track, "label", "jazz", moment)
    assert made.pace() == 2.0


def test_learning_moves_nothing_up_to_the_cursor() -> None:
    made = session(1, 2, 3, 4, 5)
    made.browse(1)
    fresh = [item(5, "jazz"), item(3, "rock"), item(4, "jazz"), item(2, "rock"), item(1, "jazz")]
    made.absorb(merge(made.known(rescore=True), fresh), ["jazz", "rock"], ["jazz"])
    assert order(made) == [1, 2, 5, 3, 4]
    assert here(made) == 2
    proposal = made.items[2].proposal
    assert proposal is not None
    assert proposal.genre == "jazz"


def test_a_proposal_under_the_cursor_stays_as_it_was_seen() -> None:
    made = LabelSession()
    made.take([item(1, "jazz"), item(2, "jazz")], ["jazz", "rock"], ["jazz"])
    made.take([item(1, "rock"), item(2, "rock")], ["jazz", "rock"], ["jazz"])
    genres = [one.proposal.genre for one in made.items if one.proposal]
    assert genres == ["jazz", "rock"]


def test_who_goes_on_while_the_queue_is_read_finds_nothing_moved() -> None:
    made = session(1, 2, 3, 4, 5, 6)
    known = made.known(rescore=True)
    made.decide(1, "label", "jazz", 0.0)
    made.decide(2, "skip", None, 1.0)
    made.browse(1)
    assert order(made) == [1, 3, 4, 5, 6, 2]
    fresh = [item(number, "rock") for number in (6, 5, 9, 4, 3, 2, 1)]
    assert made.absorb(merge(known, fresh), ["jazz", "rock"], ["jazz"]) == 1
    assert order(made) == [1, 3, 4, 6, 5, 9, 2]
    assert here(made) == 4
    assert made.state(1) == "label"


def test_what_comes_when_all_is_decided_is_under_the_cursor() -> None:
    made = session(1)
    made.decide(1, "label", "jazz", 0.0)
    assert here(made) is None
    made.take([item(2)], ["jazz"], ["jazz"])
    assert here(made) == 2


def test_proposals_come_to_tracks_that_had_none() -> None:
    made = LabelSession()
    made.take([item(1), item(2, "jazz"), item(3)], ["jazz", "rock"], ["jazz"])
    proposals = {number: item(number, "rock").proposal for number in (1, 2)}
    found = learned(made.items, {track: one for track, one in proposals.items() if one})
    assert made.learn(found)
    assert [one.proposal.genre if one.proposal else "" for one in made.items] == ["rock", "jazz", ""]
    assert not made.learn({})
