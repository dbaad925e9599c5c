"""The pieces as the frozen codec's tokens: what the language model reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.files import whole_file
from assistant.musicgen.blueprint import FRAME_RATE, SAMPLE_RATE
from assistant.musicgen.mini.codec import FROZEN_CODEC, build_codec
from assistant.musicgen.mini.data import Made, made_from, shards

ANYWHERE = 0.2
"""Crops that begin anywhere, as what a longer clip is continued from does. The others begin with a bar, and
half of those with the piece: so a clip begins where music begins, and the beat of a known tempo is at
known places."""


@dataclass(frozen=True)
class Piece:
    """One piece: its codes `[codebooks, frames]`, and the frames at which bars begin."""

    made: Made
    codes: NDArray[np.int16]
    bars: tuple[int, ...]

    def crop(self, frames: int, chooser: np.random.Generator) -> NDArray[np.int16]:
        """Codes `[codebooks, frames]` from a chosen start."""
        latest = self.codes.shape[1] - frames
        later = [bar for bar in self.bars if 0 < bar <= latest]
        start = 0
        chance = chooser.random()
        if chance < ANYWHERE:
            start = int(chooser.integers(latest + 1))
        elif later and chance < (1 + ANYWHERE) / 2:
            start = int(chooser.choice(later))
        return self.codes[:, start : start + frames]


def make_tokens(
    work: Path, device: torch.device, on_shard: Callable[[str, int], None] = lambda split, done: None
) -> None:
    """Encode every rendered shard with the frozen codec; what is encoded already is left alone."""
    codec = build_codec(device)
    codec.load_state_dict(torch.load(work / FROZEN_CODEC, map_location=device, weights_only=True))
    codec.eval()
    folder = tokens_folder(work)
    folder.mkdir(exist_ok=True)
    for split in ("valid", "train"):
        for number, (samples, pieces) in enumerate(shards(work, split)):
            index = folder / f"{split}-{number:04}.jsonl"
            if index.exists():
                continue
            codes = []
            for made in pieces:
                audio = samples[made.start : made.start + made.samples].astype(np.float32) / 32767
                with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
                    latent = codec.encoder(torch.from_numpy(audio).to(device)[None, None])
                with torch.inference_mode():
                    codes.append(codec.quantizer.encode(latent.float())[0].short().cpu().numpy())
            with whole_file(index.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
                np.savez(file, *codes)
            with whole_file(index) as temporary:  # last, for it says that the shard is whole
                temporary.write_text("".join(json.dumps(asdict(made)) + "\n" for made in pieces))
            on_shard(split, number + 1)


def read_tokens(work: Path, split: str) -> list[Piece]:
    """All pieces that are encoded so far."""
    found = []
    for index in sorted(tokens_folder(work).glob(f"{split}-*.jsonl")):
        with np.load(index.with_suffix(".npz")) as codes:
            for line, name in zip(index.read_text().splitlines(), codes.files, strict=True):
                made = made_from(line)
                bars = tuple(round(bar / SAMPLE_RATE * FRAME_RATE) for bar in made.bars)
                found.append(Piece(made, codes[name], bars))
    return found


def tokens_folder(work: Path) -> Path:
    """Where the tokens of this codec lie; another codec's would mean other sounds."""
    digest = hashlib.blake2b((work / FROZEN_CODEC).read_bytes(), digest_size=4)
    return work / f"tokens-{digest.hexdigest()}"
