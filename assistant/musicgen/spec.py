"""What a fine-tune and a clip are made with: plain values, checked before anything starts."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from dataclasses import dataclass
from typing import Any, Self

from assistant.config import Settings
from assistant.errors import CallError
from assistant.i18n import _
from assistant.musicgen.models import BUILT_IN

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
FORMATS = ("wav", "flac", "ogg", "mp3")
LARGEST_SEED = 2**31 - 1
_FILE_WORDS_LENGTH = 40
_NAME = re.compile(r"[^\W_][\w.+-]{0,79}")


class _Spec:
    """Conversion that both specifications share."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON keeps them."""
        values = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From plain values; names that are not known here are passed over."""
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
                if name in known
            }
        )

    def check(self) -> Self:
        """The same specification. Raises `CallError` for a value that makes no sense."""
        return self

    def _require(self, holds: bool, name: str, allowed: str) -> None:
        if not holds:
            raise CallError(
                _("{name} cannot be {value!r}.").format(name=name, value=getattr(self, name)),
                _("It must be {allowed}.").format(allowed=allowed),
            )

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        holds = isinstance(value, (int, float)) and math.isfinite(value) and low <= value <= high
        self._require(holds, name, _("between {low} and {high}").format(low=low, high=high))


@dataclass(frozen=True)
class FinetuneSpec(_Spec):
    """A fine-tune."""

    name: str = ""
    """The folder of the model that comes out; empty is a name made of the date."""
    model: str = BUILT_IN
    genres: tuple[str, ...] = ()
    """Only tracks of these; empty is every genre."""
    steps: int = 300
    """Updates of the weights."""
    batch_size: int = 4
    """Crops in one forward pass."""
    accumulation: int = 2
    """Forward passes for one update."""
    crop_seconds: float = 10.0
    learning_rate: float = 0.0
    """The peak of the schedule; 0 is what suits the size of the model."""
    warmup_steps: int = 20
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    condition_dropout: float = 0.3
    """How often a crop is learnt without its caption, which guidance needs."""
    validate_every: int = 50
    """0 is never."""
    checkpoint_every: int = 100
    """0 is only at the end."""
    precision: str = "auto"
    device: str = "auto"
    seed: int = 0

    @classmethod
    def from_settings(cls, settings: Settings, **chosen: Any) -> Self:
        """The configured values, with those that the call names; an empty name becomes one of the date."""
        section = settings.musicgen
        known = {field.name for field in dataclasses.fields(cls)} & set(section.__struct_fields__)
        spec = cls(**{**{name: getattr(section, name) for name in known}, **chosen})
        if spec.name:
            return spec
        return dataclasses.replace(spec, name=time.strftime("tuned-%Y%m%d-%H%M%S"))

    def check(self) -> Self:
        """The same specification. Raises `CallError` for a value that makes no sense."""
        self._require(
            _NAME.fullmatch(self.name) is not None and self.name != BUILT_IN,
            "name",
            _("letters, digits, dots and dashes, as a folder can be called"),
        )
        self._within("steps", 1, 10_000_000)
        self._within("batch_size", 1, 4096)
        self._within("accumulation", 1, 4096)
        self._within("crop_seconds", 1.0, 120.0)
        self._within("learning_rate", 0.0, 1.0)
        self._within("warmup_steps", 0, 1_000_000)
        self._within("weight_decay", 0.0, 10.0)
        self._within("gradient_clip", 0.0, 1e6)
        self._within("condition_dropout", 0.0, 1.0)
        self._within("validate_every", 0, 10_000_000)
        self._within("checkpoint_every", 0, 10_000_000)
        self._within("seed", 0, LARGEST_SEED)
        self._require(self.precision in PRECISIONS, "precision", ", ".join(PRECISIONS))
        return self


@dataclass(frozen=True)
class GenerateSpec(_Spec):
    """A request for clips."""

    prompt: str = ""
    """English words; empty is anything the model likes."""
    model: str = BUILT_IN
    duration: float = 8.0
    """Seconds of new music."""
    seed: int | None = None
    """Of the first clip; the next has one more. None is drawn by chance."""
    count: int = 1
    temperature: float = 1.0
    top_k: int = 250
    """Choose among this many tokens; 0 is all."""
    top_p: float = 0.0
    """Choose among the likeliest tokens that make up this probability; 0 is off."""
    cfg: float = 3.0
    """Classifier-free guidance; 1 is off."""
    continue_from: str | None = None
    """An audio file, or a track of the library, that the clip goes on from."""
    melody: str | None = None
    """An audio file whose melody is followed; only for melody models."""
    loudness: float = -14.0
    """LUFS of the file."""
    format: str = "wav"
    out: str | None = None
    """The folder for the clips; None is the library's own."""
    device: str = "auto"
    precision: str = "auto"

    @property
    def file_words(self) -> str:
        """The first words of the prompt, as a part of a file's name."""
        words = "-".join(re.findall(r"\w+", self.prompt.casefold())) or "free"
        if len(words) <= _FILE_WORDS_LENGTH:
            return words
        return words[: _FILE_WORDS_LENGTH + 1].rpartition("-")[0] or words[:_FILE_WORDS_LENGTH]

    @classmethod
    def from_settings(cls, settings: Settings, **chosen: Any) -> Self:
        """The configured values, with those that the call names."""
        section = settings.generate
        known = {field.name for field in dataclasses.fields(cls)} & set(section.__struct_fields__)
        defaults: dict[str, Any] = {name: getattr(section, name) for name in known}
        for name in ("model", "device", "precision"):
            defaults[name] = getattr(settings.musicgen, name)
        return cls(**{**defaults, **chosen})

    def check(self) -> Self:
        """The same specification. Raises `CallError` for a value that makes no sense."""
        self._within("duration", 0.5, 600.0)
        if self.seed is not None:
            self._within("seed", 0, LARGEST_SEED)
        self._within("count", 1, 1000)
        self._within("temperature", 0.0, 10.0)
        self._within("top_k", 0, 1_000_000)
        self._within("top_p", 0.0, 1.0)
        self._within("cfg", 0.0, 30.0)
        self._within("loudness", -70.0, 0.0)
        self._require(self.format in FORMATS, "format", ", ".join(FORMATS))
        self._require(self.precision in PRECISIONS, "precision", ", ".join(PRECISIONS))
        if self.melody and self.continue_from:
            raise CallError(
                _("A clip cannot go on from one file and follow the melody of another."),
                _("Name one of the two."),
            )
        return self
