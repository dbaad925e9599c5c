"""Is there anything here to play through? Answered in a moment, without opening a device."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
import re
import shutil
import socket
from pathlib import Path

from assistant.i18n import _

_CONNECT_SECONDS = 0.1
_PULSE_PORT = 4713
_CARDS = Path("/proc/asound/cards")
_SOUND_DEVICES = Path("/dev/snd")


def simpleaudio_installed() -> bool:
    """Whether the `audio` extra is there."""
    return importlib.util.find_spec("simpleaudio") is not None


def sound_device(*, near_listener: bool = False) -> str | None:
    """A few words on the first device found, or None.

    With `near_listener` a sound card of this machine does not count, only what the person has
    set up: `PULSE_SERVER` or an ALSA configuration of their own.
    """
    server = os.environ.get("PULSE_SERVER")
    if server and _server_answers(server):
        return _("the sound server {address}").format(address=server)
    own = _own_alsa_default()
    if own is not None:
        return _("the ALSA device configured in {path}").format(path=own)
    if near_listener:
        return None
    for name, path in _sockets():
        if _socket_answers(path):
            return _("the sound server {address}").format(address=name)
    card = _card()
    return None if card is None else _("the sound card {name}").format(name=card)


def pacat_installed() -> bool:
    """Whether PulseAudio's client is there."""
    return shutil.which("pacat") is not None


def pulse_server() -> str | None:
    """A few words on the PulseAudio (or PipeWire) server that answers, forwarded or here; or None."""
    server = os.environ.get("PULSE_SERVER")
    if server:
        return _("the sound server {address}").format(address=server) if _server_answers(server) else None
    name, path = _sockets()[0]
    return _("the sound server {address}").format(address=name) if _socket_answers(path) else None


def pulse_problem() -> str:
    """Why PulseAudio cannot be played to; empty where it can."""
    if pulse_server() is None:
        server = os.environ.get("PULSE_SERVER")
        if server:
            return _("The sound server {address} of PULSE_SERVER does not answer.").format(address=server)
        return _("There is no PulseAudio server, and PULSE_SERVER names none.")
    if not pacat_installed():
        return _("PulseAudio's client pacat is not installed here; it is in pulseaudio-utils.")
    return ""


def pulse_plugin_missing() -> bool:
    """Whether there is a sound server but not the part of ALSA that reaches it."""
    server = bool(os.environ.get("PULSE_SERVER")) or any(_socket_answers(path) for _name, path in _sockets())
    return server and not any(
        path
        for pattern in ("lib*/alsa-lib", "lib/*/alsa-lib")
        for path in Path("/usr").glob(f"{pattern}/libasound_module_pcm_p*.so")
    )


def _own_alsa_default() -> Path | None:
    named = os.environ.get("ALSA_CONFIG_PATH")
    with contextlib.suppress(OSError, RuntimeError):
        for path in (Path(named) if named else None, Path.home() / ".asoundrc"):
            if path and path.is_file() and "pcm.!default" in path.read_text("utf-8", "replace"):
                return path
    return None


def _sockets() -> list[tuple[str, Path]]:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return [("PulseAudio", runtime / "pulse" / "native"), ("PipeWire", runtime / "pipewire-0")]


def _socket_answers(path: Path) -> bool:
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(os.fspath(path))
        except OSError:
            return False
    return True


def _server_answers(server: str) -> bool:
    """Try the first address of a `PULSE_SERVER` value; a name that needs a lookup is believed."""
    address = re.sub(r"^\{[^}]*\}", "", server.split()[0]) if server.split() else ""
    if address.startswith(("unix:", "/")):
        return _socket_answers(Path(address.removeprefix("unix:")))
    host, port = _host_and_port(re.sub(r"^tcp[46]?:", "", address))
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host)
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    if address.startswith("["):
        host, _bracket, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _colon, port = address.partition(":")
    return host, int(port) if port.isdigit() and int(port) < 65536 else _PULSE_PORT


def _card() -> str | None:
    """The first ALSA card with a playback device that this person may open."""
    try:
        cards = re.findall(r"^\s*(\d+) \[.*?\]: (.*)$", _CARDS.read_text("utf-8", "replace"), re.MULTILINE)
        for number, name in cards:
            if any(os.access(device, os.W_OK) for device in _SOUND_DEVICES.glob(f"pcmC{number}D*p")):
                return str(name).strip()
    except OSError:
        return None
    return None
