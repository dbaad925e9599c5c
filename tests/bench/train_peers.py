"""The same training step in other trainers, over the same random weights, clips and captions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import MethodType, SimpleNamespace
from typing import Any

SIZES = {  # dim, heads, layers, seconds of a clip, clips at once
    "tiny": (256, 4, 6, 10, 2),
    "small": (1024, 16, 24, 30, 8),
    "medium": (1536, 24, 48, 30, 4),
    "large": (2048, 32, 48, 30, 2),
}
CAPTIONS = (
    "A slow jazz tune in F major at 82 BPM, with piano, double bass and brushed drums.",
    "An upbeat pop song with bright synthesizers, claps and a catchy hook.",
    "Dark ambient drone with distant choir, low strings and metallic noises.",
    "Energetic rock with distorted guitars, electric bass and loud drums.",
)
FRAME_RATE, CARD, CODEBOOKS = 50, 2048, 4

Step = Callable[[], float]
MICRO_OF_DREAMBOOTHING = 2


def make_model(size: str, device: Any) -> Any:
    """audiocraft's model with random weights, and a T5-base of random weights."""
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

    model, words, labels = _musicgen(size, device)
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


def dreamboothing_step(size: str, device: Any, number: Any) -> Step:
    """The recipe of musicgen-dreamboothing's example configurations: two clips at once, adapters of rank 16
    by peft on all of the decoder's maps, dropout, gradient checkpointing, float16 with a scaler on a GPU."""
    import torch
    from peft import LoraConfig, get_peft_model

    model, words, labels = _musicgen(size, device)
    model.config.decoder.dropout = 0.1
    for part in model.decoder.modules():
        if isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.1
    books = range(CODEBOOKS)
    targets = ["enc_to_dec_proj", "k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2"]
    targets += [f"lm_heads.{book}" for book in books] + [f"embed_tokens.{book}" for book in books]
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
    model = get_peft_model(
        model, LoraConfig(r=16, lora_alpha=16, target_modules=targets, lora_dropout=0.05, bias="none")
    ).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    half = number != torch.float32
    scaler = torch.amp.GradScaler(device.type, enabled=half)

    def step() -> float:
        passes = [slice(first, first + MICRO_OF_DREAMBOOTHING) for first in range(0, len(labels), 2)]
        total = 0.0
        for rows in passes:
            with torch.autocast(device.type, dtype=torch.float16) if half else nullcontext():
                loss = model(
                    input_ids=words["input_ids"][rows],
                    attention_mask=words["attention_mask"][rows],
                    labels=labels[rows],
                ).loss
            scaler.scale(loss / len(passes)).backward()
            total += float(loss.detach())
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return total / len(passes)

    return step


def _musicgen(size: str, device: Any) -> tuple[Any, Any, Any]:
    """transformers' model with the same weights, the captions as it reads them, and the labels."""
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
    return model, words, labels
