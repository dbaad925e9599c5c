"""Prompts in Chinese, said in the English that MusicGen has learnt. Light: no model is loaded.

A glossary of music made by hand comes first, CC-CEDICT behind it; nothing is sent anywhere.
"""

from __future__ import annotations

from assistant.musicgen.prompts.compose import English, translate
from assistant.musicgen.prompts.reading import is_chinese

__all__ = ["English", "is_chinese", "translate"]
