"""The shape of `mini`: the configurations of its codec and language model in audiocraft's words."""

from __future__ import annotations

from typing import Any

from assistant.musicgen import blueprint

BINS = 512
SPAN_SECONDS = 10.0
DIMENSION = 224
LAYERS = 5
HEADS = 4
WORD_DIMENSION = 96


def codec_config() -> dict[str, Any]:
    """An EnCodec whose decoder is wider than its encoder, and whose last stage is a learnt filter bank.

    Leaky ReLUs and few stages at the full rate make it several times faster on a CPU than ELUs do.
    """
    config = blueprint.codec_config()
    config["seanet"] |= {
        "ratios": [8, 5, 16],
        "activation": "LeakyReLU",
        "activation_params": {"negative_slope": 0.2},
        "encoder": {"n_filters": 16},
    }
    config["seanet"]["decoder"] |= {"n_filters": 32}
    config["rvq"] |= {"bins": BINS, "decay": 0.99, "threshold_ema_dead_code": 0}
    return config


def lm_config() -> dict[str, Any]:
    """A decoder of about eight million parameters that reads captions by hashed words."""
    config = blueprint.lm_config(SPAN_SECONDS)
    config["transformer_lm"] |= {
        "dim": DIMENSION,
        "num_heads": HEADS,
        "num_layers": LAYERS,
        "card": BINS,
    }
    config["conditioners"]["description"]["lut"] |= {"dim": WORD_DIMENSION}
    return config
