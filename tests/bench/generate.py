"""Decoding steps of MusicGen: ours beside audiocraft's and transformers', on the same weights in one run.

    uv run python tests/bench/generate.py [--sizes tiny,small,medium,large] [--seconds 10] [--write]

Random weights in Meta's shapes, guidance 3, top-k 250, a T5 and an EnCodec of random weights; the prompt is
encoded before the clock starts. `tiny` is 256 wide with 6 layers. On a CPU all use one thread (`--threads`).
The time of a step is the whole decoding without the codec, divided by its steps, the best of the rounds in
which all take turns; with one thread on a CPU it is the thread's own time, without
that in which others had the core. The first sound is what a listener waits for it, codec and
prompt included. The loss is that of tokens which the float32 model drew itself. The share is the bytes that a
step must read, weights and an average cache, by the memory's speed in a large copy; above 100 % they come
from the processor's cache.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.generate_peers import (
    CARD,
    CODEBOOKS,
    FRAME_RATE,
    PROMPT,
    Run,
    audiocrafts,
    make_codec,
    make_model,
    ours,
    transformers,
)
from tests.bench.results import save, table

LONGEST_TRY = 300  # seconds for what may never end


def seconds_of(run: Run) -> float:
    """Of one run: of the thread, where one computes, else of the clock, the device's work included."""
    import torch

    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    began = clock()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - began


def tried(run: Run) -> float | str:
    """The same for what may fail or never end: why there is no time."""

    def give_up(*_signal: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST_TRY)
    try:
        run()
        return seconds_of(run)
    except TimeoutError:
        return f"not done after {LONGEST_TRY} s"
    except Exception as error:
        return f"fails: {type(error).__name__}"
    finally:
        signal.alarm(0)


def memory_speed(device: str) -> float:
    """Bytes a second that a large copy reads and writes."""
    import torch

    source = torch.ones(64_000_000 if device == "cpu" else 500_000_000, device=device)
    target = torch.empty_like(source)
    target.copy_(source)

    def copy() -> None:
        target.copy_(source)

    return 2 * source.nbytes / min(seconds_of(copy) for _round in range(5))


def bytes_of_a_step(lm: Any, weight_bytes: float, cache_bytes: int, frames: int, batch: int) -> float:
    """Weights and half of the longest cache, which a step cannot but read."""
    layers, dim = len(lm.transformer.layers), lm.dim
    inner = layers * 14 * dim * dim + CODEBOOKS * CARD * dim
    return float(inner * weight_bytes + 2 * batch * frames / 2 * 2 * layers * dim * cache_bytes)


def first_sound(lm: Any, codec: Any, precision: str, frames: int) -> tuple[float, float]:
    """Seconds to the first sound and to the end, of one clip with its codec."""
    from assistant.musicgen.engine.engine import Clip, Engine, Request

    engine = Engine("bench", lm, codec, span=30.0, precision=precision)
    engine.make([Clip(0, (PROMPT,))], Request(60))
    heard: list[float] = []
    began = time.perf_counter()
    engine.make(
        [Clip(1, (PROMPT,))],
        Request(frames),
        on_sound=lambda _clip, _piece: heard.append(time.perf_counter() - began),
    )
    return heard[0], time.perf_counter() - began


def codec_times(device: str, frames: int) -> tuple[float, float]:
    """Seconds of the codec's own decode and of ours in pieces of a second."""
    import torch

    from assistant.musicgen.engine.codec import PiecewiseDecoder, fold_norms

    codec = make_codec(device)
    codes = torch.randint(0, CARD, (CODEBOOKS, frames), device=device)

    def whole() -> None:
        codec.decode(codes[None])

    def pieces() -> None:
        decoder = PiecewiseDecoder(codec)
        for first in range(0, frames, FRAME_RATE):
            decoder.decode(codes[:, first : first + FRAME_RATE], last=first + FRAME_RATE >= frames)

    with torch.inference_mode():
        codec.decode(codes[None, :, :50])
        theirs = seconds_of(whole)
    fold_norms(codec)
    with torch.inference_mode():
        return theirs, seconds_of(pieces)


def losses(lm: Any, codec: Any, frames: int = 250) -> dict[str, float]:
    """The loss of each precision beside audiocraft's own forward in float32, as a ratio less one."""
    import torch
    import torch.nn.functional as F

    from assistant.musicgen.engine.decoder import delayed
    from assistant.musicgen.engine.engine import Clip, Engine, Request
    from assistant.musicgen.engine.sampler import Sampling
    from tests.musicgen.test_engine_logits import PROMPT as WORDS
    from tests.musicgen.test_engine_logits import audiocrafts as reference
    from tests.musicgen.test_engine_logits import taught

    found = {}
    expected: Any = None
    for precision in ("float32", "float16", "int8"):
        engine = Engine("bench", lm, codec, span=30.0, precision=precision)
        if expected is None:
            drawn = list(engine.tokens([Clip(0, (WORDS,))], Request(frames, sampling=Sampling(top_k=0))))
            codes = torch.cat(drawn, dim=2)
            expected = reference(lm, codes, engine.weights)[0]
        targets = delayed(codes, frames, engine.weights)[0, :, 1:]
        music = targets != CARD
        logits = taught(engine.weights, lm, codes, guided=False)[0]
        pair = [float(F.cross_entropy(one[music], targets[music])) for one in (logits, expected)]
        found[precision] = pair[0] / pair[1] - 1
    return found


def compare(
    size: str,
    seconds: float,
    batches: list[int],
    rounds: int,
    device: str,
    *,
    compiled: bool,
    codec_too: bool,
) -> str:
    """The tables for one size."""
    frames = round(seconds * FRAME_RATE)
    steps = frames + CODEBOOKS - 1
    lm, codec = make_model(size, device), make_codec(device)
    speed = memory_speed(device)
    rows = []
    for batch in batches:
        ways: dict[str, tuple[Run, float, int]] = {
            "audiocraft": (audiocrafts(lm, frames, batch), 4.0, 4),
            "transformers": (transformers(lm, frames, batch, compiled=False), 4.0, 4),
        }
        for precision, weight_bytes in (("float32", 4.0), ("float16", 2.0), ("int8", 1.0)):
            run, cache_bytes = ours(lm, codec, precision, frames, batch)
            ways[f"ours, {precision}"] = run, weight_bytes, cache_bytes
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _round in range(rounds):
            for name, way in ways.items():
                times[name].append(seconds_of(way[0]))
                milliseconds = times[name][-1] / steps * 1000
                print(f"{batch} clips, {name}: {milliseconds:.2f} ms a step", file=sys.stderr, flush=True)
        taken: dict[str, float | str] = {name: min(each) for name, each in times.items()}
        base = taken["audiocraft"]
        if compiled:
            taken["transformers, static cache, compiled"] = tried(
                transformers(lm, frames, batch, compiled=True)
            )
        for name, time_of in taken.items():
            if isinstance(time_of, str) or isinstance(base, str):
                rows.append([batch, name, time_of, "", "", ""])
                continue
            share = ""
            if name in ways:
                _run, weight_bytes, cache_bytes = ways[name]
                needed = bytes_of_a_step(lm, weight_bytes, cache_bytes, frames, batch)
                share = f"{needed * steps / time_of / speed:.0%}"
            rows.append(
                [
                    batch,
                    name,
                    f"{time_of / steps * 1000:.2f}",
                    f"{base / time_of:.2f}",
                    f"{batch * seconds / time_of:.1f}",
                    share,
                ]
            )
    headers = ["clips", "", "ms a step", "times audiocraft", "times real time", "share of the memory's speed"]
    text = f"{size}, {seconds:g} s, {device}, memory {speed / 1e9:.1f} GB/s\n\n" + table(headers, rows)
    changes = losses(lm, codec) if size == "tiny" or device == "cuda" else {}
    more = [[f"loss, {name}", f"{change:+.4%}"] for name, change in changes.items()]
    if codec_too:
        whole, pieces = codec_times(device, frames)
        early, all_of_it = first_sound(lm, codec, "float32", frames)
        more += [
            ["the codec's own decode", f"{whole:.2f} s"],
            ["ours in pieces", f"{pieces:.2f} s"],
            ["first sound of one clip, float32, with codec", f"{early:.2f} s"],
            ["all of it", f"{all_of_it:.2f} s"],
        ]
    return text + "\n" + table(["", ""], more)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="tiny")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default=None)
    parser.add_argument("--compiled", action="store_true", help="transformers with torch.compile too")
    parser.add_argument("--no-codec", dest="codec", action="store_false", help="the language model alone")
    parser.add_argument("--write", action="store_true")
    called = parser.parse_args()
    warnings.filterwarnings("ignore")
    import torch

    device = called.device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(called.threads)
    text = "\n".join(
        compare(
            size,
            called.seconds,
            [int(one) for one in called.batches.split(",")],
            called.rounds,
            device,
            compiled=called.compiled,
            codec_too=called.codec,
        )
        for size in called.sizes.split(",")
    )
    print(text)
    if called.write:
        save(f"Generation of {called.seconds:g} s, {called.sizes}", text)


if __name__ == "__main__":
    main()
