"""Loading a model: audiocraft's checkpoints, from the hub or a folder, never with free pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import MusicHelperError
from assistant.i18n import _
from assistant.library.library import LibraryPaths
from assistant.musicgen import backend
from assistant.musicgen.adapter import fold_adapter
from assistant.musicgen.blueprint import CODEC_FILE, LM_FILE, read_safe_package
from assistant.musicgen.melody import no_demucs_needed
from assistant.musicgen.models import base_of, is_adapter, model_folder, root_of
from assistant.musicgen.text_encoder import loaded_when_needed
from assistant.musicgen.words import WordTokenizer

if TYPE_CHECKING:
    import torch
    from audiocraft.models.encodec import CompressionModel

    from assistant.musicgen.engine.engine import Engine


def load(name: str, paths: LibraryPaths, device: str, precision: str) -> Engine:
    """A model ready to generate; its codec always computes in float32."""
    place = backend.choose_device(device)
    chosen = backend.choose_clip_precision(precision, place)
    backend.prepare()
    import torch

    from assistant.musicgen.engine.engine import Engine

    source = model_folder(name, paths)
    # On a GPU 8-bit weights are made of halves, of which more fit.
    number = torch.float32 if place.type == "cpu" else getattr(torch, chosen.replace("int8", "float16"))
    lm = load_lm(name, source, place, number)
    codec = load_folded_codec(name, source, place, lm)
    with explained(name):
        model = Engine(name, lm, codec, span=span_of(lm), precision=chosen)
    model.forget_packed()
    return model


def load_lm(
    name: str,
    source: Path | None,
    device: torch.device,
    number: torch.dtype | Callable[[int], torch.dtype],
    *,
    text_encoder_later: bool = False,
) -> Any:
    """The language model (audiocraft's LMModel) with its configuration in `.cfg`; adapters are folded in.

    `number` may depend on how many parameters there are. With `text_encoder_later` T5 is loaded at its first
    use.
    """
    if source is not None and is_adapter(source):
        lm = load_lm(*base_of(source), device, number, text_encoder_later=text_encoder_later)
        fold_adapter(lm, source)
        return lm
    backend.prepare()
    from audiocraft.models import builders, loaders
    from omegaconf import OmegaConf

    with explained(name):
        package = _lm_package(name, source)
        config = OmegaConf.create(package["xp.cfg"])
        if callable(number):
            number = number(sum(one.numel() for one in package["best_state"].values()))
        config.device = str(device)
        config.dtype = str(number).removeprefix("torch.")
        # Settings of Meta's own machines that no longer mean anything.
        for key in (
            "conditioners.self_wav.chroma_stem.cache_path",
            "conditioners.args.merge_text_conditions_p",
            "conditioners.args.drop_desc_p",
        ):
            loaders._delete_param(config, key)
        with no_demucs_needed(), loaded_when_needed() if text_encoder_later else nullcontext():
            lm = builders.get_lm_model(config)
        lm.load_state_dict(package["best_state"])
    lm.eval()
    OmegaConf.set_struct(config, False)
    lm.cfg = config
    use_word_tokenizer(lm)
    if "self_wav" in lm.condition_provider.conditioners:
        melody: Any = lm.condition_provider.conditioners["self_wav"]
        melody.match_len_on_eval, melody._use_masking = True, False
    return lm


def span_of(lm: Any) -> float:
    """The longest stretch in seconds that the model has learnt at once."""
    own = lm.cfg.get("musichelper") or {}
    return float(own.get("span") or lm.cfg.dataset.segment_duration)


def use_word_tokenizer(lm: Any) -> None:
    """Give a model of ours its tokenizer of hashed words; others keep their own."""
    own = lm.cfg.get("musichelper")
    if own and own.get("tokenizer") == "words":
        conditioner = lm.condition_provider.conditioners["description"]
        conditioner.tokenizer = WordTokenizer(conditioner.embed.num_embeddings, int(own["words"]))


def load_codec(name: str, source: Path | None, device: torch.device) -> CompressionModel:
    """The codec of a model."""
    name, source = root_of(name, source)
    backend.prepare()
    from audiocraft.models import builders, loaders
    from omegaconf import OmegaConf

    with explained(name):
        package = None if source is None else read_safe_package(source, CODEC_FILE)
        codec: CompressionModel
        if package is None:
            codec = loaders.load_compression_model(str(source or name), device=str(device))
        else:
            config = OmegaConf.create(package["xp.cfg"])
            config.device = str(device)
            codec = builders.get_compression_model(config)
            codec.load_state_dict(package["best_state"])
            codec.eval()
    return codec


def load_folded_codec(name: str, source: Path | None, device: torch.device, lm: Any) -> CompressionModel:
    """The codec of a model as the engine uses it: its norms are part of its weights, and the sides of stereo
    are interleaved where the language model has learnt them so."""
    from audiocraft.models import builders

    from assistant.musicgen.engine.codec import fold_norms

    codec: CompressionModel = builders.get_wrapped_compression_model(load_codec(name, source, device), lm.cfg)
    fold_norms(codec)
    return codec.eval()


def codec_for_tokens(name: str, paths: LibraryPaths, device: torch.device) -> tuple[CompressionModel, str]:
    """The codec as training uses it (stereo ones interleaved), and the hash of its weights.

    Two models with the same codec share one token cache.
    """
    backend.prepare()
    from audiocraft.models import builders
    from omegaconf import OmegaConf

    name, source = root_of(name, model_folder(name, paths))
    codec = load_codec(name, source, device)
    with explained(name):
        config = OmegaConf.create(_lm_package(name, source)["xp.cfg"])
    wrapped = builders.get_wrapped_compression_model(codec, config)
    return wrapped.eval(), codec_hash(wrapped)


def _lm_package(name: str, source: Path | None) -> dict[str, Any]:
    from audiocraft.models import loaders

    found = None if source is None else read_safe_package(source, LM_FILE)
    package: dict[str, Any] = found or loaders.load_lm_model_ckpt(str(source or name))
    return package


def codec_hash(codec: CompressionModel) -> str:
    """A short name for exactly these weights, this number of codebooks and channels."""
    import torch

    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{type(codec).__name__} {codec.num_codebooks} {codec.sample_rate}".encode())
    for key, value in sorted(codec.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Inside, turn what goes wrong while a model is fetched and built into words."""
    try:
        yield
    except MusicHelperError:
        raise
    except ModuleNotFoundError as error:
        raise MusicHelperError(
            _("The model {name} needs the Python package {package}.").format(name=name, package=error.name),
            _("Install it with `uv pip install {package}`.").format(package=error.name),
        ) from error
    except Exception as error:
        if _is_memory(error):
            raise MusicHelperError(
                _("The model {name} does not fit into memory.").format(name=name),
                _("Use a smaller model, or close what else uses the GPU."),
            ) from error
        if _is_network(error):
            raise MusicHelperError(
                _("The model {name} is not on this machine and could not be fetched.").format(name=name),
                _(
                    "Connect to the internet once and try again, or fetch it on another machine with "
                    "`hf download {name}` and copy that cache; or give the path of a folder with {lm} and "
                    "{codec}."
                ).format(name=name, lm=LM_FILE, codec=CODEC_FILE),
            ) from error
        raise MusicHelperError(
            _("The model {name} cannot be loaded: {reason}.").format(
                name=name, reason=str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            ),
            _("Its files may be damaged or of another kind; fetch or export it again."),
        ) from error


def _is_network(error: BaseException | None) -> bool:
    while error is not None:
        modules = {base.__module__.split(".")[0] for base in type(error).__mro__}
        if modules & {"huggingface_hub", "requests", "httpx", "urllib3"} or isinstance(
            error, ConnectionError
        ):
            return True
        if "huggingface.co" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def parameters_of(model: Any) -> int:
    """The number of parameters."""
    return sum(int(parameter.numel()) for parameter in model.parameters())
