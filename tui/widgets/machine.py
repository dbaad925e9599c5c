"""What a run's machine does: its GPU, or its processors, now and over the last minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.i18n import _
from tui.text import bar, fit, len_cells, pad, size

if TYPE_CHECKING:
    from assistant.runs.gpu import Gpu
    from tui.following import RunView

BLOCKS = " ▁▂▃▄▅▆▇█"
BAR_CELLS = 20


def machine_words(view: RunView, width: int) -> Content:
    """Memory of the run and its GPU, in a line."""
    parts = []
    if view.memory_bytes:
        parts.append(_("memory {size}").format(size=size(view.memory_bytes)))
    for gpu in view.gpus:
        if view.run.device == f"cuda:{gpu.index}":
            use = "" if gpu.utilisation is None else f" {gpu.utilisation}%"
            heat = "" if gpu.temperature is None else f" {gpu.temperature}°C"
            parts.append(f"{gpu.name}{use} {size(gpu.memory_used)}/{size(gpu.memory_total)}{heat}")
    return Content.styled(fit("  ".join(parts), width), "$dim")


def machine_lines(view: RunView, width: int, height: int) -> list[Content]:
    """Each GPU with bars, and the course of the run's own device."""
    lines = [line for gpu in view.gpus for line in _gpu(gpu, view)]
    if not view.gpus:
        lines.append(Content.styled(_("No GPU; the processors of this machine compute."), "$dim"))
    label = max(len_cells(_("use")), len_cells(_("memory"))) + 1
    for word, place in ((_("use"), 0), (_("memory"), 1)):
        loads = [load[place] for load in view.loads]
        if not loads:
            continue
        cells = max(8, width - label - 6)
        lines.append(
            Content.assemble(
                (pad(word, label), "$dim"), (spark(loads, cells), "$accent"), f" {loads[-1]:4.0%}"
            )
        )
    return lines[:height]


def spark(values: Sequence[float], cells: int) -> str:
    """The last of the values as blocks, one a cell, 0 to 1."""
    return "".join(BLOCKS[round(min(1.0, max(0.0, value)) * 8)] for value in values[-cells:])


def _gpu(gpu: Gpu, view: RunView) -> list[Content]:
    mine = view.run.device == f"cuda:{gpu.index}"
    share = gpu.memory_used / gpu.memory_total if gpu.memory_total else 0.0
    facts = [f"cuda:{gpu.index} {gpu.name}"]
    if gpu.utilisation is not None:
        facts.append(f"{gpu.utilisation}%")
    if gpu.temperature is not None:
        facts.append(f"{gpu.temperature}°C")
    if gpu.power is not None:
        limit = f"/{gpu.power_limit / 1000:.0f}" if gpu.power_limit else ""
        facts.append(f"{gpu.power / 1000:.0f}{limit} W")
    filled = bar(share, BAR_CELLS)
    lines = [
        Content.styled("  ".join(facts), "bold" if mine else "$dim"),
        Content.assemble(
            "  ",
            (filled, "$accent" if mine else "$primary"),
            ("─" * (BAR_CELLS - len(filled)), "$border"),
            f" {size(gpu.memory_used)} / {size(gpu.memory_total)}",
        ),
    ]
    others = [(pid, held) for pid, held in gpu.processes if pid != view.run.pid]
    if mine and others:
        words = ", ".join(f"{pid} ({size(held)})" if held else str(pid) for pid, held in others)
        lines.append(
            Content.styled(
                "  " + _("Other processes on it: {processes}").format(processes=words), "$text-warning"
            )
        )
    return lines
