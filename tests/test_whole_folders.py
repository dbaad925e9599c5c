"""Folders that are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.files import whole_folder


def test_a_folder_takes_the_place_of_another_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "mine"
    with whole_folder(target) as place:
        (place / "weights").write_text("old")
    left = target.with_name(".musichelper-99999999-abcdef.tmp")
    left.mkdir()
    with pytest.raises(OSError, match="disk"), whole_folder(target) as place:
        (place / "weights").write_text("half")
        raise OSError("disk")
    assert (target / "weights").read_text() == "old"
    with whole_folder(target) as place:
        (place / "weights").write_text("new")
    assert (target / "weights").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]
