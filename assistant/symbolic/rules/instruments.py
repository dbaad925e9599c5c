"""The instruments of the styles: General MIDI programs with the range that sounds well, and drum keys."""

from __future__ import annotations

# name: (General MIDI program from 0, lowest pitch, highest pitch)
INSTRUMENTS: dict[str, tuple[int, int, int]] = {
    "piano": (0, 26, 100), "bright piano": (1, 28, 100), "honky-tonk piano": (3, 28, 96),
    "electric piano": (4, 33, 96), "FM piano": (5, 33, 96), "harpsichord": (6, 36, 88),
    "clavinet": (7, 40, 84),
    "celesta": (8, 60, 100), "glockenspiel": (9, 72, 103), "music box": (10, 60, 96),
    "vibraphone": (11, 53, 89), "marimba": (12, 45, 91),
    "drawbar organ": (16, 36, 92), "percussive organ": (17, 36, 92), "rock organ": (18, 36, 92),
    "church organ": (19, 36, 92), "accordion": (21, 53, 88), "harmonica": (22, 55, 89),
    "nylon guitar": (24, 40, 83), "steel guitar": (25, 40, 84), "jazz guitar": (26, 40, 86),
    "clean guitar": (27, 40, 88), "muted guitar": (28, 40, 84), "overdriven guitar": (29, 38, 88),
    "distortion guitar": (30, 36, 90),
    "acoustic bass": (32, 26, 60), "finger bass": (33, 26, 62), "pick bass": (34, 24, 62),
    "fretless bass": (35, 28, 62), "slap bass": (36, 28, 62), "synth bass": (38, 24, 60),
    "deep synth bass": (39, 24, 60),
    "violin": (40, 55, 98), "viola": (41, 48, 86), "cello": (42, 36, 76), "contrabass": (43, 28, 60),
    "pizzicato strings": (45, 36, 92), "harp": (46, 28, 100), "strings": (48, 36, 96),
    "slow strings": (49, 36, 96),
    "synth strings": (50, 36, 96), "choir": (52, 43, 84), "voices": (53, 43, 84), "synth voice": (54, 43, 84),
    "trumpet": (56, 54, 84), "trombone": (57, 40, 72), "muted trumpet": (59, 54, 84), "horn": (60, 41, 77),
    "brass section": (61, 40, 86), "synth brass": (62, 40, 86),
    "soprano sax": (64, 56, 88), "alto sax": (65, 49, 81), "tenor sax": (66, 44, 77),
    "oboe": (68, 58, 91), "bassoon": (70, 34, 72), "clarinet": (71, 50, 89), "flute": (73, 60, 96),
    "recorder": (74, 60, 93),
    "whistle": (78, 67, 98),
    "square lead": (80, 48, 96), "saw lead": (81, 48, 96), "calliope lead": (82, 48, 96),
    "new age pad": (88, 40, 88), "warm pad": (89, 40, 88), "polysynth": (90, 40, 92),
    "bowed pad": (92, 40, 88),
    "banjo": (105, 48, 86), "kalimba": (108, 55, 88), "fiddle": (110, 55, 95),
}  # fmt: skip

# Decibels by which an instrument of common soundfonts stands out from the others or falls behind.
LEVELS: dict[str, float] = {
    "piano": 5, "bright piano": 5, "honky-tonk piano": 3, "electric piano": -3, "glockenspiel": 5,
    "celesta": 3,
    "muted guitar": 5, "steel guitar": 2, "slap bass": 3, "trumpet": 3, "muted trumpet": 4,
    "brass section": 3,
    "horn": -4, "calliope lead": -5, "square lead": -5, "saw lead": -3, "whistle": -3, "violin": -2,
    "cello": -2,
    "music box": 2, "harp": -2, "accordion": -2, "fiddle": -1, "viola": -2, "strings": -1, "harmonica": -1,
}  # fmt: skip

KITS = {"standard": 0, "room": 8, "power": 16, "electronic": 24, "TR-808": 25, "jazz": 32, "brush": 40}

DRUMS: dict[str, int] = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "brush": 40, "low tom": 41, "hat": 42, "floor tom": 43,
    "pedal hat": 44, "mid tom": 47, "open hat": 46, "high tom": 50, "crash": 49, "ride": 51, "china": 52,
    "bell": 53, "tambourine": 54, "splash": 55, "cowbell": 56, "crash 2": 57, "sticks": 31, "shaker": 70,
    "high conga": 63, "low conga": 64, "high bongo": 60, "low bongo": 61,
    "high timbale": 65, "low timbale": 66,
    "claves": 75, "triangle": 81,
}  # fmt: skip
