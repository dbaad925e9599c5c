"""The app's own theme: dark slate, one warm accent, colour only where it says something."""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme

THEMES = ("musichelper", "musichelper-light", "textual-light", "ansi-dark", "ansi-light", "nord", "gruvbox")

MUSICHELPER = Theme(
    name="musichelper",
    primary="#7fa7c9",
    secondary="#8f9fb3",
    accent="#e0a458",
    success="#8dbf8b",
    warning="#d9b36c",
    error="#d9736a",
    foreground="#d5dae1",
    background="#14181d",
    surface="#191e24",
    panel="#222932",
    variables={
        "border": "#39434f",
        "border-blurred": "#2b333d",
        "block-cursor-background": "#2f3d4c",
        "block-cursor-foreground": "#f2f4f7",
        "block-cursor-text-style": "none",
        "footer-key-foreground": "#e0a458",
        "input-selection-background": "#7fa7c9 35%",
    },
)

MUSICHELPER_LIGHT = Theme(
    name="musichelper-light",
    primary="#2f5f8a",
    secondary="#5b6b7c",
    accent="#a3611a",
    success="#2f7a3b",
    warning="#8a6410",
    error="#b3372e",
    foreground="#20262d",
    background="#f6f5f1",
    surface="#efede7",
    panel="#e3e0d8",
    dark=False,
    variables={
        "border": "#b9b4a6",
        "border-blurred": "#cfcbc0",
        "block-cursor-background": "#cddceb",
        "block-cursor-foreground": "#14181d",
        "block-cursor-text-style": "none",
        "footer-key-foreground": "#a3611a",
    },
)


def quiet_colours(theme: Theme) -> dict[str, str]:
    """`$dim` for what matters less and `$faint` for what matters least, for any theme."""
    if theme.ansi:
        return {"dim": "ansi_bright_black", "faint": "ansi_bright_black"}
    system = theme.to_color_system().generate()
    foreground, background = Color.parse(system["foreground"]), Color.parse(system["background"])
    return {
        "dim": foreground.blend(background, 0.38, 1.0).hex,
        "faint": foreground.blend(background, 0.62, 1.0).hex,
    }
