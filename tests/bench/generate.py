"""Decoding steps of MusicGen: ours beside audiocraft's and transformers', on the same weights in one run.

    uv run python tests/bench/generate.py [--sizes tiny,small,medium,large] [--seconds 10] [--write]

Random weights in Meta's shapes, guidance 3, top-k 250, a T5 and an EnCodec of random weights; the prompt is
encoded before the clock starts. `tiny` is 256 wide with 6 layers. On a CPU all use one thread (`--threads`).
The time of a step is the whole decoding without the codec, divided by its steps, the best of the rounds in
which all take turns (one round for batches). The first sound is what a listener waits for it, codec and
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.results import save, table

SIZES = {  # dim, heads, layers
    "tiny": (256, 4, 6),
    "small": (1024, 16, 24),
    "medium": (1536, 24, 48),
    "large": (2048, 32, 48),
}
PROMPT = "A slow jazz tune in F major at 82 BPM, with piano, double bass and brushed drums."
CARD, CODEBOOKS, FRAME_RATE = 2048, 4, 50
LONGEST_TRY = 150  # seconds for what may never end

Run = Callable[[], None]


def make_model(size: str, device: str) -> Any:
    """audiocraft's model with random weights whose logits are as far apart as a trained model's."""
    import torch
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    from assistant.musicgen import backend, blueprint
    from tests.musicgen.random_t5 import use_random_t5

    backend.prepare()
    dim, heads, layers = SIZES[size]
    config = blueprint.lm_config(span_seconds=30.0)
    config["transformer_lm"].update(dim=dim, num_heads=heads, num_layers=layers, card=CARD)
    torch.manual_seed(0)
    lm: Any = builders.get_lm_model(OmegaConf.create(config))
    lm.cfg = OmegaConf.create(config)
    with torch.no_grad():
        for head in lm.linears:
            head.weight.mul_(8)
    use_random_t5(lm)
    lm = lm.to(device).eval()
    conditioner = lm.condition_provider.conditioners["description"]
    conditioner.t5.to(device)
    conditioner.device = device
    return lm


def make_codec(device: str) -> Any:
    """The shape of Meta's 32 kHz EnCodec, as transformers has it."""
    import torch
    from audiocraft.models.encodec import HFEncodecCompressionModel
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(1)
    config = EncodecConfig(
        sampling_rate=32_000,
        num_filters=64,
        hidden_size=128,
        codebook_size=CARD,
        codebook_dim=128,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[2.2],
        use_causal_conv=False,
        use_conv_shortcut=False,
        norm_type="weight_norm",
    )
    return HFEncodecCompressionModel(EncodecModel(config)).eval().to(device)


def ours(lm: Any, codec: Any, precision: str, frames: int, batch: int) -> Run:
    """Our engine."""
    from assistant.musicgen.engine.engine import Clip, Engine, Request

    engine = Engine("bench", lm, codec, span=30.0, precision=precision)
    clips = [Clip(seed, (PROMPT,)) for seed in range(batch)]

    def run() -> None:
        for _codes in engine.tokens(clips, Request(frames)):
            pass

    return run


def audiocrafts(lm: Any, frames: int, batch: int) -> Run:
    """audiocraft's `LMModel.generate`, in half precision on a GPU."""
    import torch
    from audiocraft.modules.conditioners import ConditioningAttributes
    from audiocraft.utils.autocast import TorchAutocast

    attributes = [ConditioningAttributes(text={"description": PROMPT}) for _clip in range(batch)]
    on_gpu = next(lm.parameters()).is_cuda
    half = {"device_type": "cuda", "dtype": torch.float16} if on_gpu else {}

    def run() -> None:
        with torch.no_grad(), TorchAutocast(enabled=on_gpu, **half):
            lm.generate(None, attributes, max_gen_len=frames, cfg_coef=3.0)

    return run


def transformers(lm: Any, frames: int, batch: int, *, compiled: bool) -> Run:
    """transformers' `generate`, its codec left out; in half precision on a GPU."""
    import torch
    from transformers import EncodecConfig, EncodecModel

    from assistant.musicgen.huggingface import to_huggingface

    conditioner = lm.condition_provider.conditioners["description"]
    config = EncodecConfig(
        sampling_rate=32_000, num_filters=2, hidden_size=8, codebook_size=32, upsampling_ratios=[8, 5, 4, 4]
    )
    device = next(lm.parameters()).device
    model = to_huggingface(lm, conditioner.t5, EncodecModel(config)).to(device)
    if device.type == "cuda":
        model = model.half()

    class Nothing:
        audio_values = torch.zeros(1, 1, 1)

    model.audio_encoder.decode = lambda codes, **_more: Nothing()
    words = conditioner.tokenize([PROMPT] * batch)
    settings: dict[str, Any] = {"do_sample": True, "top_k": 250, "guidance_scale": 3.0}
    if compiled:
        settings["cache_implementation"] = "static"
        model.decoder.forward = torch.compile(model.decoder.forward)

    def run() -> None:
        with torch.no_grad():
            model.generate(
                input_ids=words["input_ids"],
                attention_mask=words["attention_mask"],
                max_new_tokens=frames + CODEBOOKS - 1,
                min_new_tokens=frames + CODEBOOKS - 1,
                **settings,
            )

    return run


def seconds_of(run: Run) -> float:
    """Of one run, the device's work included."""
    import torch

    began = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


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
    size: str, seconds: float, batches: list[int], rounds: int, device: str, *, compiled: bool
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
            "ours, float32": (ours(lm, codec, "float32", frames, batch), 4.0, 4),
            "ours, float16": (ours(lm, codec, "float16", frames, batch), 2.0, 4 if device == "cpu" else 2),
            "ours, int8": (ours(lm, codec, "int8", frames, batch), 1.0, 4 if device == "cpu" else 2),
        }
        taken: dict[str, float | str] = {
            name: min(times)
            for name, times in zip(
                ways,
                zip(
                    *[
                        [seconds_of(way[0]) for way in ways.values()]
                        for _round in range(rounds if batch == 1 else 1)
                    ],
                    strict=True,
                ),
                strict=True,
            )
        }
        base = taken["audiocraft"]
        if batch == 1 and compiled:
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
    whole, pieces = codec_times(device, frames)
    early, all_of_it = first_sound(lm, codec, "float32", frames)
    text += "\n" + table(
        ["", ""],
        [
            *([f"loss, {name}", f"{change:+.4%}"] for name, change in changes.items()),
            ["the codec's own decode", f"{whole:.2f} s"],
            ["ours in pieces", f"{pieces:.2f} s"],
            ["first sound of one clip, float32, with codec", f"{early:.2f} s"],
            ["all of it", f"{all_of_it:.2f} s"],
        ],
    )
    return text


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
        )
        for size in called.sizes.split(",")
    )
    print(text)
    if called.write:
        save(f"Generation of {called.seconds:g} s, {called.sizes}", text)


if __name__ == "__main__":
    main()
