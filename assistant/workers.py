"""Child processes for heavy or dangerous work: one request, some events, one answer.

The parent imports nothing heavy; the child may run out of memory, hang or crash and costs one
request. A worker module is a file that ends with

    if __name__ == "__main__":
        serve({"decode": decode})

where `decode(request, emit)` takes a dict of plain values, may call `emit(event)` with such dicts
on its way, and returns one. Requests and answers are JSON lines. A handler that takes long calls
`check_cancelled()` now and then, so that `Worker.cancel` ends the call and not the process.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import select
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from assistant.confine import confine
from assistant.errors import Cancelled, MusicHelperError
from assistant.i18n import LANGUAGE_VARIABLE, _, language, set_language
from assistant.priority import give_way

Message = dict[str, Any]
Emit = Callable[[Message], None]
Handler = Callable[[Message, Emit], Message]

_LOG_TAIL_BYTES = 64 * 1024
_NUMBER_BYTES = 8


@dataclass(frozen=True)
class Limits:
    """What a worker may use; None is no limit."""

    memory_bytes: int | None = None
    """Address space of the process."""
    cpu_seconds: int | None = None
    """CPU time for one request."""
    file_bytes: int | None = None
    """Size of any file it writes."""
    open_files: int | None = None
    confined: bool = False
    """No network and no other programs."""
    gives_way: bool = False
    """Processes that somebody waits for go first."""


class WorkerError(MusicHelperError):
    """A worker did not answer; `log` has the end of what it printed."""

    def __init__(self, title: str, hint: str = "", log: str = "") -> None:
        super().__init__(title, hint)
        self.log = log


class WorkerDied(WorkerError):
    """The process ended before it answered: killed, crashed, or over one of its limits."""

    signal: int | None = None
    """The signal that ended it."""


class WorkerTimeout(WorkerError):
    """The process was killed because it took longer than allowed."""


class WorkerFailed(WorkerError):
    """The handler raised an exception that is not a `MusicHelperError`."""


class ReportedError(MusicHelperError):
    """A `MusicHelperError` raised in a worker; `kind` is the name of its class there."""

    def __init__(self, title: str, hint: str, kind: str) -> None:
        super().__init__(title, hint)
        self.kind = kind


class Worker:
    """A child process running a worker module; started at the first call and after each death.

    One call at a time (a lock sees to it). `cancel` and `kill` may be called from any thread.
    """

    def __init__(
        self,
        module: str,
        *,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._module = module
        self._limits = limits or Limits()
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._buffer = b""
        self._lock = threading.Lock()
        # Memory that the child shares: the number of the last call that was cancelled.
        self._number = 0
        self._flag = os.fdopen(os.memfd_create("cancelled", os.MFD_CLOEXEC), "r+b", buffering=0)
        self._flag.truncate(_NUMBER_BYTES)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id while the process runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def call(
        self,
        method: str,
        request: Message,
        *,
        timeout: float | None = None,
        on_event: Emit | None = None,
    ) -> Message:
        """Send a request, hand on its events and return the answer.

        Raises `ReportedError` for an error the handler explains, `WorkerFailed` for one it does
        not, `WorkerTimeout` after `timeout` seconds and `WorkerDied` when the process ends.
        """
        with self._lock:
            process = self._start()
            deadline = None if timeout is None else time.monotonic() + timeout
            self._number += 1
            line = (
                json.dumps(
                    {"method": method, "request": request, "number": self._number, "language": language()}
                )
                + "\n"
            )
            assert process.stdin is not None
            try:
                process.stdin.write(line.encode())
                process.stdin.flush()
                while True:
                    message = self._read(process, deadline)
                    if "event" in message:
                        if on_event:
                            on_event(message["event"])
                        continue
                    break
            except (BrokenPipeError, EOFError):
                raise self._died(process) from None
            except BaseException:
                self._end(process)
                raise
        if "answer" in message:
            answer: Message = message["answer"]
            return answer
        if "error" in message:
            raise ReportedError(**message["error"])
        raise WorkerFailed(
            _("A helper process failed: {detail}").format(detail=message["failure"]), log=self.log_tail()
        )

    def cancel(self) -> None:
        """Ask the call in progress to end at its next event or step with `Cancelled`; the process stays."""
        if not self._flag.closed:
            os.pwrite(self._flag.fileno(), self._number.to_bytes(_NUMBER_BYTES, "little"), 0)

    def kill(self) -> None:
        """End the process at once; a call in progress raises `WorkerDied`."""
        if self._process:
            self._process.kill()

    def end_process(self) -> None:
        """Let the process leave, with all that it keeps; the next call starts another."""
        with self._lock:
            if self._process:
                self._end(self._process)

    def close(self) -> None:
        """End the process and release what it held."""
        self.end_process()
        with self._lock:
            self._log.close()
            self._flag.close()

    def log_tail(self) -> str:
        """The end of what the process printed."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL_BYTES))
        return self._log.read().decode("utf-8", "replace")

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        self._buffer = b""
        self._log.seek(0)
        self._log.truncate()
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, json.dumps(asdict(self._limits)), str(self._flag.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **self._environment},
            pass_fds=(self._flag.fileno(),),
            start_new_session=True,
        )
        return self._process

    def _read(self, process: subprocess.Popen[bytes], deadline: float | None) -> Message:
        assert process.stdout is not None
        while b"\n" not in self._buffer:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([process.stdout], [], [], wait)[0]:
                raise WorkerTimeout(_("A helper process took too long and was stopped."), log=self.log_tail())
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: Message = json.loads(line)
        return message

    def _died(self, process: subprocess.Popen[bytes]) -> WorkerDied:
        self._end(process)
        code = process.returncode
        if code < 0:
            title = _("A helper process was ended by signal {number}.").format(number=-code)
        else:
            title = _("A helper process ended with status {status}.").format(status=code)
        error = WorkerDied(title, log=self.log_tail())
        error.signal = -code if code < 0 else None
        return error

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # unsent bytes of a request that died with its reader
        self._process = None


class _Call:
    """In a worker's process, the call that it answers."""

    number = 0
    cancelled: mmap.mmap | None = None
    """The number of the last call that was cancelled."""


def check_cancelled() -> None:
    """Raise `Cancelled` where this process answers a call that was cancelled. Cheap: for each step."""
    if _Call.cancelled is not None and _Call.number == int.from_bytes(_Call.cancelled[:], "little"):
        raise Cancelled(_("It was stopped."))


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer requests on standard input until it closes. To be called by a worker module's main."""
    limits = Limits(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else Limits()
    if len(sys.argv) > 2:
        _Call.cancelled = mmap.mmap(int(sys.argv[2]), _NUMBER_BYTES, prot=mmap.PROT_READ)
        os.close(int(sys.argv[2]))
    set_language(os.environ.get(LANGUAGE_VARIABLE, "auto"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not reach the parent as an answer
    _apply(limits)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()

    one_at_a_time = threading.Lock()

    def send(message: Message) -> None:
        with one_at_a_time:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    def emit(event: Message) -> None:
        send({"event": event})
        check_cancelled()

    for line in sys.stdin:
        call = json.loads(line)
        _Call.number = call["number"]
        if call["language"] != language():
            set_language(call["language"])
        if limits.cpu_seconds is not None:
            _allow_cpu_seconds(limits.cpu_seconds)
        try:
            answer = handlers[call["method"]](call["request"], emit)
            send({"answer": answer})
        except MusicHelperError as error:
            send({"error": {"title": error.title, "hint": error.hint, "kind": type(error).__name__}})
        except Exception as error:
            traceback.print_exc()
            send({"failure": f"{type(error).__name__}: {error}"})


def _apply(limits: Limits) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        if value is not None:
            resource.setrlimit(kind, (value, value))
    if limits.gives_way:
        give_way()
    if limits.confined:
        confine()


def _allow_cpu_seconds(seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds + 1, hard))


def _leave_with_parent(parent: int) -> None:
    # The pipe of requests hangs up in the moment that its writer dies.
    requests = select.poll()
    requests.register(0, 0)
    while os.getppid() == parent and not requests.poll(1000):
        pass
    os._exit(1)
