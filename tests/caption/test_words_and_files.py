"""Captions: true words, the reader's forms, and the person's text kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assistant.audio.instruments import INSTRUMENTS
from assistant.caption.facts import fact, upgraded
from assistant.caption.files import Origin, music_fields, read_origin, write_caption
from assistant.caption.words import Known, describe, genre_words, tempo_word

SOUND = upgraded({
    "bpm": 127.6, "bpm_confidence": 0.7, "bpm_source": "sound", "key": "A minor", "key_confidence": 0.2,
    "key_source": "sound", "loudness": -12.0, "spread": 4.0, "brightness": 2600, "onsets": 4.0,
})  # fmt: skip
SCORE = upgraded({
    "bpm": 90.0, "bpm_confidence": 0.1, "bpm_source": "file", "key": "E flat major", "key_confidence": 0.2,
    "key_source": "notes", "instruments": ["piano", "acoustic bass", "drums"], "meter": "3/4",
})  # fmt: skip


HEARD = SOUND | {
    "likely_instruments": fact(["guitar", "drums"], "musicnn", 0.8),
    "likely_voice": fact(["female voice"], "musicnn", 0.5),
    "likely_moods": fact(["danceable"], "musicnn", 0.5),
}


def all_forms(facts: dict[str, Any], genre: str | None) -> list[str]:
    return [describe(Known(facts, genre, content=str(content))) for content in range(60)]


def test_what_is_known_is_said_in_every_form() -> None:
    for text in all_forms(SOUND, "hiphop"):
        assert "hip-hop" in text
        assert "about 128 BPM" in text
        assert "A minor" in text
        assert "bright sound" in text
    for text in all_forms(SCORE, "jazz"):
        assert "piano" in text
        assert "drums" in text
        assert "90 BPM" in text
        assert "about" not in text
        assert "3/4 time" in text
    assert len(set(all_forms(SOUND, "rock"))) > 5


def test_what_is_not_known_is_not_said() -> None:
    doubtful = SOUND | {"bpm": fact(127.6, "sound", 0.05), "key": fact("A minor", "sound", 0.01)}
    for text in all_forms(doubtful, None):
        assert "BPM" not in text
        assert "minor" not in text
    assert set(all_forms({}, None)) <= {"A piece of music.", "A track."}


@pytest.mark.parametrize("genre", [None, "rock", "electronic_dance", "indie"])
def test_the_english_is_well_formed(genre: str | None) -> None:
    slow = SOUND | upgraded({"bpm": 55.0, "onsets": 0.5, "spread": 15.0, "loudness": -30.0})
    for facts in ({}, SOUND, SCORE, slow, HEARD, {"key": SOUND["key"]}):
        for text in all_forms(facts, genre):
            assert text[0].isupper()
            assert text.endswith(".")
            assert "\n" not in text
            assert not re.search(r"  | \.|,,|\bNone\b|unknow| and and |with \.", text), text
            assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [^aeiou]", text), text


def test_what_the_networks_hear_is_said_as_likely() -> None:
    for text in all_forms(HEARD, "pop"):
        before, _found, after = text.partition("guitar, drums and a female voice")
        assert after, text
        assert "probably" in before
        assert "probably" in text[: text.index("danceable")]
    score = SCORE | {name: HEARD[name] for name in ("likely_instruments", "likely_voice")}
    for text in all_forms(score, "pop"):  # a score knows better
        assert "guitar" not in text
        assert "probably" not in text


def test_a_caption_is_two_sentences_at_most() -> None:
    for facts in (SOUND, SCORE, HEARD, HEARD | {"onsets": fact(7.0, "sound")}):
        for text in all_forms(facts, "pop"):
            assert len(re.findall(r"\.(?: |$)", text)) <= 2, text


@pytest.mark.parametrize(
    ("genre", "article"),
    [
        ("rnb", "an"), ("MPB", "an"), ("EDM", "an"), ("ROCK", "a"), ("SKA", "a"), ("urban", "an"),
        ("uk garage", "a"), ("8-bit", "an"), ("eurodance", "a"), ("electronic", "an"), ("universal", "a"),
        ("hiphop", "a"), ("house", "a"),
    ],
)  # fmt: skip
def test_articles(genre: str, article: str) -> None:
    for text in all_forms({}, genre):
        assert text.lower().startswith(f"{article} "), text


def test_words() -> None:
    assert [tempo_word(bpm) for bpm in (50, 70, 90, 110, 125, 150, 200)] == [
        "very slow", "slow", "relaxed", "mid-tempo", "upbeat", "fast", "very fast",
    ]  # fmt: skip
    assert genre_words("lo_fi") == "lo fi"
    assert genre_words(None) == ""
    assert len(INSTRUMENTS) == 128


def origin(**changes: Any) -> Origin:
    values: dict[str, Any] = {
        "source": "a.mp3", "content": "00ff", "wav": "a.wav", "title": "Tune", "artist": "Someone",
        "album": "", "duration": 12.3456, "facts": SCORE, "tags": {},
    }  # fmt: skip
    return Origin(**values | changes)


def test_fields_survive_the_rules_of_audiocrafts_reader() -> None:
    """The rules of audiocraft.data.music_dataset.MusicInfo.from_dict, without importing it."""
    required = [
        "title",
        "artist",
        "key",
        "bpm",
        "genre",
        "moods",
        "keywords",
        "description",
        "name",
        "instrument",
    ]
    for facts in (SOUND, SCORE, {}):
        fields = music_fields(origin(facts=facts), "rock", "A rock track.")
        assert set(required) <= set(fields)
        for name in ("genre", "name", "instrument", "title", "artist", "description", "key"):
            assert isinstance(fields[name], str)
        assert "," not in fields["key"]
        assert fields["bpm"] is None or isinstance(fields["bpm"], float)
        assert all(isinstance(fields[name], list) for name in ("moods", "keywords"))
    assert music_fields(origin(), "rock", "")["instrument"] == "piano, acoustic bass, drums"


def test_files_are_written_and_read_back(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    text = write_caption(info, caption, origin(), "jazz", foreign=False).text
    assert caption.read_text() == text + "\n"
    document = json.loads(info.read_text())
    assert document["description"] == text
    assert document["genre"] == "jazz"
    assert document["musichelper"]["source"] == "a.mp3"
    assert read_origin(info) == origin(duration=12.346)


def test_a_caption_whose_json_a_crash_prevented_is_ours(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(), None, foreign=False)
    info.unlink()
    write_caption(info, caption, origin(), None, foreign=True)  # as intake finds it
    assert "jazz" in write_caption(info, caption, origin(), "jazz", foreign=False).text


def test_a_caption_of_ours_follows_the_genre(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(), None, foreign=False)
    write_caption(info, caption, origin(), "blues", foreign=False)
    assert "blues" in caption.read_text()
    write_caption(info, caption, origin(), "metal", foreign=False)
    assert "metal" in caption.read_text()
    assert "blues" not in caption.read_text()


def test_a_caption_that_the_person_changed_stays(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(), None, foreign=False)
    caption.write_text("My own words.\n")
    for genre in ("blues", "rock"):
        assert write_caption(info, caption, origin(), genre, foreign=False).text == "My own words."
    assert caption.read_text() == "My own words.\n"
    assert json.loads(info.read_text())["description"] == "My own words."
    assert json.loads(info.read_text())["genre"] == "rock"


def test_a_caption_that_was_there_before_stays(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    caption.write_bytes("自己的話\r\n第二行".encode())
    text = write_caption(info, caption, origin(), "rock", foreign=True).text
    assert text == "自己的話 第二行"
    assert caption.read_bytes() == "自己的話\r\n第二行".encode()
    assert json.loads(info.read_text())["musichelper"]["written"] is None


def test_audiocrafts_own_reader_keeps_every_field() -> None:
    from audiocraft.data.music_dataset import MusicInfo

    expected = ["title", "artist", "name", "genre", "description"]
    segment = dict.fromkeys(("meta", "audio_tokens")) | {"seek_time": 0.0, "channels": 2}
    segment |= {"n_frames": 1, "total_frames": 1}
    for facts, genre in ((SOUND, "hiphop"), (SCORE, "jazz"), (HEARD, "pop"), ({}, None)):
        fields = music_fields(origin(facts=facts), genre, "A track.")
        info = MusicInfo.from_dict(
            fields | segment,
            fields_required=True,
        )
        for name in expected:
            assert (getattr(info, name) or "").lower() == fields[name].lower()
        assert info.key == (fields["key"].lower() or None)
        assert info.bpm == fields["bpm"]
        assert info.instrument == (fields["instrument"].lower() or None)
        assert info.moods == (fields["moods"] or None)
        assert info.keywords == (fields["keywords"] or None)


def test_each_fact_has_its_source(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    tagged = origin(facts=HEARD, tags={"title": "Tune"})
    write_caption(info, caption, tagged, "jazz", foreign=False, genre_source="person")
    facts = json.loads(info.read_text())["musichelper"]["facts"]
    sources = {name: item["source"] for name, item in facts.items()}
    assert sources["bpm"] == "sound"
    assert sources["likely_voice"] == "musicnn"
    assert (sources["genre"], sources["title"], sources["artist"]) == ("person", "tags", "name")
    assert all(0 <= item["confidence"] <= 1 for item in facts.values())
    assert read_origin(info) == origin(facts=HEARD, tags={"title": "Tune"}, duration=12.346)


def test_flat_facts_of_older_files_are_read(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(facts=SOUND), "rock", foreign=False)
    document = json.loads(info.read_text())
    document["musichelper"]["facts"] = {
        "bpm": 127.6, "bpm_confidence": 0.7, "bpm_source": "sound", "instruments": ["piano"], "spread": 4.0,
    }  # fmt: skip
    del document["musichelper"]["described"]
    info.write_text(json.dumps(document))
    before = read_origin(info)
    assert before is not None
    assert before.facts == {
        "bpm": fact(127.6, "sound", 0.7),
        "instruments": fact(["piano"], "file"),
        "spread": fact(4.0, "sound"),
    }
    assert "blues" in write_caption(info, caption, before, "blues", foreign=False).text


@pytest.mark.parametrize(
    "data",
    [
        b"My own words.\r\n",
        b"\xef\xbb\xbfMy own words.",
        "My own words.".encode("utf-16"),
    ],
)
def test_edits_of_other_editors_stay_to_the_byte(tmp_path: Path, data: bytes) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(), None, foreign=False)
    caption.write_bytes(data)
    assert write_caption(info, caption, origin(), "rock", foreign=False).text == "My own words."
    assert caption.read_bytes() == data


def test_other_line_ends_are_no_edit(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    ours = write_caption(info, caption, origin(), None, foreign=False).text
    caption.write_bytes(b"\xef\xbb\xbf" + ours.encode() + b"\r\n")
    assert "rock" in write_caption(info, caption, origin(), "rock", foreign=False).text


def test_a_description_that_the_person_changed_stays(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    write_caption(info, caption, origin(), None, foreign=False)
    document = json.loads(info.read_text())
    info.write_text(json.dumps(document | {"description": "A song for my mother."}))
    for genre in ("blues", "rock", "jazz"):
        write_caption(info, caption, origin(), genre, foreign=False)
        assert json.loads(info.read_text())["description"] == "A song for my mother."
        assert caption.read_text() == "A song for my mother.\n"
    caption.write_text("Other words.\n")
    write_caption(info, caption, origin(), "pop", foreign=False)
    assert caption.read_text() == "Other words.\n"
