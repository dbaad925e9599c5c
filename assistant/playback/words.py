"""The words on the player's page."""

from __future__ import annotations

from assistant.i18n import _


def page_words() -> dict[str, str]:
    """All texts of the page in the language in use, by the names that `page.html` and `page.js` use."""
    return {
        "title": _("musichelper player"),
        "heading": _("Listening to musichelper"),
        "connected": _("Connected: what you play in the terminal is heard here."),
        "connecting": _("Connecting…"),
        "ended": _("The program has ended or the connection is broken. When it is back, open its new link."),
        "empty": _("Nothing yet. Choose something to play in the terminal."),
        "blocked": _("Click here or press the space bar to allow sound."),
        "failed": _("This file cannot be played in this browser."),
        "played": _("Played here"),
        "play": _("Play"),
        "pause": _("Pause"),
        "loop": _("Loop"),
        "save": _("Save a copy"),
        "position": _("Position"),
        "volume": _("Volume"),
        "keys_play": _("play or pause"),
        "keys_seek": _("5 seconds back or on"),
        "keys_choose": _("choose in the list"),
        "keys_start": _("play the chosen one"),
        "keys_first": _("back to the beginning"),
        "keys_loop": _("play again and again"),
        "keys_mute": _("mute"),
        "key_space": _("Space"),
    }
