"""Captions: true words, the reader's forms, and the person's text kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assistant.audio.instruments import INSTRUMENTS
from assistant.caption.files import Origin, music_fields, read_origin, write_caption
from assistant.caption.words import describe, genre_words, tempo_word

SOUND = {
    "bpm": 127.6, "bpm_confidence": 0.7, "bpm_source": "sound", "key": "A minor", "key_confidence": 0.2,
    "key_source": "sound", "loudness": -12.0, "spread": 4.0, "brightness": 2600, "onsets": 4.0,
}  # fmt: skip
SCORE = {
    "bpm": 90.0, "bpm_confidence": 0.1, "bpm_source": "file", "key": "E flat major", "key_confidence": 0.2,
    "key_source": "notes", "instruments": ["piano", "acoustic bass", "drums"], "meter": "3/4",
}  # fmt: skip


def all_forms(facts: dict[str, Any], genre: str | None) -> list[str]:
    return [describe(facts, genre, str(content)) for content in range(60)]


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
    doubtful = SOUND | {"bpm_confidence": 0.05, "key_confidence": 0.01}
    for text in all_forms(doubtful, None):
        assert "BPM" not in text
        assert "minor" not in text
    assert set(all_forms({}, None)) <= {"A piece of music.", "A track."}


@pytest.mark.parametrize("genre", [None, "rock", "electronic_dance", "indie"])
def test_the_english_is_well_formed(genre: str | None) -> None:
    for facts in ({}, SOUND, SCORE, SOUND | {"bpm": 55.0, "onsets": 0.5, "spread": 15.0, "loudness": -30.0}):
        for text in all_forms(facts, genre):
            assert text[0].isupper()
            assert text.endswith(".")
            assert "\n" not in text
            assert not re.search(r"  | \.|,,|\bNone\b|unknow| and and |with \.", text), text
            assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [^aeiou]", text), text


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
    text = write_caption(info, caption, origin(), "jazz", foreign=False)
    assert caption.read_text() == text + "\n"
    document = json.loads(info.read_text())
    assert document["description"] == text
    assert document["genre"] == "jazz"
    assert document["musichelper"]["source"] == "a.mp3"
    assert read_origin(info) == origin(duration=12.346)


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
        assert write_caption(info, caption, origin(), genre, foreign=False) == "My own words."
    assert caption.read_text() == "My own words.\n"
    assert json.loads(info.read_text())["description"] == "My own words."
    assert json.loads(info.read_text())["genre"] == "rock"


def test_a_caption_that_was_there_before_stays(tmp_path: Path) -> None:
    info, caption = tmp_path / "a.json", tmp_path / "a.txt"
    caption.write_bytes("自己的話\r\n第二行".encode())
    text = write_caption(info, caption, origin(), "rock", foreign=True)
    assert text == "自己的話 第二行"
    assert caption.read_bytes() == "自己的話\r\n第二行".encode()
    assert json.loads(info.read_text())["musichelper"]["written"] is None
