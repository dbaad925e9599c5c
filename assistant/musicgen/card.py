"""The model card of a fine-tuned model: for people, in Markdown, made from the card that programs read."""

from __future__ import annotations

from typing import Any

README_FILE = "README.md"
_LICENCES = {
    "MIT": (
        "MIT, as the built-in model that it is made from. Whoever has rights to the music that it learnt "
        "from keeps them."
    ),
    "CC-BY-NC-4.0": (
        "CC-BY-NC 4.0, as the released MusicGen weights that it is made from: share and adapt with "
        "attribution, not for commercial purposes (https://creativecommons.org/licenses/by-nc/4.0/)."
    ),
}
_CURVE_WIDTH = 40


def model_card(name: str, card: dict[str, Any]) -> str:
    """The Markdown text."""
    data, settings, losses = card["data"], card["settings"], card["losses"]
    hours = data["seconds"] / 3600
    adapter = card["method"] == "lora"
    lines = [
        f"# {name}",
        "",
        f"A fine-tune of `{card['base']}` by musichelper: "
        + (f"adapters of rank {card['rank']}." if adapter else "all weights.")
        + f" {card['steps']} updates; the weights are those after update {card['exported_step']}"
        + (", the best on held-out music." if losses["validation"] else "."),
        "",
        "## Licence",
        "",
        _LICENCES.get(card["licence"], str(card["licence"])),
        "",
        "## Data",
        "",
        f"{data['tracks']} tracks were learnt and {data['held_out']} held out, {hours:.2f} hours in all"
        + (f"; genres: {', '.join(data['genres'])}." if data["genres"] else "."),
        "",
        "## Loss on held-out music",
        "",
    ]
    if losses["validation"]:
        values = [loss for _step, loss in losses["validation"]]
        low, high = min(values), max(values)
        lines += ["```"]
        for step, loss in losses["validation"]:
            share = (loss - low) / (high - low) if high > low else 0.0
            lines.append(f"{step:>8}  {loss:8.4f}  {'#' * (1 + round(share * (_CURVE_WIDTH - 1)))}")
        lines += ["```", ""]
        each = losses.get("each")
        if each:
            lines += ["Of each codebook at the last look: " + ", ".join(f"{one:.3f}" for one in each), ""]
    else:
        lines += ["No music was held out.", ""]
    lines += ["## Settings", "", "| setting | value |", "| --- | --- |"]
    lines += [f"| {key} | {value} |" for key, value in settings.items()]
    return "\n".join(lines) + "\n"
