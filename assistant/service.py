"""A systemd unit that watches a library without anybody being logged in."""

from __future__ import annotations

import sys
from pathlib import Path

from assistant.i18n import _


def unit_name(library: Path) -> str:
    """A name for the unit's file, from the folder's."""
    word = "".join(char if char.isascii() and char.isalnum() else "-" for char in library.name).strip("-")
    return f"musichelper-{word or 'library'}.service"


def systemd_unit(library: Path, config: Path | None = None) -> str:
    """The text of a user unit that runs `musichelper watch` on this library.

    It starts with the machine, comes back after a crash, waits for the library's disk, and is the first to
    give up memory and processor time.
    """
    script = Path(sys.executable).with_name("musichelper")
    program = [str(script)] if script.exists() else [sys.executable, "-P", "-m", "assistant.cli"]
    parts = [*program, "--library", str(library)]
    if config is not None:
        parts += ["--config", str(config.absolute())]
    command = " ".join(_quoted(part) for part in [*parts, "watch"])
    description = _("musichelper watches {library}").format(library=library)
    return f"""[Unit]
Description={_escaped(description)}
RequiresMountsFor={_quoted(str(library))}

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=30
KillSignal=SIGTERM
TimeoutStopSec=20
Nice=10
IOSchedulingClass=idle
OOMScoreAdjust=500
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def install_words(library: Path) -> list[str]:
    """What to do with the unit, as lines with commands to copy."""
    name = unit_name(library)
    folder = "~/.config/systemd/user"
    return [
        _("Save the lines above as {path}, then run:").format(path=f"{folder}/{name}"),
        "  systemctl --user daemon-reload",
        f"  systemctl --user enable --now {name}",
        "  loginctl enable-linger",
        _("The last one keeps it going when you are not logged in. What it says: {command}").format(
            command=f"journalctl --user -u {name}"
        ),
    ]


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")


def _quoted(text: str) -> str:
    """One word of a unit's line; systemd expands % and, in commands, $."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    inner = inner.replace("\n", "\\n").replace("\t", "\\t")
    return f'"{inner}"' if set(inner) & set(" '\";\\") else inner
