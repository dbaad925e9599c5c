"""Clips a second of a training step: ours against audiocraft's solver and transformers' Musicgen.

    uv run python tests/bench/train.py [--sizes tiny,small,medium,large] [--write]

The same shapes with random weights, the same clips and captions, fp32 on a CPU and bfloat16 on a GPU; each
way in a process of its own, all taking turns in each round, and the best of the rounds counts. audiocraft's
is `MusicGenSolver.run_step` itself, fed from its token cache, with AdamW and without its moving average;
transformers' is what its Trainer does in a step (forward with labels, backward, clipping, fused AdamW), with
the text encoder frozen and no dropout. Both encode the captions with T5 in each step; ours does it once for
each caption. Sizes are Meta's, with a T5-base; `tiny` is 256 wide with 6 layers and a small T5. CPU seconds
tell more than the clock where the machine is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table

SIZES = {  # dim, heads, layers, seconds of a clip, clips at once
    "tiny": (256, 4, 6, 10, 2),
    "small": (1024, 16, 24, 30, 8),
    "medium": (1536, 24, 48, 30, 4),
    "large": (2048, 32, 48, 30, 2),
}
WAYS = {
    "full": "musichelper, all weights",
    "lora": "musichelper, adapters of rank 32",
    "bfloat16": "musichelper, all weights, products in bfloat16",
    "audiocraft": "audiocraft, its solver's step",
    "transformers": "transformers, a Trainer's step",
}
CAPTIONS = (
    "A slow jazz tune in F major at 82 BPM, with piano, double bass and brushed drums.",
    "An upbeat pop song with bright synthesizers, claps and a catchy hook.",
    "Dark ambient drone with distant choir, low strings and metallic noises.",
    "Energetic rock with distorted guitars, electric bass and loud drums.",
)
FRAME_RATE, CARD, CODEBOOKS = 50, 2048, 4

Step = Callable[[], object]


def make_model(size: str, device: Any) -> Any:
    """audiocraft's model with random weights, and a T5 of random weights."""
    import torch
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen import backend, blueprint
    from tests.musicgen.random_t5 import use_random_t5

    backend.prepare()
    dim, heads, layers, _seconds, _clips = SIZES[size]
    config = blueprint.lm_config(span_seconds=30.0)
    config["transformer_lm"].update(dim=dim, num_heads=heads, num_layers=layers, card=CARD)
    torch.manual_seed(0)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    if size == "tiny":
        use_random_t5(lm, width=128, layers=4, heads=4, inner=512)
    else:
        use_random_t5(lm, width=768, layers=12, heads=12, inner=3072)
    lm.condition_provider.conditioners["description"].t5.to(device)
    lm.condition_provider.conditioners["description"].device = str(device)
    return lm.to(device).train()


def clips_of(size: str) -> tuple[Any, list[str | None]]:
    """Random tokens `[clips, codebooks, frames]` and captions."""
    import numpy as np

    _dim, _heads, _layers, seconds, clips = SIZES[size]
    tokens = np.random.default_rng(0).integers(0, CARD, (clips, CODEBOOKS, seconds * FRAME_RATE))
    return tokens.astype(np.int64), [CAPTIONS[number % len(CAPTIONS)] for number in range(clips)]


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
    if method == "lora":
        lm.to(number)
    plan = Plan(method, 32, 32.0, len(tokens), 1, False, 0, ())
    learner = Learner(lm, FinetuneSpec(name="bench"), plan, number)
    return lambda: learner.update(Batch(tokens, captions), 1e-5, 1).losses.mean


def audiocraft_step(size: str, device: Any, number: Any) -> Step:
    """`MusicGenSolver.run_step` on tokens from its cache."""
    import torch
    from audiocraft.data.audio_dataset import AudioMeta
    from audiocraft.data.info_audio_dataset import AudioInfo
    from audiocraft.modules.conditioners import ConditioningAttributes
    from audiocraft.solvers.musicgen import MusicGenSolver
    from audiocraft.utils.autocast import TorchAutocast

    class Info(AudioInfo):
        """A cached clip with its caption."""

        text = ""

        def to_condition_attributes(self) -> Any:
            return ConditioningAttributes(text={"description": self.text})

    tokens, captions = clips_of(size)
    infos = []
    for row, caption in zip(tokens, captions, strict=True):
        meta = AudioMeta("clip.wav", 30.0, 32_000)
        info = Info(meta, 0.0, 0, 0, 32_000, 1)
        info.audio_tokens, info.text = torch.from_numpy(row).short(), caption or ""
        infos.append(info)
    lm = make_model(size, device)
    half = number != torch.float32
    named = {"device_type": device.type, "dtype": number} if half else {}
    solver: Any = SimpleNamespace(
        model=lm,
        device=device.type,
        cfg=SimpleNamespace(
            fsdp=SimpleNamespace(use=False),
            optim=SimpleNamespace(eager_sync=True, max_norm=1.0),
            tokens=SimpleNamespace(padding_with_special_token=False),
        ),
        deadlock_detect=SimpleNamespace(update=lambda _stage: None),
        autocast=TorchAutocast(enabled=half, **named),
        optimizer=torch.optim.AdamW(lm.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1),
        scaler=None,
        lr_scheduler=None,
        is_training=True,
        current_stage="train",
        _cached_batch_loader=infos,
        _cached_batch_writer=None,
    )
    for name in ("_compute_cross_entropy", "_prepare_tokens_and_attributes"):
        setattr(solver, name, MethodType(getattr(MusicGenSolver, name), solver))
    return lambda: float(MusicGenSolver.run_step(solver, 2, (infos,), {})["ce"])  # type: ignore[arg-type]


def transformers_step(size: str, device: Any, number: Any) -> Step:
    """What transformers' Trainer does in a step."""
    import torch

    from assistant.musicgen.huggingface import to_huggingface
    from assistant.musicgen.loss import delayed
    from tests.musicgen.test_huggingface import encodec

    tokens, captions = clips_of(size)
    lm = make_model(size, device)
    conditioner = lm.condition_provider.conditioners["description"]
    words = conditioner.tokenize(captions)
    model = to_huggingface(lm, conditioner.t5, encodec()).to(device).train()
    model.config.decoder.decoder_start_token_id = CARD
    for part in (model.text_encoder, model.audio_encoder):
        part.requires_grad_(False)
    _read, targets = delayed(torch.from_numpy(tokens), range(CODEBOOKS), CARD)
    labels = targets.masked_fill(targets == CARD, -100).transpose(1, 2).contiguous().to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    half = number != torch.float32

    def step() -> float:
        with torch.autocast(device.type, dtype=number) if half else nullcontext():
            loss = model(
                input_ids=words["input_ids"], attention_mask=words["attention_mask"], labels=labels
            ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return step


def serve(size: str, way: str, device_name: str, threads: int) -> None:
    """Do a few steps for each line on standard input, and tell the time that they took."""
    import torch

    torch.set_num_threads(threads)
    device = torch.device(device_name)
    number = torch.bfloat16 if device.type == "cuda" else torch.float32
    if way == "bfloat16":
        step = ours(size, device, torch.bfloat16, "full")
    elif way in ("full", "lora"):
        step = ours(size, device, number, way)
    else:
        step = {"audiocraft": audiocraft_step, "transformers": transformers_step}[way](size, device, number)
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
    # On a GPU all ways compute in bfloat16.
    ways = {way: words for way, words in WAYS.items() if way != "bfloat16" or called.device == "cpu"}
    for way in ways:
        processes[way] = subprocess.Popen(
            [*command, "--serve", way, "--sizes", size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(called.threads)},
        )
        _answer(processes[way])
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
    peer = min(best[way][key] for way in ("audiocraft", "transformers"))
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
