"""The app in a tmux at the other end of a real ssh, which is cut in the midst of things.

Needs `sshd`, `ssh` and `tmux`; says so and is skipped without them. Run with `pytest -m slow`.
"""

from __future__ import annotations

import os
import signal
import time

from assistant.library.library import Library
from assistant.runs.record import list_runs
from tests.bench.terminal import processes
from tests.tui.ssh_host import OVER_SSH, Host, apps, cut, decide, press, until

pytestmark = OVER_SSH


def test_labelling_goes_on_in_tmux_after_the_connection_was_cut(host: Host, music: Library) -> None:
    terminal = host.connect(host.in_tmux)
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"\x1bOS", "0 labelled")
    decide(terminal, b"\r", lambda: (music.root / "jazz/song a.wav").exists(), "the first label")
    terminal.settle(quiet=0.5)
    cut(terminal)
    time.sleep(1.0)
    assert len(apps(host)) == 1
    again = host.connect(host.in_tmux)
    again.wait_for("song b.wav")
    decide(again, b"\r", lambda: (music.root / "blues/song b.wav").exists(), "the second label")
    decide(again, b"u", lambda: (music.root / "unknow/song b.wav").exists(), "the undo")
    cut(again)


def test_without_tmux_a_cut_ends_the_app_and_keeps_every_label(host: Host, music: Library) -> None:
    terminal = host.connect(host.app)
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"\x1bOS", "0 labelled")
    decide(terminal, b"\r", lambda: (music.root / "jazz/song a.wav").exists(), "the label")
    cut(terminal)
    until(lambda: not apps(host), "the app goes on without a terminal")
    again = host.connect(host.app)
    again.wait_for("In the folder")
    again.settle(quiet=1.0, most=10.0)
    press(again, b"\x1bOS", "song b.wav")
    decide(again, b"u", lambda: (music.root / "unknow/song a.wav").exists(), "the undo of another session")
    cut(again)
    until(lambda: not apps(host), "the app goes on without a terminal")


def test_a_fine_tune_goes_on_when_the_connection_is_cut(host: Host, music: Library) -> None:
    terminal = host.connect(host.app)
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"c", "goes on by itself")
    until(lambda: any(run.step > 1 for run in list_runs(music)), "the run starts")
    cut(terminal)
    until(lambda: not apps(host), "the app goes on without a terminal")
    step = list_runs(music)[0].step
    until(lambda: list_runs(music)[0].step > step or not list_runs(music)[0].live, "the run goes on")
    again = host.connect(host.app)
    again.wait_for("In the folder")
    again.settle(quiet=1.0, most=10.0)
    again.send(b"q")
    until(lambda: list_runs(music)[0].state == "done", "the run ends well")
    cut(again)


def test_in_tmux_a_fine_tune_is_followed_again_after_the_connection_was_cut(
    host: Host, music: Library
) -> None:
    terminal = host.connect(host.in_tmux)
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    press(terminal, b"c", "goes on by itself")
    until(lambda: any(run.step > 1 for run in list_runs(music)), "the run starts")
    (app,) = apps(host)
    cut(terminal)
    step = list_runs(music)[0].step
    until(lambda: list_runs(music)[0].step > step or not list_runs(music)[0].live, "the run goes on")
    assert apps(host) == [app]
    again = host.connect(host.in_tmux)
    again.wait_for("Loss", 60.0)
    until(lambda: list_runs(music)[0].state == "done", "the run ends well")
    again.wait_for("done", 60.0)
    cut(again)
    assert apps(host) == [app]


def test_a_stalled_link_costs_no_processor_time_and_goes_on(host: Host) -> None:
    terminal = host.connect(host.app)
    terminal.wait_for("In the folder")
    terminal.settle(quiet=1.0, most=10.0)
    (pid,) = apps(host)
    os.kill(terminal.pid, signal.SIGSTOP)
    time.sleep(1.0)
    before = processes(pid)[0].seconds
    time.sleep(4.0)
    used = processes(pid)[0].seconds - before
    os.kill(terminal.pid, signal.SIGCONT)
    assert used < 1.0
    press(terminal, b"\x1bOS", "0 labelled")
    terminal.send(b"q")
    until(lambda: not apps(host), "q leaves")
    cut(terminal)
