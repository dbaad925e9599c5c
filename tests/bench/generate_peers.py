"""The models of `generate.py`, and a run of each decoder on them: ours, audiocraft's and transformers'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIZES = {  # dim, heads, layers
    "tiny": (256, 4, 6),
    "small": (1024, 16, 24),
    "medium": (1536, 24, 48),
    "large": (2048, 32, 48),
}
PROMPT = "A slow jazz tune in F major at 82 BPM, with piano, double bass and brushed drums."
CARD, CODEBOOKS, FRAME_RATE = 2048, 4, 50

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


def ours(lm: Any, codec: Any, precision: str, frames: int, batch: int) -> tuple[Run, int]:
    """Our engine, and the bytes of a number in its caches."""
    from assistant.musicgen.engine.engine import Clip, Engine, Request

    engine = Engine("bench", lm, codec, span=30.0, precision=precision)
    clips = [Clip(seed, (PROMPT,)) for seed in range(batch)]

    def run() -> None:
        for _codes in engine.tokens(clips, Request(frames)):
            pass

    return run, engine.weights.kept.itemsize


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
