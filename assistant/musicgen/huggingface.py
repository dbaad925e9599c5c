"""From audiocraft's language model to `MusicgenForConditionalGeneration` of transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import MusicHelperError
from assistant.i18n import _

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = (
    (r"^emb\.", "model.decoder.embed_tokens."),
    (r"^linears\.", "lm_heads."),
    (r"^out_norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.layers\.", "model.decoder.layers."),
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.linear(\d)\.", r".fc\1."),
    (r"\.norm1\.", ".self_attn_layer_norm."),
    (r"\.norm_cross\.", ".encoder_attn_layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
)
_PROJECTION = "condition_provider.conditioners.description.output_proj."
_LONGEST_SECONDS = 30
_GUIDANCE = 3.0


def to_huggingface(lm: Any, text_encoder: Any, audio_encoder: Any) -> Any:
    """The same model as transformers has it, with its text encoder (T5) and its codec (EnCodec).

    transformers would train with a dropout of 0.1, which MusicGen never had; it is off here.
    """
    from transformers import MusicgenForCausalLM, MusicgenForConditionalGeneration
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    layer = lm.transformer.layers[0]
    special = int(lm.special_token_id)
    config = MusicgenDecoderConfig(
        vocab_size=lm.card,
        num_hidden_layers=len(lm.transformer.layers),
        ffn_dim=layer.linear1.out_features,
        num_attention_heads=layer.self_attn.num_heads,
        hidden_size=lm.dim,
        dropout=0.0,
        num_codebooks=lm.n_q,
        audio_channels=2 if lm.n_q == 8 else 1,
        pad_token_id=special,
        bos_token_id=special,
    )
    decoder = MusicgenForCausalLM(config)
    states, projection = renamed(lm.state_dict())
    missing, unexpected = decoder.load_state_dict(states, strict=False)
    assert not unexpected, unexpected
    assert not [name for name in missing if not name.endswith("embed_positions.weights")], missing
    model = MusicgenForConditionalGeneration(
        text_encoder=text_encoder, audio_encoder=audio_encoder, decoder=decoder
    )
    model.enc_to_dec_proj.load_state_dict(projection)
    generation = model.generation_config
    generation.decoder_start_token_id = generation.pad_token_id = special
    generation.do_sample, generation.guidance_scale = True, _GUIDANCE
    generation.max_length = int(_LONGEST_SECONDS * audio_encoder.config.frame_rate)
    model.train(False)
    return model


def renamed(states: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The decoder's weights under transformers' names, and those of the projection of the text."""
    decoder: dict[str, Tensor] = {}
    projection: dict[str, Tensor] = {}
    for name, value in states.items():
        if name.startswith(_PROJECTION):
            projection[name.removeprefix(_PROJECTION)] = value
            continue
        if name.startswith("condition_provider."):
            continue  # T5 is frozen, and comes along as it is
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        if "in_proj_weight" in name:
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                decoder[name.replace("in_proj_weight", f"{letter}_proj.weight")] = part.clone()
        else:
            decoder[name] = value.clone()
    return decoder, projection


def write_huggingface(lm: Any, codec: Any, folder: Path) -> None:
    """Save a model in safetensors with its processor, as `from_pretrained` reads it.

    Raises `MusicHelperError` for a model whose text or audio encoder transformers does not have.
    """
    conditioner = lm.condition_provider.conditioners["description"]
    audio_encoder = getattr(codec, "model", None)
    fits = (
        set(lm.condition_provider.conditioners) == {"description"}
        and "description" in (lm.fuser.fuse2cond["cross"])
    )
    if not fits or not hasattr(conditioner, "t5") or type(audio_encoder).__name__ != "EncodecModel":
        raise MusicHelperError(
            _("transformers has no model of this kind."),
            _("Models made from Meta's MusicGen small, medium and large can be exported to it."),
        )
    from transformers import EncodecFeatureExtractor, MusicgenProcessor

    model = to_huggingface(lm, conditioner.t5, audio_encoder)
    model.save_pretrained(folder, safe_serialization=True)
    processor: Any = MusicgenProcessor
    processor(
        feature_extractor=EncodecFeatureExtractor(
            feature_size=codec.channels, sampling_rate=codec.sample_rate, padding_side="left"
        ),
        tokenizer=conditioner.t5_tokenizer,
    ).save_pretrained(folder)
