"""Clips a second of a training step: ours against audiocraft's solver and transformers' Musicgen.

    uv run python tests/bench/train.py [--sizes tiny,small,medium,large] [--write]

The same shapes with random weights, the same clips and captions; each way in a process of its own, all
taking turns in each round, and the best of the rounds counts. audiocraft's is `MusicGenSolver.run_step`
itself, fed from its token cache, with AdamW and without its moving average; transformers' is what its
Trainer does in a step (forward with labels, backward, clipping, fused AdamW), with the text encoder frozen
and no dropout; musicgen-dreamboothing's needs peft (`uv run --with peft python tests/bench/train.py`) and is
left out without it. All have a T5-base; the peers encode the captions with it in each step, ours does it
once for each caption. Sizes are Meta's; `tiny` is 256 wide with 6 layers, the size for a CPU. On a GPU all
compute in half precision. On a CPU the peers' own default is float32, and ours is what the hardware has: the
table has the peers with bfloat16 and ours with float32 too. CPU seconds tell more than the clock where the
machine is shared.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table
from tests.bench.train_peers import (
    SIZES,
    Step,
    audiocraft_step,
    clips_of,
    dreamboothing_step,
    make_model,
    transformers_step,
)

WAYS = {
    "full": "musichelper, all weights",
    "lora": "musichelper, adapters of rank 32",
    "exact": "musichelper, all weights, in float32",
    "audiocraft": "audiocraft, its solver's step",
    "transformers": "transformers, a Trainer's step",
    "dreamboothing": "musicgen-dreamboothing's recipe, adapters of rank 16",
    "audiocraft-half": "audiocraft's step, told to use bfloat16",
    "transformers-half": "transformers' step, told to use bfloat16",
}
ONLY_ON_A_CPU = ("exact", "audiocraft-half", "transformers-half")
PEERS = ("audiocraft", "transformers")
STEPS = {
    "audiocraft": audiocraft_step,
    "transformers": transformers_step,
    "dreamboothing": dreamboothing_step,
}


def ours(size: str, device: Any, number: Any, method: str) -> Step:
    """A step of our trainer."""
    from assistant.musicgen.backend import keep_freed_memory
    from assistant.musicgen.dataset import Batch
    from assistant.musicgen.learner import Learner
    from assistant.musicgen.plan import Plan
    from assistant.musicgen.spec import FinetuneSpec

    keep_freed_memory()
    tokens, captions = clips_of(size)
    lm = make_model(size, device)
    plan = Plan(method, 32, 32.0, len(tokens), 1, False, 0, ())
    learner = Learner(lm, FinetuneSpec(name="bench"), plan, number)
    return lambda: learner.update(Batch(tokens, captions), 1e-5, 1).losses.mean


def serve(size: str, way: str, device_name: str, threads: int) -> None:
    """Do a few steps for each line on standard input, and tell the time that they took."""
    import torch

    from assistant.musicgen.backend import choose_training_precision

    torch.set_num_threads(threads)
    device = torch.device(device_name)
    name, _, half = way.partition("-")
    number = torch.bfloat16 if device.type == "cuda" or half else torch.float32
    if way == "exact":
        step = ours(size, device, number, "full")
    elif way in ("full", "lora"):
        step = ours(size, device, choose_training_precision("auto", device), way)
    else:
        step = STEPS[name](size, device, number)
    step()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        for _number in range(int(line)):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
            memory = torch.cuda.max_memory_allocated()
        else:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            json.dumps(
                {
                    "seconds": time.perf_counter() - began,
                    "cpu": time.process_time() - cpu,
                    "memory": memory,
                }
            ),
            flush=True,
        )


def measured(size: str, called: argparse.Namespace) -> list[list[object]]:
    """A row for each way."""
    command = [sys.executable, __file__, "--device", called.device, "--threads", str(called.threads)]
    processes = {}
    left_out: tuple[str, ...] = () if called.device == "cpu" else ONLY_ON_A_CPU
    if importlib.util.find_spec("peft") is None:
        print("musicgen-dreamboothing is left out: there is no peft", file=sys.stderr)
        left_out += ("dreamboothing",)
    ways = {way: WAYS[way] for way in called.ways.split(",") if way not in left_out}
    for way in ways:
        processes[way] = subprocess.Popen(
            [*command, "--serve", way, "--sizes", size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(called.threads)},
        )
    for process in processes.values():
        _answer(process)
    if called.wait:
        input("All are ready; press Enter when the machine is quiet. ")
    best: dict[str, dict[str, float]] = {}
    for _round in range(called.rounds):
        for way, process in processes.items():
            assert process.stdin is not None
            print(called.steps, file=process.stdin, flush=True)
            found = _answer(process)
            known = best.get(way, found)
            best[way] = {name: min(known[name], value) for name, value in found.items()}
    for process in processes.values():
        process.communicate()
    clips = SIZES[size][4] * called.steps
    key = "seconds" if called.device.startswith("cuda") else "cpu"
    peer = min(best[way][key] for way in PEERS if way in best)
    return [
        [
            size,
            words,
            f"{clips / best[way]['seconds']:.2f}",
            f"{best[way]['cpu'] / clips:.3f}",
            f"{best[way]['memory'] / 2**30:.1f}",
            f"{peer / best[way][key]:.2f}",
        ]
        for way, words in ways.items()
    ]


def _answer(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a way of training died; its words are above")
    found: dict[str, float] = json.loads(line)
    return found


def main() -> None:
    """Measure and print; with --write also into RESULTS.md."""
    import torch

    card = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--sizes", default="tiny,small,medium,large" if card else "tiny")
    parser.add_argument("--device", default="cuda" if card else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU")
    parser.add_argument("--steps", type=int, default=20 if card else 2, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wait", action="store_true", help="for Enter, between loading and measuring")
    parser.add_argument("--ways", default=",".join(WAYS), help="a few of " + ", ".join(WAYS))
    parser.add_argument("--serve", choices=WAYS, help=argparse.SUPPRESS)
    called = parser.parse_args()
    if called.serve:
        serve(called.sizes, called.serve, called.device, called.threads)
        return
    rows = [row for size in called.sizes.split(",") for row in measured(size, called)]
    headers = ["size", "by", "clips a second", "CPU seconds a clip", "peak GiB", "against the better peer"]
    words = table(headers, rows)
    print(words)
    if called.write:
        save("train", words)


if __name__ == "__main__":
    main()
