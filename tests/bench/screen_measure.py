"""Measuring a program in a terminal: start, memory, bytes, latency of a key."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.terminal import Terminal

IDLE_SECONDS = 10.0
DOWN = b"\x1b[B"


@dataclass
class Result:
    """What was measured of one program."""

    name: str
    start: float = 0.0
    memory: int = 0
    idle: float = 0.0
    latencies: list[float] = field(default_factory=list)
    pages: dict[str, float] = field(default_factory=dict)
    """Bytes a second of pages that are looked at."""
    words: str = ""
    """What else is to be said."""


def press(
    terminal: Terminal, key: bytes, times: int, answer: Callable[[int], str] | None = None
) -> list[float]:
    """Latencies of a key, each pressed when the answer to the one before has been written."""
    found = []
    for number in range(times):
        found.append(terminal.answer(key, answer(number) if answer else None))
        terminal.settle(most=0.5)
        time.sleep(0.02)
    return found


def measure(
    name: str,
    command: list[str],
    words: str,
    keys: int,
    *,
    prepare: Callable[[Terminal], None] = lambda _terminal: None,
    key: bytes = DOWN,
    answer: Callable[[int], str] | None = None,
    after: Callable[[Terminal, Result], None] = lambda _terminal, _result: None,
    environment: dict[str, str] | None = None,
) -> Result:
    """Start, memory, idle bytes and latency of a program; the best of three starts."""
    result = Result(name, start=float("inf"))
    for round_ in range(3):
        terminal = Terminal(command, environment)
        try:
            result.start = min(result.start, terminal.wait_for(words))
            if round_ < 2:
                continue
            rest(terminal)
            prepare(terminal)
            rest(terminal)
            result.memory = terminal.memory()
            result.idle = terminal.listen(IDLE_SECONDS) / IDLE_SECONDS
            result.latencies = press(terminal, key, keys, answer)
            after(terminal, result)
        finally:
            terminal.close()
    say(result)
    return result


def say(result: Result) -> None:
    """Tell how far it is."""
    worst = max(result.latencies, default=0.0)
    words = f"{result.name}: {result.start:.2f} s, {result.idle:.0f} B/s, worst {worst:.3f} s"
    print(time.strftime("%H:%M:%S"), words, file=sys.stderr, flush=True)


def rest(terminal: Terminal) -> None:
    """Wait until it has nothing more to draw; a blinking cursor never has."""
    terminal.settle(quiet=0.7, most=5.0)
