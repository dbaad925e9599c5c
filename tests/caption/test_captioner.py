"""Templates of the person's own, and captioners of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.caption import captioner
from assistant.caption.captioner import check_captioner, write_words
from assistant.caption.facts import fact
from assistant.caption.templates import fill
from assistant.caption.words import Known, fields
from assistant.config import CAPTION_FIELDS, CaptionSettings, load_settings
from assistant.errors import CallError

KNOWN = Known({"bpm": fact(90.0, "file"), "key": fact("C minor", "file")}, "jazz", title="Tune", content="1")


def test_a_form_leaves_out_what_is_not_known() -> None:
    form = "{subject}[ with {instruments}][ in {key}][, at {tempo}]. [It has {qualities}.]"
    assert fill(form, fields(KNOWN)) == "A relaxed jazz track in C minor, at 90 BPM."
    assert set(fields(KNOWN)) == set(CAPTION_FIELDS)


def test_the_persons_templates_are_used(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[caption]\ntemplates = ["music, [{genre}, ][{title}, ]{tempo}"]\n')
    settings = load_settings(config).caption
    assert write_words(KNOWN, settings).text == "Music, jazz, Tune, 90 BPM"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{subjct}.", "did you mean {subject}"),
        ("{nothing_like_it}.", "no field"),
        ("{subject.", "curly"),
        ("{subject}[ in {key}.", "square"),
        ("{subject}[ in [{key}]].", "square"),
        ("[{key}].", "left out"),
        ("", "one line"),
    ],
)
def test_a_wrong_template_is_refused_at_the_door(tmp_path: Path, template: str, words: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[caption]\ntemplates = ["{template}"]\n')
    with pytest.raises(CallError) as error:
        load_settings(config)
    assert words in error.value.title
    assert "likely_mood" in error.value.hint


PLUG_IN = """
class Haiku:
    def caption(self, known):
        if known.genre == "rock":
            raise ValueError("no haiku about rock")
        if known.genre == "pop":
            return None
        return f"Old pond, {known.genre}.\\n{known.facts['bpm']['value']:.0f} frogs."
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CaptionSettings:
    (tmp_path / "haiku_captions.py").write_text(PLUG_IN)
    about = tmp_path / "haiku_captions-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: haiku-captions\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[musichelper.captioners]\nhaiku = haiku_captions:Haiku\nbroken = haiku_captions:Missing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    captioner.load.cache_clear()
    return CaptionSettings(captioner="haiku")


def test_a_plug_in_writes_captions(plug_in: CaptionSettings) -> None:
    check_captioner(plug_in)
    assert write_words(KNOWN, plug_in).text == "Old pond, jazz. 90 frogs."


@pytest.mark.parametrize(("genre", "reason"), [("rock", "no haiku about rock"), ("pop", "not str")])
def test_an_error_of_a_plug_in_costs_one_caption(plug_in: CaptionSettings, genre: str, reason: str) -> None:
    caption = write_words(Known(KNOWN.facts, genre, content="1"), plug_in)
    assert genre in caption.text
    assert "built-in" in caption.problem
    assert reason in caption.problem


def test_a_plug_in_that_cannot_be_loaded_costs_no_caption(plug_in: CaptionSettings) -> None:
    caption = write_words(KNOWN, CaptionSettings(captioner="broken"))
    assert "jazz" in caption.text
    assert "AttributeError" in caption.problem


def test_an_unknown_captioner_is_refused_at_the_door(plug_in: CaptionSettings) -> None:
    with pytest.raises(CallError) as error:
        check_captioner(CaptionSettings(captioner="hiku"))
    assert "templates, broken, haiku" in error.value.hint
