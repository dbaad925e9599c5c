"""The process that holds torch and audiocraft: clips and tokens, and looks ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.library.library import Library
from assistant.workers import Emit, Message, serve

_models: dict[tuple[str, ...], Any] = {}


def generate(request: Message, emit: Emit) -> Message:
    """Make clips; the last model stays loaded for the next request."""
    from assistant.musicgen.generation import make_clips
    from assistant.musicgen.models import load_model, model_folder, stamp_of
    from assistant.musicgen.spec import GenerateSpec

    spec = GenerateSpec.from_dict(request["spec"]).check()
    with Library(Path(request["library"])) as library:
        folder = model_folder(spec.model, library.paths)
        key = (str(folder or spec.model), str(stamp_of(folder)), spec.device, spec.precision)
        if key not in _models:
            emit({"event": "loading"})
            _models.clear()  # before the next one is loaded: two may not fit
            _models[key] = load_model(spec.model, library.root, spec.device, spec.precision)
        clips = make_clips(
            _models[key],
            spec,
            library,
            continue_from=_path(request["continue_from"]),
            melody=_path(request["melody"]),
            emit=emit,
        )
    return {"clips": clips}


def tokens(request: Message, emit: Emit) -> Message:
    """Encode what the token cache lacks."""
    from assistant.musicgen.encode import encode_library

    with Library(Path(request["library"])) as library:
        _cache, summary = encode_library(
            library,
            request["model"],
            request["device"],
            lambda done, total: emit({"event": "tokens", "done": done, "total": total}),
        )
    return summary


def preflight(request: Message, emit: Emit) -> Message:
    """What a fine-tune would take."""
    from assistant.musicgen.preflight import preflight as look_ahead
    from assistant.musicgen.spec import FinetuneSpec

    with Library(Path(request["library"])) as library:
        return look_ahead(FinetuneSpec.from_dict(request["spec"]).check(), library, emit)


def export(request: Message, emit: Emit) -> Message:
    """Write a model out in another format."""
    from assistant.musicgen.formats import export_model

    with Library(Path(request["library"])) as library:
        export_model(request["model"], library.paths, request["format"], Path(request["folder"]))
    return {}


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


if __name__ == "__main__":
    serve({"generate": generate, "tokens": tokens, "preflight": preflight, "export": export})
