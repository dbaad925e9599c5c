"""A small model's configuration in audiocraft's words, and audiocraft's file format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assistant.files import whole_file

CODEC_FILE = "compression_state_dict.bin"
LM_FILE = "state_dict.bin"
"""Both may also be a `.safetensors` file with the configuration as `.yaml` beside it, as `mini`'s are."""

SAMPLE_RATE = 32_000
FRAME_RATE = 50
CODEBOOKS = 4
BINS = 128
"""Codes in each codebook: as few as the sound of a codec of minutes allows, for a language model of
minutes learns the sooner what follows what. With 512 the codec was no nearer to the music."""

WORD_BINS = 4096
WORDS = 32
"""Words of a caption that are read; each caption is padded to as many, so that a clip never depends
on the length of another caption in its batch."""


def codec_config() -> dict[str, Any]:
    """The configuration of the small EnCodec: 32 kHz mono, 50 frames a second, four codebooks."""
    return {
        "compression_model": "encodec",
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
            "causal": False,
            "renormalize": False,
        },
        "seanet": {
            "dimension": 64,
            "channels": 1,
            "causal": False,
            "n_filters": 16,
            "n_residual_layers": 1,
            "ratios": [8, 5, 4, 4],
            "activation": "ELU",
            "activation_params": {"alpha": 1.0},
            "norm": "none",
            "norm_params": {},
            "kernel_size": 7,
            "residual_kernel_size": 3,
            "last_kernel_size": 7,
            "dilation_base": 2,
            "pad_mode": "constant",
            "true_skip": True,
            "compress": 2,
            "lstm": 0,
            "disable_norm_outer_blocks": 0,
            "encoder": {},
            "decoder": {"trim_right_ratio": 1.0, "final_activation": None, "final_activation_params": None},
        },
        "rvq": {
            "n_q": CODEBOOKS,
            "bins": BINS,
            "q_dropout": False,
            "decay": 0.97,
            "kmeans_init": False,
            "threshold_ema_dead_code": 0,
        },
    }


def lm_config(span_seconds: float = 10.0) -> dict[str, Any]:
    """The configuration of the small language model; it reads captions by hashed words.

    `span_seconds` is the longest stretch that it learns; longer clips are made in windows.
    """
    return {
        "solver": "musicgen",
        "device": "cpu",
        "dtype": "float32",
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "lm_model": "transformer_lm",
        # audiocraft refuses a model whose span is not above its own default stride of 18 s, so the
        # true one stands under a name of ours.
        "dataset": {"segment_duration": 30.0},
        "transformer_lm": {
            "dim": 192,
            "num_heads": 4,
            "num_layers": 4,
            "hidden_scale": 4,
            "n_q": CODEBOOKS,
            "card": BINS,
            "dropout": 0.0,
            "emb_lr": None,
            "activation": "gelu",
            "norm_first": True,
            "bias_ff": False,
            "bias_attn": False,
            "bias_proj": False,
            "past_context": None,
            "causal": True,
            "custom": False,
            "memory_efficient": True,
            "attention_as_float32": False,
            "layer_scale": None,
            "positional_embedding": "sin",
            "xpos": False,
            "checkpointing": "none",
            "weight_init": "gaussian",
            "depthwise_init": "current",
            "zero_bias_init": True,
            "norm": "layer_norm",
            "cross_attention": False,
            "qk_layer_norm": False,
            "qk_layer_norm_cross": False,
            "attention_dropout": None,
            "kv_repeat": 1,
            "two_step_cfg": False,
        },
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {"delays": list(range(CODEBOOKS)), "flatten_first": 0, "empty_initial": 0},
        },
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": [],
            "cross": ["description"],
            "input_interpolate": [],
        },
        "conditioners": {
            "description": {
                "model": "lut",
                # audiocraft takes the whole caption for one word here; our loader puts its own
                # tokenizer in, which needs no weights of its own.
                "lut": {"n_bins": WORD_BINS, "dim": 64, "tokenizer": "noop"},
            },
        },
        "attribute_dropout": {},
        "classifier_free_guidance": {"training_dropout": 0.0, "inference_coef": 3.0},
        "musichelper": {"tokenizer": "words", "words": WORDS, "span": span_seconds},
    }


def package(state: dict[str, Any], config: str) -> dict[str, Any]:
    """What audiocraft's loaders read from `state_dict.bin` and `compression_state_dict.bin`."""
    import audiocraft

    return {"best_state": state, "xp.cfg": config, "version": audiocraft.__version__, "exported": True}


def save_package(path: Path, content: dict[str, Any]) -> None:
    """Write such a file whole."""
    import torch

    with whole_file(path) as temporary:
        torch.save(content, temporary)


def has_package(folder: Path, file: str) -> bool:
    """Whether a folder has `LM_FILE` or `CODEC_FILE`, in either form."""
    return (folder / file).is_file() or (folder / file).with_suffix(".safetensors").is_file()


def read_safe_package(folder: Path, file: str) -> dict[str, Any] | None:
    """The package that lies in `folder` as safetensors and YAML, in float32; None where it does not."""
    weights = (folder / file).with_suffix(".safetensors")
    if not weights.is_file():
        return None
    from safetensors.torch import load_file

    state = {name: tensor.float() for name, tensor in load_file(weights).items()}
    return package(state, weights.with_suffix(".yaml").read_text("utf-8"))


def as_yaml(config: dict[str, Any]) -> str:
    """The configuration as YAML; JSON is YAML, and needs no library."""
    return json.dumps(config, indent=1)
