"""Translation of user-facing text: English in the source, Traditional Chinese in the catalogue."""

from __future__ import annotations

import gettext as _gettext
import locale
import os
from pathlib import Path

LANGUAGES = ("en", "zh_TW")
LANGUAGE_VARIABLE = "MUSICHELPER_LANGUAGE"
_DOMAIN = "musichelper"
_CATALOGUES = Path(__file__).with_name("locale")

_translations: _gettext.NullTranslations = _gettext.NullTranslations()
_language = "en"


def set_language(code: str) -> str:
    """Choose the language of all later text; `auto` follows the environment. Returns the code in use."""
    global _translations, _language
    _language = detect_language() if code == "auto" else code
    _translations = _gettext.translation(_DOMAIN, _CATALOGUES, [_language], fallback=True)
    # Worker processes speak the same language, and so does argparse, which asks gettext itself.
    os.environ[LANGUAGE_VARIABLE] = os.environ["LANGUAGE"] = _language
    _gettext.bindtextdomain(_DOMAIN, _CATALOGUES)
    _gettext.textdomain(_DOMAIN)
    return _language


def language() -> str:
    """The code of the language in use."""
    return _language


def detect_language() -> str:
    """The language that the environment asks for, or English where we have no catalogue for it."""
    names = (os.environ.get(name) for name in (LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"))
    name = next((name for name in names if name), "en")
    code = locale.normalize(name).split(".")[0]
    return "zh_TW" if code in ("zh_TW", "zh_HK", "zh_MO") or name.startswith("zh_Hant") else "en"


def _(message: str) -> str:
    """The message in the language in use."""
    return _translations.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The message for a count in the language in use."""
    return _translations.ngettext(singular, plural, count)
