"""Chinese prompts in English: the form of the data, and what becomes of words, numbers and refusals."""

from __future__ import annotations

from importlib.resources import files

import pytest

from assistant.musicgen.prompts import is_chinese, translate
from assistant.musicgen.prompts.curated import curated_prompts, nearest
from assistant.musicgen.prompts.glossary import KINDS, rows
from assistant.musicgen.prompts.numbers import number_at, value_of


def test_the_glossary_has_its_form() -> None:
    found = rows()
    assert len(found) > 500
    spellings = [spelling for _term, words in found for spelling in words]
    assert len(set(spellings)) == len(spellings), "a spelling means one thing"
    assert len({term.english for term, _words in found}) == len(found)
    assert {term.kind for term, _words in found} == set(KINDS)
    for term, words in found:
        assert term.english == term.english.strip()
        assert term.english
        assert term.english.isascii() or "é" in term.english
        assert words
        for word in words:
            assert is_chinese(word)
            assert len(word) <= 8
            assert not any(character.isspace() for character in word)


def test_the_marks_and_the_curated_prompts_have_their_form() -> None:
    package = files("assistant.musicgen.prompts")
    lines = [line for line in package.joinpath("marks.tsv").read_text("utf-8").splitlines() if line[0] != "#"]
    assert {line.split("\t")[0] for line in lines} == {"not", "not too", "and", "of", "end", "nothing"}
    prompts = curated_prompts()
    assert len(prompts) >= 60
    for one in prompts:
        assert not is_chinese(one.english)
        assert is_chinese(one.chinese)
        assert not translate(one.chinese).english.startswith("a piece,"), one.chinese


@pytest.mark.parametrize(
    ("prompt", "english"),
    [
        ("a slow blues", "a slow blues"),
        ("", ""),
        ("慢板藍調，電吉他和口琴，悲傷", "a slow blues with electric guitar and harmonica, sad"),
        ("慢板蓝调，电吉他和口琴，悲伤", "a slow blues with electric guitar and harmonica, sad"),
        ("非常快的龐克搖滾", "a very fast punk rock piece"),
        ("輕柔的鋼琴", "a piece with gentle piano"),
        ("快樂的歌", "a song, happy"),
        ("孤單", "a lonely piece"),
        ("lo-fi 嘻哈 with dusty drums", "a hip-hop piece with dusty drums, lo-fi"),
        ("聖誕音樂", "Christmas music"),
        ("爵士與嘻哈", "a jazz and hip-hop piece"),
        ("八〇年代的合成器流行，120拍", "an 80s synth-pop piece, 120 bpm"),
        ("降E大調的圓舞曲，三四拍", "a waltz, in E flat major, 3/4 time"),
        ("鋼琴，雄壯", "a piece with piano, majestic"),
        ("咖啡廳裡的巴薩諾瓦", "a bossa nova, for a café"),
    ],
)
def test_what_the_model_is_told(prompt: str, english: str) -> None:
    assert translate(prompt).english == english


@pytest.mark.parametrize(
    ("prompt", "english", "left_out"),
    [
        ("爵士，不要鼓和人聲，要鋼琴", "a jazz piece with piano", ("鼓", "人聲")),
        ("沒有鼓的鋼琴曲", "a piece with piano", ("鼓",)),
        ("不要太快的搖滾", "a mid-tempo rock piece", ()),
        ("不要太吵的搖滾", "a rock piece", ("不要太吵",)),
    ],
)
def test_what_is_not_wanted_is_left_out(prompt: str, english: str, left_out: tuple[str, ...]) -> None:
    said = translate(prompt)
    assert (said.english, said.left_out) == (english, left_out)


def test_what_is_not_understood_and_what_a_setting_says() -> None:
    said = translate("鋼琴，囧囧，30秒")
    assert (said.english, said.unknown, said.elsewhere) == ("a piece with piano", ("囧囧",), ("30秒",))
    assert translate("囧囧").english == ""


@pytest.mark.parametrize(
    ("text", "kind", "english"),
    [
        ("每分鐘七十拍", "bpm", "70 bpm"),
        ("BPM 120", "bpm", "120 bpm"),
        ("一百二十拍", "bpm", "120 bpm"),
        ("升f小調", "key", "in F sharp minor"),
        ("C大调", "key", "in C major"),
        ("四分之三拍", "time", "3/4 time"),
        ("6/8拍", "time", "6/8 time"),
        ("1980年代", "era", "80s"),
        ("九零年代", "era", "90s"),
        ("兩分鐘", "length", ""),
    ],
)
def test_numbers(text: str, kind: str, english: str) -> None:
    found = number_at(text, 0)
    assert found is not None
    assert (found[0].kind, found[0].english, found[1]) == (kind, english, len(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [("十", 10), ("二十五", 25), ("一百零二", 102), ("一百二", 120), ("一二〇", 120), ("九", 9)],
)
def test_chinese_numerals(text: str, value: int) -> None:
    assert value_of(text) == value


def test_the_nearest_curated_prompt() -> None:
    (first, *_rest) = nearest("哀傷的二胡")
    assert first.english.startswith("a melancholic erhu solo")
    assert nearest("囧") == []
