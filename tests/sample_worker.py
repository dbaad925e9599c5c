"""A worker that does what it is told, for the tests of `assistant.workers`."""

from __future__ import annotations

import os
import time
from typing import Any

from assistant.errors import FileError
from assistant.workers import Emit, check_cancelled, serve


def count(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    for number in range(request["to"]):
        emit({"number": number})
    print("a library's chatter")
    return {"pid": os.getpid(), "niceness": os.nice(0), "policy": os.sched_getscheduler(0)}


def refuse(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    raise FileError(request["path"], "It is no music.", "Take another.")


def fail(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    raise ValueError("unexpected")


def crash(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    os.abort()


def sleep(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    time.sleep(60)
    return {}


def steps(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    emit({"started": True})
    for _step in range(request["steps"]):
        check_cancelled()
        time.sleep(0.01)
    return {"pid": os.getpid(), "niceness": os.nice(0), "policy": os.sched_getscheduler(0)}


def take_memory(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    return {"size": len(bytearray(request["bytes"]))}


def spin(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    while True:
        pass


if __name__ == "__main__":
    serve(
        {
            "count": count,
            "refuse": refuse,
            "fail": fail,
            "crash": crash,
            "sleep": sleep,
            "steps": steps,
            "take_memory": take_memory,
            "spin": spin,
        }
    )
