"""The page in a real browser: Chromium or Chrome of this machine, without a window."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.playback.browser import BrowserPlayer

Tone = Callable[..., Path]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WANTS_A_CLICK = """
const play = HTMLMediaElement.prototype.play;
let clicked = false;
addEventListener("click", () => { clicked = true; }, true);
HTMLMediaElement.prototype.play = function () {
  return clicked ? play.call(this) : Promise.reject(new DOMException("", "NotAllowedError"));
};
"""
"""What a browser does by its policy of autoplay, which one without a window does not keep."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome, which is not installed here"),
]


def wait_for(condition: Callable[[], object], what: str = "", seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Listener:
    """An open page, and what went wrong in it."""

    def __init__(self, page: Any, link: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self.allowed: list[str] = []
        self.statuses: list[int] = []
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("response", lambda answer: self.statuses.append(answer.status))
        page.goto(link)

    def says(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, script: str, seconds: float = 30.0) -> None:
        """Wait for a condition; Playwright's own way evaluates strings, which the page's policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.says(script):
            assert time.monotonic() < deadline, script
            self.page.wait_for_timeout(50)


@pytest.fixture(params=["allowed"])
def autoplay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def player() -> Iterator[BrowserPlayer]:
    player = BrowserPlayer(0)
    yield player
    player.close()


@pytest.fixture
def listener(player: BrowserPlayer, autoplay: str) -> Iterator[Listener]:
    playwright = pytest.importorskip("playwright.sync_api")
    policy = "--autoplay-policy=no-user-gesture-required"
    arguments = ["--no-sandbox", "--disable-gpu", "--mute-audio", policy]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=arguments)
        page = browser.new_page(viewport={"width": 900, "height": 800})
        if autoplay == "asked for":
            page.add_init_script(WANTS_A_CLICK)
        listener = Listener(page, player.link)
        listener.until("document.getElementById('state').className === 'on'")
        wait_for(player._server.listening, "the page's stream")
        yield listener
        browser.close()
    assert [text for text in listener.problems if not any(word in text for word in listener.allowed)] == []


def pump(listener: Listener, condition: Callable[[], object], what: str) -> None:
    """Wait for something in this process while the browser's messages are heeded."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        listener.page.wait_for_timeout(50)


def test_the_program_plays_stops_and_seeks_on_the_page(
    player: BrowserPlayer, listener: Listener, tone: Tone
) -> None:
    path = tone("a [red] <b>tone&amp;.wav", seconds=60)
    player.play(path, 20.0, gain=-6.0206)
    pump(listener, lambda: player.playing() == path, "the page does not play")
    pump(listener, lambda: player.position() > 20.0, "the place is not told")
    assert player.position() < 40.0
    assert listener.says("document.getElementById('name').textContent") == path.name
    assert listener.says("document.getElementById('audio').volume") == pytest.approx(0.5, abs=0.01)
    assert 206 in listener.statuses
    listener.until(
        """() => { const c = document.getElementById('wave');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); }"""
    )
    player.stop()
    listener.until("document.getElementById('audio').paused")
    pump(listener, lambda: player.playing() is None, "the page still plays")
    player.play(path, 5.0, loop=True, title="A")
    listener.until("document.getElementById('audio').loop && !document.getElementById('audio').paused")
    assert listener.says("document.getElementById('name').textContent") == "A"
    assert listener.says("document.getElementById('audio').volume") == 1


def test_the_listener_has_keys_and_a_list(player: BrowserPlayer, listener: Listener, tone: Tone) -> None:
    first, second = tone("first.wav", seconds=30), tone("second.wav", seconds=30)
    player.play(first)
    player.play(second)
    pump(listener, lambda: player.playing() == second, "the page does not play")
    rows = "[...document.querySelectorAll('#list li')].map((line) => line.firstChild.textContent)"
    assert listener.says(rows) == ["second.wav", "first.wav"]
    listener.page.keyboard.press("Space")
    pump(listener, lambda: player.playing() is None, "the pause is not told")
    listener.page.keyboard.press("Space")
    pump(listener, lambda: player.playing() == second, "going on is not told")
    before = listener.says("document.getElementById('audio').currentTime")
    listener.page.keyboard.press("ArrowRight")
    listener.until(f"document.getElementById('audio').currentTime > {before} + 4.5")
    listener.page.keyboard.press("0")
    listener.until("document.getElementById('audio').currentTime < 4")
    listener.page.keyboard.press("l")
    assert listener.says("document.getElementById('audio').loop")
    listener.page.keyboard.press("m")
    assert listener.says("document.getElementById('audio').muted")
    box = listener.page.locator("#wave").bounding_box()
    listener.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    listener.until("Math.abs(document.getElementById('audio').currentTime - 15) < 3")
    listener.page.keyboard.press("ArrowDown")
    listener.page.keyboard.press("Enter")
    listener.until("document.getElementById('name').textContent === 'first.wav'")
    pump(listener, lambda: player.playing() is None, "what the program ordered is over")


def test_it_fits_a_telephone_and_light_surroundings(
    player: BrowserPlayer, listener: Listener, tone: Tone
) -> None:
    player.play(tone("a very " + "long " * 30 + "name.wav"))
    listener.page.set_viewport_size({"width": 360, "height": 640})
    listener.until("document.getElementById('list').children.length === 1")
    assert listener.says("document.documentElement.scrollWidth <= window.innerWidth")
    listener.page.emulate_media(color_scheme="light")
    assert listener.says("getComputedStyle(document.body).backgroundColor") == "rgb(246, 244, 239)"


@pytest.mark.parametrize("autoplay", ["asked for"], indirect=True)
def test_a_browser_that_wants_a_click_first_says_so(
    player: BrowserPlayer, listener: Listener, tone: Tone
) -> None:
    path = tone(seconds=30)
    player.play(path)
    listener.until("!document.getElementById('blocked').hidden")
    pump(listener, lambda: player.problem, "the terminal is not told")
    assert player.problem.startswith("The browser waits for a click")
    listener.page.click("#blocked")
    pump(listener, lambda: player.playing() == path, "the click does not start it")
    assert player.problem == ""


def test_what_is_no_sound_is_told(player: BrowserPlayer, listener: Listener, tmp_path: Path) -> None:
    listener.allowed.append("404")  # there is no waveform of it
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF nonsense")
    player.play(path)
    listener.until("!document.getElementById('failed').hidden")
    pump(listener, lambda: "cannot play broken.wav" in player.problem, "the terminal is not told")


def test_the_end_of_the_program_is_told(player: BrowserPlayer, listener: Listener) -> None:
    listener.allowed.append("ERR_")
    player.close()
    listener.until("document.getElementById('state').className === ''")
