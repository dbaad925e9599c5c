"""The trained parts as the folder that is shipped: safetensors, audiocraft's configurations, a card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assistant.files import whole_file, write_json, write_text
from assistant.musicgen.blueprint import CODEC_FILE, LM_FILE, as_yaml
from assistant.musicgen.loading import codec_hash, parameters_of
from assistant.musicgen.mini.codec import CODEC_STATE, build_codec
from assistant.musicgen.mini.data import shards
from assistant.musicgen.mini.lm import LmPlan, LmTraining
from assistant.musicgen.mini.shape import SPAN_SECONDS, codec_config, lm_config
from assistant.musicgen.models import CARD_FILE, MINI_FOLDER

LICENCE = "MIT"


def write_mini(work: Path, folder: Path = MINI_FOLDER) -> None:
    """Write the averaged language model (float16) and the codec (float32) with their card into `folder`.

    The codec keeps its digits, so that it finds the tokens that the language model has learnt.
    """
    cpu = torch.device("cpu")
    training = LmTraining(LmPlan(), work)
    held_out = training.held_out()
    with training.average.in_place():
        lm_state = {name: tensor.clone() for name, tensor in training.lm.state_dict().items()}
    codec = build_codec(cpu)
    codec_state = torch.load(work / CODEC_STATE, map_location=cpu, weights_only=True)
    codec.load_state_dict(codec_state["model"])
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / LM_FILE, lm_state, lm_config(), torch.float16)
    _write(folder / CODEC_FILE, codec.state_dict(), codec_config(), torch.float32)
    pieces = [made for _samples, found in shards(work, "train") for made in found]
    card = {
        "name": "mini",
        "kind": "built-in",
        "licence": LICENCE,
        "parameters": parameters_of(training.lm),
        "span": SPAN_SECONDS,
        "codec": {
            "hash": codec_hash(codec),
            "parameters": parameters_of(codec),
            "steps": codec_state["steps"],
            "wall_seconds": round(codec_state["spent"]),
        },
        "data": {
            "pieces": len(pieces),
            "seconds": round(sum(made.samples for made in pieces) / 32_000),
            "genres": sorted({made.genre for made in pieces}),
            "soundfont": "TimGM6mb",
        },
        "steps": training.steps,
        "wall_seconds": round(training.spent),
        "losses": {"held_out": held_out},
    }
    write_json(folder / CARD_FILE, card)
    write_text(folder / "README.md", _readme(card))


def _write(file: Path, state: dict[str, Any], config: dict[str, Any], number: torch.dtype) -> None:
    from safetensors.torch import save_file

    tensors = {
        name: tensor.to(number).contiguous() if tensor.is_floating_point() else tensor.contiguous()
        for name, tensor in state.items()
    }
    with whole_file(file.with_suffix(".safetensors")) as temporary:
        save_file(tensors, temporary)
    write_text(file.with_suffix(".yaml"), as_yaml(config))


def _readme(card: dict[str, Any]) -> str:
    data, codec = card["data"], card["codec"]
    millions, codec_millions = card["parameters"] / 1e6, codec["parameters"] / 1e6
    hours = data["seconds"] / 3600
    losses = ", ".join(f"{value:.2f}" for value in card["losses"]["held_out"])
    return f"""# mini

The model that comes with musichelper: 32 kHz mono, 50 frames a second, four codebooks with the delay
pattern, clips of {card["span"]:g} seconds in one window. A language model of {millions:.1f} million
parameters (float16) and an EnCodec of {codec_millions:.1f} million (float32), in audiocraft's
configuration. It reads English captions by their words.

## Licence

MIT, as musichelper. It has learnt from nothing but music made for it.

## Data

{data["pieces"]} pieces, {hours:.1f} hours, composed by musichelper's rules in {len(data["genres"])} genres
({", ".join(data["genres"])}) and played through the soundfont
{data["soundfont"]}. Captions name genre, tempo, key, instruments and mood in many wordings. No recorded
music, and no one else's model, was used.

## Training

Codec: {codec["steps"]} steps. Language model: {card["steps"]} steps; loss on held-out pieces in nats, by
codebook: {losses}.
`python -m assistant.musicgen.mini all` makes it again, in two hours on two cores;
`--device cuda` takes a GPU.

## What it is for

To hear in seconds that everything works, to start a fine-tune from, and to test with. It knows ten genres
as a small General MIDI band would play them. It cannot sing, and it is no match for MusicGen.
"""
