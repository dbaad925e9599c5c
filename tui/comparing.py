"""Two sounds by turns: which is heard, how loud, hidden behind A and B, and the votes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import comb
from pathlib import Path

from assistant.i18n import _

NAMES = ("A", "B")


@dataclass(frozen=True)
class Side:
    """A sound, and what it is called once it may be known."""

    label: str
    path: Path
    detail: str = ""


@dataclass
class Comparison:
    """The state of a comparison. While it is blind, `order` says which side is behind A."""

    sides: tuple[Side, Side]
    blind: bool = False
    matched: bool = True
    order: tuple[int, int] = (0, 1)
    votes: list[int] = field(default_factory=lambda: [0, 0])
    """For each side."""
    lufs: tuple[float | None, float | None] = (None, None)
    chance: random.Random = field(default_factory=random.Random)

    def side(self, place: int) -> Side:
        """What is behind A (0) or B (1)."""
        return self.sides[self.order[place]]

    def place_of(self, path: Path | None) -> int | None:
        """Behind which letter a sound is."""
        for place in (0, 1):
            if self.side(place).path == path:
                return place
        return None

    def gain(self, place: int) -> float:
        """Decibels by which a sound is turned down so that both are as loud; none is turned up."""
        loudness = self.lufs[self.order[place]]
        known = [value for value in self.lufs if value is not None]
        if not self.matched or loudness is None or len(known) < 2:
            return 0.0
        return min(known) - loudness

    def take_loudness(self, lufs: Mapping[Path, float | None]) -> None:
        """What was measured."""
        self.lufs = (lufs.get(self.sides[0].path), lufs.get(self.sides[1].path))

    def change_blind(self) -> None:
        """Hide the names, in a new order; or show them again."""
        self.blind = not self.blind
        self.order = (0, 1)
        if self.blind:
            self.votes = [0, 0]
            self._shuffle()

    def vote(self, place: int) -> None:
        """The sound behind a letter is the better one; blind, the next round has an order of its own."""
        self.votes[self.order[place]] += 1
        if self.blind:
            self._shuffle()

    def title(self, place: int) -> str:
        """What is shown of a side."""
        side = self.side(place)
        return NAMES[place] if self.blind else "  ".join((NAMES[place], side.label, side.detail)).rstrip()

    def result(self) -> str:
        """The votes in words; which of the two they are for only when nothing is hidden any more."""
        first, second = self.votes
        total = first + second
        if not total:
            return ""
        if self.blind:
            return _("{count} blind votes so far.").format(count=total)
        return _(
            "{first}: {votes}, {second}: {others}. By chance alone {share:.0%} would be as clear."
        ).format(
            first=self.sides[0].label,
            votes=first,
            second=self.sides[1].label,
            others=second,
            share=sign_test(first, second),
        )

    def _shuffle(self) -> None:
        self.order = self.chance.choice(((0, 1), (1, 0)))


def sign_test(first: int, second: int) -> float:
    """How likely votes at least as uneven are where there is no difference (two-sided binomial test)."""
    total, most = first + second, max(first, second)
    tail = sum(comb(total, count) for count in range(most, total + 1)) / 2.0**total
    return min(1.0, 2 * tail)
