from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.wrapping import wrap


@pytest.mark.parametrize(
    ("text", "cells", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one\n\ntwo", 7, ["one", "", "two"]),
        ("按 Enter 確認曲風，再看下一首。", 12, ["按 Enter 確", "認曲風，再看", "下一首。"]),
        ("請把音樂放進資料夾。", 8, ["請把音樂", "放進資料", "夾。"]),
        ("請把音樂放進。", 12, ["請把音樂放", "進。"]),  # no line begins with a full stop
        ("曲風「爵士」在前", 6, ["曲風", "「爵", "士」在", "前"]),  # nor ends with an opening bracket
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("", 4, [""]),
        ("歌", 1, ["歌"]),
    ],
)
def test_lines_break_where_the_language_wants_it(text: str, cells: int, lines: list[str]) -> None:
    assert wrap(text, cells) == lines


@settings(max_examples=100, deadline=None)
@given(st.text("abc 歌曲，。「」-", max_size=60), st.integers(4, 30))
def test_no_line_is_too_wide_and_no_letter_is_lost(text: str, cells: int) -> None:
    lines = wrap(text, cells)
    assert all(cell_len(line) <= cells for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
