from __future__ import annotations

import random
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.theme import BUILTIN_THEMES

from tui.comparing import Comparison, Side, sign_test
from tui.following import RunFollower, _halve
from tui.messages import GenerationMoved
from tui.progress_words import GenerationProgress
from tui.text import ago, bar, clock, fit, fit_middle, pad, size, visible
from tui.theme import MUSICHELPER, MUSICHELPER_LIGHT, quiet_colours
from tui.widgets.loss_plot import thin
from tui.widgets.waveform import outline, squeeze


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.mp3", "plain name.mp3"),
        ("[red]x[/]", "[red]x[/]"),
        ("歌曲 é", "歌曲 é"),
        ("a\x1b[31mb\n", "a\\x1b[31mb\\x0a"),
        ("ab\u202ecd", "ab\\u202ecd"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("bad\udcffbyte", "bad\\xffbyte"),
    ],
)
def test_what_cannot_be_seen_is_written_as_a_code(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert visible(Path("x") / name.replace("/", "")) == "x/" + shown.replace("/", "")


@pytest.mark.parametrize(
    "text", ["short", "a rather long name of a file.mp3", "歌曲中文標題很長的一個名字.flac"]
)
@pytest.mark.parametrize("cells", [0, 1, 4, 5, 9, 20, 80])
def test_texts_fit_their_cells(text: str, cells: int) -> None:
    assert cell_len(fit(text, cells)) <= cells
    assert cell_len(fit_middle(text, cells)) <= max(cells, 0)
    assert cell_len(pad(text, cells)) == cells
    if cells >= 9 and cell_len(text) > cells:
        assert fit_middle(text, cells)[-1] == text[-1]


def test_numbers_are_short() -> None:
    assert [clock(value) for value in (None, 0, 59.6, 61, 3723)] == [
        "–:––",
        "0:00",
        "1:00",
        "1:01",
        "1:02:03",
    ]
    assert [size(value) for value in (0, 900, 2048, 5 * 2**30)] == ["0 B", "900 B", "2.0 KiB", "5.0 GiB"]
    assert [ago(0.0, now) for now in (1.0, 30.0, 7200.0, 200000.0)] == [
        "now",
        "30 s ago",
        "2.0 h ago",
        "2 days ago",
    ]
    assert [bar(share, 4) for share in (-1, 0, 0.5, 0.53, 1, 2)] == ["", "", "██", "██▏", "████", "████"]


def test_a_waveform_is_as_high_as_its_largest_sample() -> None:
    assert outline([(0.0, 0.5), (-0.25, 0.0), (0.0, 0.0)], 2) == ["█  ", "██ "]
    assert outline([], 2) == ["", ""]
    assert outline([(0.0, 0.0)], 1) == [" "]
    assert squeeze([(-1.0, 0.1), (-0.1, 0.2), (0.0, 0.3), (0.0, 0.4)], 2) == [(-1.0, 0.2), (0.0, 0.4)]
    assert len(squeeze([(0.0, 1.0)], 5)) == 5


def test_curves_are_thinned_by_means() -> None:
    points = [(float(x), float(2 * x)) for x in range(100)]
    thinned = thin(points, 10)
    assert len(thinned) == 10
    assert thinned[0] == (4.5, 9.0)
    assert thin(points[:5], 10) == points[:5]
    assert _halve([(0.0, 1.0, 0.0), (1.0, 3.0, 9.0), (2.0, 5.0, 10.0)]) == [(0.5, 2.0, 4.5), (2.0, 5.0, 10.0)]


def test_smoothing_starts_at_the_first_loss_and_forgets_steps_that_come_again() -> None:
    follower = RunFollower("x")
    for step, loss in ((1, 4.0), (2, 2.0), (3, float("nan")), (4, 2.0)):
        follower._heed({"event": "step", "step": step, "loss": loss, "time": float(step)})
    assert follower._loss.raw == [(1.0, 4.0, 0.0), (2.0, 2.0, 1.0), (4.0, 2.0, 3.0)]
    assert follower._loss.smooth[0][1] == pytest.approx(4.0)
    assert 2.0 < follower._loss.smooth[-1][1] < 4.0
    follower._heed({"event": "step", "step": 2, "loss": 3.0, "time": 9.0})
    assert follower._loss.raw == [(1.0, 4.0, 0.0), (2.0, 3.0, 8.0)]


@pytest.mark.parametrize(
    "theme", [MUSICHELPER, MUSICHELPER_LIGHT, *BUILTIN_THEMES.values()], ids=lambda t: t.name
)
def test_each_theme_has_quiet_colours(theme: object) -> None:
    assert set(quiet_colours(theme)) == {"dim", "faint"}  # type: ignore[arg-type]


def test_what_is_left_of_a_generation_is_told_from_its_pace() -> None:
    progress = GenerationProgress()
    assert not progress.going
    progress.begin(2)
    assert "Loading" in str(progress.line())
    progress.move(GenerationMoved(0, 2, 100, 400), now=10.0)
    assert "left" not in str(progress.line())
    progress.move(GenerationMoved(0, 2, 200, 400), now=20.0)
    assert "200/400  0:20 left" in str(progress.line())
    progress.move(GenerationMoved(1, 2, 10, 400), now=30.0)
    assert "clip 2 of 2" in str(progress.line())
    assert "left" not in str(progress.line())


def test_votes_are_counted_for_what_is_behind_the_letters() -> None:
    comparison = Comparison((Side("base", Path("a")), Side("tuned", Path("b"))), chance=random.Random(1))
    assert comparison.gain(0) == 0.0
    comparison.take_loudness({Path("a"): -20.0, Path("b"): -12.5})
    assert (comparison.gain(0), comparison.gain(1)) == (0.0, -7.5)
    comparison.change_blind()
    orders = set()
    for _round in range(20):
        orders.add(comparison.order)
        assert "tuned" not in comparison.title(0) + comparison.title(1) + comparison.result()
        comparison.vote(comparison.order.index(1))
    assert orders == {(0, 1), (1, 0)}
    comparison.change_blind()
    assert comparison.votes == [0, 20]
    assert "tuned: 20" in comparison.result()
    assert sign_test(4, 0) == pytest.approx(0.125)
    assert sign_test(2, 2) == 1.0
