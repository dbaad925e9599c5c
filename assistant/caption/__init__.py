"""Captions: measured facts in English, and the files that training reads them from."""

from assistant.caption.files import read_caption, rewrite_caption

__all__ = ["read_caption", "rewrite_caption"]
