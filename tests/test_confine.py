"""A confined process has no network and starts no programs, from Python or from C."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assistant.audio.guard import Decoders
from assistant.config import IntakeSettings

ATTEMPTS = r"""
import ctypes, errno, os, socket, subprocess, sys, threading
from assistant import confine
if sys.argv[1] == "python":
    confine._by_kernel = lambda: False
idle = threading.Event()
waiting = threading.Thread(target=idle.wait)
waiting.start()  # a thread that was there before
print(confine.confine())
def attempt(name, act):
    try:
        act()
    except OSError as error:
        print(name, errno.errorcode[error.errno])
    else:
        print(name, "done")
attempt("socket", lambda: socket.socket())
attempt("look-up", lambda: socket.create_connection(("localhost", 9)))
attempt("program", lambda: subprocess.run(["true"]))
attempt("shell", lambda: subprocess.run("true", shell=True))
if sys.argv[1] == "kernel":
    libc = ctypes.CDLL(None, use_errno=True)
    print("socket in C", libc.socket(2, 1, 0), errno.errorcode[ctypes.get_errno()])
    print("shell in C", libc.system(b"true") == 0)
thread = threading.Thread(target=lambda: open(os.devnull).close())
thread.start(); thread.join()
idle.set()
print("threads and files go on")
"""


@pytest.mark.parametrize("way", ["kernel", "python"])
def test_a_confined_process_has_no_network_and_no_programs(way: str) -> None:
    ran = subprocess.run([sys.executable, "-c", ATTEMPTS, way], capture_output=True, text=True, timeout=60)
    said = ran.stdout.splitlines()
    if said[:1] != [way]:
        pytest.skip("this kernel has no seccomp filter for us")
    refused = ["socket EACCES", "program EACCES", "shell EACCES", "threads and files go on"]
    assert [line for line in refused if line not in said] == [], ran.stderr
    assert not [line for line in said if line.endswith("done")]
    if way == "kernel":
        assert "socket in C -1 EACCES" in said
        assert "shell in C False" in said


def test_decoders_are_confined() -> None:
    with Decoders(IntakeSettings(workers=1)) as decoders:
        limits = decoders._workers[0]._limits
    assert limits.confined
    assert None not in (limits.memory_bytes, limits.cpu_seconds, limits.file_bytes, limits.open_files)
