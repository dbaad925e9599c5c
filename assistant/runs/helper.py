"""One of several processes of a fine-tune: `python -m assistant.runs.helper RUN_FOLDER` with torchrun's
environment, which sets its rank. Rank 0 is the run itself; the others only compute.

On one machine a run starts its helpers by itself. On several machines that share the folder:

    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:PORT \
        -m assistant.runs.helper RUN_FOLDER
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.runs.record import LOG_NAME, load_record_as_written

_LEAVING_SECONDS = 30.0


def main(arguments: list[str]) -> int:
    """Do this process's part. Returns the exit status."""
    folder = Path(arguments[0]).absolute()
    if os.environ.get("RANK", "0") == "0":
        from assistant.runs.worker import do_run

        return do_run(folder)
    from assistant.musicgen.spec import FinetuneSpec
    from assistant.musicgen.training import finetune

    record = load_record_as_written(folder)
    if record is None:
        print(f"no run in {folder}", file=sys.stderr)
        return 1
    for _event in finetune(FinetuneSpec.from_dict(record.spec), folder.parents[2], folder, lambda: None):
        pass
    return 0


@contextmanager
def helpers(folder: Path, processes: int) -> Iterator[None]:
    """Start the other processes of a run on this machine, and become rank 0 inside.

    Nothing is started for a run of one process, or under torchrun, which has started them.
    """
    if processes == 1 or "WORLD_SIZE" in os.environ:
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    started = []
    with (folder / LOG_NAME).open("ab") as log:
        for rank in range(1, processes):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "assistant.runs.helper", str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                )
            )
    os.environ.update(common, RANK="0", LOCAL_RANK="0")
    try:
        yield
        for process in started:
            process.wait(_LEAVING_SECONDS)
    finally:
        for process in started:
            process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
