"""What argparse says to people: it looks these up in our catalogue, which is filled from here too."""

from __future__ import annotations

from assistant.i18n import _, ngettext

_("usage: ")
_("positional arguments")
_("options")
_("show this help message and exit")
_("%(prog)s: error: %(message)s\n")
_("argument %(argument_name)s: %(message)s")
_("the following arguments are required: %s")
_("unrecognized arguments: %s")
_("one of the arguments %s is required")
_("not allowed with argument %s")
_("expected one argument")
_("expected at least one argument")
_("expected at most one argument")
ngettext("expected %s argument", "expected %s arguments", 2)
_("invalid %(type)s value: %(value)r")
_("invalid choice: %(value)r (choose from %(choices)s)")
_("ambiguous option: %(option)s could match %(matches)s")
_("ignored explicit argument %r")
