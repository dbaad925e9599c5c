"""How both trainings count their time, and how often they save."""

from __future__ import annotations

SAVE_SECONDS = 60.0
LONGEST_STEP = 5.0
"""Seconds that count of a step: what took longer was held up by something else on the machine."""
