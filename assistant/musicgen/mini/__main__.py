"""`python -m assistant.musicgen.mini STEP`: make `mini` again; every step goes on where it was left."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

STEPS = ("data", "codec", "tokens", "lm", "package")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do one step, or all of them."""
    given = _parser().parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    for step in STEPS if given.step == "all" else (given.step,):
        print(f"{step}:", flush=True)
        if step == "data":
            _data(given)
        else:
            _learn(step, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assistant.musicgen.mini", description=__doc__)
    parser.add_argument("step", choices=(*STEPS, "all"))
    parser.add_argument("--work", type=Path, default=Path("mini-work"), help="folder for all that is made")
    parser.add_argument("--out", type=Path, help="folder for the model; otherwise the shipped one")
    parser.add_argument("--pieces", type=int, default=2400)
    parser.add_argument("--held-out", type=int, default=60, help="pieces that are only measured on")
    parser.add_argument("--soundfont", default="", help="an .sf2 file; otherwise TimGM6mb")
    parser.add_argument("--processes", type=int, default=2, help="that render")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="of the codec; the language model needs one")
    parser.add_argument("--codec-minutes", type=float, default=30.0)
    parser.add_argument("--codec-batch", type=int, default=4)
    parser.add_argument("--lm-minutes", type=float, default=55.0)
    parser.add_argument("--lm-batch", type=int, default=4)
    return parser


def _data(given: argparse.Namespace) -> None:
    from assistant.musicgen.mini.data import make_data

    for split, pieces in (("valid", given.held_out), ("train", given.pieces)):
        print(split, flush=True)
        make_data(
            given.work,
            split,
            pieces,
            soundfont=given.soundfont,
            processes=given.processes,
            on_shard=lambda done, total: print(done, "of", total, flush=True),
        )


def _learn(step: str, given: argparse.Namespace) -> None:
    from assistant.musicgen import backend

    backend.prepare()
    backend.keep_freed_memory()
    import torch

    torch.set_num_threads(1 if step == "lm" else given.threads)  # its products are too small to share
    if step == "codec":
        from assistant.musicgen.mini.codec import CodecPlan, CodecTraining

        codec_plan = CodecPlan(given.codec_minutes, given.codec_batch, device=given.device)
        CodecTraining(codec_plan, given.work).run(lambda event: print(event, flush=True))
    elif step == "tokens":
        from assistant.musicgen.mini.tokens import make_tokens

        make_tokens(
            given.work,
            torch.device(given.device),
            lambda split, done: print(split, done, "encoded", flush=True),
        )
    elif step == "lm":
        from assistant.musicgen.mini.lm import LmPlan, LmTraining

        lm_plan = LmPlan(given.lm_minutes, given.lm_batch, device=given.device)
        LmTraining(lm_plan, given.work).run(lambda event: print(event, flush=True))
    else:
        from assistant.musicgen.mini.packaging import write_mini
        from assistant.musicgen.models import MINI_FOLDER

        write_mini(given.work, given.out or MINI_FOLDER)


if __name__ == "__main__":
    main()
