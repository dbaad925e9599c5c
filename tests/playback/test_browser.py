"""The page, spoken to as a browser and as others would."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.playback.address import forward_command
from assistant.playback.browser import BrowserPlayer
from assistant.playback.handler import byte_range

Tone = Callable[..., Path]


class Page:
    """A browser's side."""

    def __init__(self, player: BrowserPlayer) -> None:
        self.port = player._server.server_port
        self.token = player._server.token

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        result = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return result

    def get(self, name: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask(f"/{self.token}/{name}", headers={k.replace("_", "-"): v for k, v in headers.items()})

    def stream(self) -> Stream:
        return Stream(self)

    def report(self, **values: Any) -> int:
        return self.ask(f"/{self.token}/report", method="POST", body=json.dumps(values))[0]


class Stream:
    """An open page's stream of states."""

    def __init__(self, page: Page) -> None:
        self.socket = socket.create_connection(("127.0.0.1", page.port), timeout=5)
        self.socket.sendall(f"GET /{page.token}/events HTTP/1.1\r\nHost: localhost:1\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def state(self) -> dict[str, Any]:
        line = self.file.readline()
        assert line.startswith(b"data: ")
        assert self.file.readline() == b"\n"
        state: dict[str, Any] = json.loads(line[6:])
        return state

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def player() -> Iterator[BrowserPlayer]:
    player = BrowserPlayer(0)
    yield player
    player.close()


@pytest.fixture
def page(player: BrowserPlayer) -> Page:
    return Page(player)


def played(player: BrowserPlayer, page: Page, path: Path, start: float = 0.0) -> dict[str, Any]:
    player.play(path, start)
    stream = page.stream()
    state = stream.state()
    stream.close()
    return state


def test_the_page_and_its_parts(page: Page) -> None:
    status, headers, body = page.get("")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = body.decode()
    assert "$" not in text
    assert 'lang="en"' in text
    assert not re.search(r"https?://|//[a-z]", text)
    assert "<style" not in text
    assert not re.search(r"\son\w+=|<script>", text)
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        status, headers, part = page.get(name)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert b"http:" not in part
        assert b"https:" not in part
        assert b"innerHTML" not in part
    words = set(re.findall(r"words\.(\w+)", part.decode()))
    from assistant.playback.words import page_words

    assert words <= set(page_words())


def test_the_page_speaks_chinese(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant import i18n
    from assistant.playback import handler

    monkeypatch.setattr(handler, "language", lambda: "zh_TW")
    handler.page.cache_clear()
    monkeypatch.setattr(i18n._translations, "gettext", lambda message: f"<譯> {message}", raising=False)
    text = page.get("")[2].decode()
    handler.page.cache_clear()
    assert 'lang="zh-TW"' in text
    assert "&lt;譯&gt; Play" in text
    assert "<譯>" not in text


@pytest.mark.parametrize("path", ["/", "/x/", "/x/page.js", "/../../etc/passwd", "//", "/%2e%2e/", "*"])
def test_without_the_token_there_is_nothing(page: Page, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        status, headers, body = page.ask(path, method=method)
        assert status == 403
        assert page.token.encode() not in body
        assert "nosniff" in headers.values()
    assert page.ask(f"/{page.token[:-1]}/")[0] == 403
    assert page.ask(f"/{page.token}")[0] == 403
    assert len(page.token) >= 22


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:9999"}, 200),
        ({"Host": "[::1]:9999"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:9999"}, 200),
    ],
)
def test_pages_from_elsewhere_are_refused(page: Page, headers: dict[str, str], status: int) -> None:
    assert page.ask(f"/{page.token}/", headers=headers)[0] == status


def test_only_files_that_were_played(player: BrowserPlayer, page: Page, tone: Tone, tmp_path: Path) -> None:
    path = tone()
    (tmp_path / "secret.txt").write_text("secret")
    key = played(player, page, path)["items"][0]["id"]
    assert page.get(f"file/{key}")[2] == path.read_bytes()
    for name in (
        "file/",
        f"file/{key}x",
        "file/../secret.txt",
        f"file/{path}",
        f"file/{key}/..",
        "page.html",
    ):
        assert page.get(name)[0] == 404
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert page.ask(f"/{page.token}/", method=method)[0] == 501
    assert page.ask(f"/{page.token}/file/{key}", method="POST", body="{}")[0] == 404
    path.unlink()
    assert page.get(f"file/{key}")[0] == 404


def test_the_types(player: BrowserPlayer, page: Page, tone: Tone) -> None:
    for name, kind in {
        "a.wav": "audio/wav",
        "b.flac": "audio/flac",
        "c.OGG": "audio/ogg",
        "d.mp3": "audio/mpeg",
    }.items():
        key = played(player, page, tone(name))["items"][0]["id"]
        status, headers, body = page.ask(f"/{page.token}/file/{key}", method="HEAD")
        assert (status, headers["Content-Type"], headers["Accept-Ranges"], body) == (200, kind, "bytes", b"")
        assert int(headers["Content-Length"]) > 0


def test_ranges(player: BrowserPlayer, page: Page, tone: Tone) -> None:
    path = tone()
    data, size = path.read_bytes(), path.stat().st_size
    key = played(player, page, path)["items"][0]["id"]
    for asked, first, last in (
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, size - 1),
        ("bytes=-10", size - 10, size - 1),
        (f"bytes=5-{size * 2}", 5, size - 1),
        (f"bytes=-{size * 2}", 0, size - 1),
    ):
        status, headers, body = page.get(f"file/{key}", Range=asked)
        assert status == 206
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert body == data[first : last + 1]
        assert int(headers["Content-Length"]) == len(body)
    for asked in ("bytes=", "bytes=x-1", "items=0-1", "bytes=0-1,4-5", "bytes=9-3"):
        status, headers, body = page.get(f"file/{key}", Range=asked)
        assert (status, body) == (200, data)
    for asked in (f"bytes={size}-", "bytes=-0"):
        status, headers, body = page.get(f"file/{key}", Range=asked)
        assert (status, headers["Content-Range"], body) == (416, f"bytes */{size}", b"")
    tag = page.get(f"file/{key}")[1]["ETag"]
    assert page.get(f"file/{key}", Range="bytes=0-1", If_Range=tag)[0] == 206
    assert page.get(f"file/{key}", Range="bytes=0-1", If_Range='"other"')[0] == 200


def test_ranges_of_small_files() -> None:
    assert byte_range("bytes=0-", 0) == range(0)
    assert byte_range("bytes=-5", 0) == range(0)
    assert byte_range("bytes=0-0", 1) == range(1)
    assert byte_range(None, 5) is None
    assert byte_range("bytes=٣-", 9) is None


def test_the_page_follows_the_program(player: BrowserPlayer, page: Page, tone: Tone, tmp_path: Path) -> None:
    first, second = tone("first.wav", 5), tone("second [b] <i>.wav", 5)
    assert "ssh -L" in player.sentence
    stream = page.stream()
    assert stream.state() == {"items": [], "now": None}
    player.play(first, start=1.5)
    state = stream.state()
    assert [item["name"] for item in state["items"]] == ["first.wav"]
    assert state["now"] == {
        "number": 1,
        "id": state["items"][0]["id"],
        "start": 1.5,
        "gain": 0.0,
        "loop": False,
    }
    assert "open in your browser" in player.sentence
    # It is heard only when the page says so.
    assert player.playing() is None
    assert page.report(number=1, state="playing", position=1.5) == 200
    assert player.playing() == first
    time.sleep(0.1)
    assert 1.6 <= player.position() < 3.0
    player.play(second)
    state = stream.state()
    assert [item["name"] for item in state["items"]] == ["second [b] <i>.wav", "first.wav"]
    assert player.playing() is None
    page.report(number=1, state="playing", position=2.0)  # late: of the file before
    assert player.playing() is None
    page.report(number=2, state="blocked", position=0)
    assert "click" in player.problem
    page.report(number=2, state="paused", position=3)
    assert (player.problem, player.playing(), player.position()) == ("", None, 3.0)
    page.report(number=2, state="failed", position=0)
    assert player.problem.startswith("The browser cannot play second")
    player.stop()
    assert stream.state()["now"] is None
    player.play(first)
    assert [item["name"] for item in stream.state()["items"]] == ["first.wav", "second [b] <i>.wav"]
    player.play(tmp_path / "absent.wav")
    assert player.problem == "absent.wav is not there."
    assert stream.state()["now"] is None
    (tmp_path / "song.mid").touch()
    player.play(tmp_path / "song.mid")
    assert "WAV" in player.problem
    assert page.report(number=4, state="dancing", position=0) == 400
    assert page.report(number=4, state="playing", position=float("nan")) == 400
    stream.close()
    deadline = time.monotonic() + 5
    while "ssh -L" not in player.sentence:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_waveform_where_there_is_one(player: BrowserPlayer, page: Page, tone: Tone, tmp_path: Path) -> None:
    key = played(player, page, tone())["items"][0]["id"]
    columns = json.loads(page.get(f"waveform/{key}")[2])
    assert 100 < len(columns) <= 600
    assert all(-1 <= low <= high <= 1 for low, high in columns)
    (tmp_path / "bad.wav").write_text("no")
    key = played(player, page, tmp_path / "bad.wav")["items"][0]["id"]
    assert page.get(f"waveform/{key}")[0] == 404


def test_a_port_that_is_taken(player: BrowserPlayer) -> None:
    port = player._server.server_port
    other = BrowserPlayer(port)
    try:
        assert other._server.server_port != port
        assert f"-L {other._server.server_port}:127.0.0.1:{other._server.server_port} " in other.command
        assert other._server.token != player._server.token
    finally:
        other.close()


def test_it_listens_on_the_loopback_only(player: BrowserPlayer) -> None:
    assert player._server.socket.getsockname()[0] == "127.0.0.1"
    assert player.link.startswith(f"http://127.0.0.1:{player._server.server_port}/")


def test_the_command_names_the_way_the_person_came(
    monkeypatch: pytest.MonkeyPatch, player: BrowserPlayer
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    assert forward_command(8765) == "ssh -L 8765:127.0.0.1:8765 ada@box"
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 50000 192.0.2.7 22")
    assert forward_command(8765) == "ssh -L 8765:127.0.0.1:8765 ada@192.0.2.7"
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 50000 192.0.2.7 2222")
    assert forward_command(8765) == "ssh -L 8765:127.0.0.1:8765 -p 2222 ada@192.0.2.7"
    assert forward_command(player._server.server_port) in player.sentence
    assert player.link in player.sentence
    monkeypatch.delenv("SSH_CONNECTION")
    monkeypatch.setenv("DISPLAY", ":0")
    assert player.command == ""
    assert "ssh" not in player.sentence


def test_the_program_can_leave_while_pages_are_open(tmp_path: Path) -> None:
    program = (
        "import socket; from assistant.playback.browser import BrowserPlayer; player = BrowserPlayer(0); "
        "s = socket.create_connection(('127.0.0.1', player._server.server_port)); "
        "path = f'/{player._server.token}/events'; "
        "s.sendall(f'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'.encode()); "
        "s.recv(1000); s.sendall(b'junk'); s.close(); player.close()"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=10, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")
