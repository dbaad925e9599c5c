"""What the benchmarks share: the machine in words, tables, and the file of last results."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Results

The last output of each benchmark in this folder, with the machine that it ran on.
"""


def machine() -> str:
    """The processor, cores, memory and Python of this machine, in one line."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {memory:.0f} GiB, Linux, Python {platform.python_version()}"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def last_rows(section: str) -> dict[str, list[str]]:
    """The rows of a section's only table as it was saved, by their first cell."""
    whole = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    block = whole.partition(f"<!-- {section} -->")[2].partition(f"<!-- /{section} -->")[0]
    lines = [line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("| ")]
    return {cells[0]: cells for cells in lines[2:]}


def save(section: str, text: str) -> None:
    """Put a benchmark's output in the place of its last one in `RESULTS.md`."""
    block = (
        f"<!-- {section} -->\n## {section}\n\n{time.strftime('%Y-%m-%d')}, {machine()}\n\n"
        f"{text.strip()}\n<!-- /{section} -->\n"
    )
    whole = RESULTS.read_text("utf-8") if RESULTS.exists() else _HEAD
    place = re.compile(f"<!-- {re.escape(section)} -->.*?<!-- /{re.escape(section)} -->\n", re.DOTALL)
    if place.search(whole):
        whole = place.sub(lambda _match: block, whole)
    else:
        whole = whole.rstrip("\n") + "\n\n" + block
    RESULTS.write_text(whole, "utf-8")
