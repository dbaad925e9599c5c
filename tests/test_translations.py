"""The Traditional Chinese catalogue: complete, with the same placeholders, and compiled."""

from __future__ import annotations

import ast
import io
import re
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from assistant.cli import parser
from assistant.i18n import _, detect_language, set_language

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assistant/locale/zh_TW/LC_MESSAGES"
KEYWORDS = {"_": None, "translate": None, "ngettext": (1, 2)}


def _fields(message: str) -> set[tuple[str, str | None, str | None]]:
    return {(name, spec, way) for _text, name, spec, way in string.Formatter().parse(message) if name}


def _messages() -> set[str]:
    found = set()
    for package in ("assistant", "tui"):
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / package, keywords=KEYWORDS, comment_tags=()
        ):
            found.add(message if isinstance(message, str) else message[0])
    return found


def test_each_message_of_the_source_is_translated() -> None:
    with (FOLDER / "musichelper.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_TW")
    translated = {
        (entry.id if isinstance(entry.id, str) else entry.id[0]): entry for entry in catalogue if entry.id
    }
    missing = sorted(message for message in _messages() if message not in translated)
    assert missing == [], "run .ci/translate, then translate what is new"
    empty = [
        key
        for key, entry in translated.items()
        if not (entry.string if isinstance(entry.string, str) else (entry.string or [""])[0]) or entry.fuzzy
    ]
    assert empty == []


def test_no_message_hides_in_an_f_string() -> None:
    """There the extraction of Python 3.11 does not see it."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in ("assistant", "tui")
        for path in (ROOT / package).rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS
    ]
    assert hidden == []


def test_translations_have_the_placeholders_of_the_source() -> None:
    with (FOLDER / "musichelper.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_TW")
    for entry in catalogue:
        if not entry.id:
            continue
        ids = [entry.id] if isinstance(entry.id, str) else list(entry.id)
        texts = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        for text in texts:
            assert _fields(text) == _fields(ids[-1]), ids[0]


def test_the_compiled_catalogue_is_fresh() -> None:
    with (FOLDER / "musichelper.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_TW")
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert (FOLDER / "musichelper.mo").read_bytes() == compiled.getvalue(), "run .ci/translate"


def test_user_facing_sentences_are_not_f_strings() -> None:
    """An f-string inside `_()` is translated after its values are filled in, so never found."""
    for package in ("assistant", "tui"):
        for path in (ROOT / package).rglob("*.py"):
            assert not re.search(r"\b(_|translate|ngettext)\(\s*f[\"']", path.read_text("utf-8")), path


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("LANG", "zh_TW.UTF-8", "zh_TW"),
        ("LC_ALL", "zh_HK.UTF-8", "zh_TW"),
        ("LANG", "de_DE.UTF-8", "en"),
        ("LANG", "C", "en"),
    ],
)
def test_the_environment_chooses_the_language(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, code: str
) -> None:
    for name in ("MUSICHELPER_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert detect_language() == code


def test_the_language_can_be_changed_at_any_time() -> None:
    set_language("zh_TW")
    chinese = _("The library {root} is ready.")
    set_language("en")
    assert "{root}" in chinese
    assert chinese != _("The library {root} is ready.")


def test_argparse_speaks_the_language_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    set_language("zh_TW")
    with pytest.raises(SystemExit):
        parser().parse_args(["retry", "--nonsense"])
    assert "錯誤：無法辨識的引數：--nonsense" in capsys.readouterr().err
    set_language("en")
    with pytest.raises(SystemExit):
        parser().parse_args(["retry", "--nonsense"])
    assert "error: unrecognized arguments: --nonsense" in capsys.readouterr().err
