"""Garbage is looked for between the keys."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from tui.garbage import FEW, GarbageCollector


class Knot:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def garbage() -> Iterator[GarbageCollector]:
    collector = GarbageCollector()
    collector.begin()
    yield collector
    gc.unfreeze()
    gc.enable()


def knots() -> list[ref[Knot]]:
    return [ref(Knot()) for _number in range(FEW)]


def alive(found: list[ref[Knot]]) -> bool:
    return any(one() is not None for one in found)


def test_it_waits_for_a_quiet_moment(garbage: GarbageCollector) -> None:
    found = knots()
    garbage.poll(0.1)
    assert alive(found)
    garbage.poll(5.0)
    assert not alive(found)


def test_it_never_looks_into_a_long_list(garbage: GarbageCollector) -> None:
    with garbage.long_list():
        long = [[number] for number in range(2 * FEW)]
        garbage.poll(5.0)
        assert gc.get_count()[0] >= FEW
    assert gc.get_count()[0] < FEW
    assert gc.get_freeze_count() >= len(long)
    found = knots()
    garbage.poll(5.0)
    assert not alive(found)


def test_what_a_long_list_left_behind_is_found_when_nobody_is_there(garbage: GarbageCollector) -> None:
    with garbage.long_list():
        found = knots()
    garbage.poll(60.0)
    assert alive(found)
    garbage.poll(301.0)
    assert not alive(found)
    with garbage.long_list():
        found = knots()
    garbage.poll(302.0)  # once is enough
    assert alive(found)
    garbage.poll(1.0)
    garbage.poll(303.0)
    assert not alive(found)
