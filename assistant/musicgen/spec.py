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
from assistant.musicgen.separation import STEMS

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
CLIP_PRECISIONS = (*PRECISIONS, "int8")
PRESETS = ("style", "full", "quick")
METHODS = ("auto", "lora", "full")
OPTIMIZERS = ("adamw", "adamw8bit")
TARGETS = ("attention", "cross", "feedforward", "heads")
AUDIOCRAFT_EMA = 0.99
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
    preset: str = "style"
    genres: tuple[str, ...] = ()
    """Only tracks of these; empty is every genre."""
    folder: str = ""
    """Only tracks below this folder of the library; empty is everywhere."""
    least_seconds: float = 0.0
    """Only tracks at least so long."""
    most_seconds: float = 0.0
    """Only tracks at most so long; 0 is any length."""
    least_rating: float = 0.0
    """Only tracks whose fields have a `rating` of at least this; 0 is also those without one."""
    method: str = "auto"
    """`lora`, `full`, or what suits the model."""
    rank: int = 0
    """Of the adapters; 0 is what suits the memory."""
    alpha: float = 0.0
    """An adapter counts alpha / rank; 0 is as much as the rank."""
    targets: tuple[str, ...] = TARGETS
    """What gets adapters."""
    freeze_below: int = 0
    """So many of the first layers, and the embeddings under them, stay as they are."""
    steps: int = 300
    """Updates of the weights."""
    batch_size: int = 4
    """Crops in one forward pass; less where the memory is small, more where it is large."""
    accumulation: int = 2
    """Forward passes for one update; times the batch size, it is always the same number of crops."""
    crop_seconds: float = 10.0
    learning_rate: float = 0.0
    """The peak of the schedule; 0 is what suits the size of the model."""
    warmup_steps: int = 20
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    optimizer: str = "adamw"
    """`adamw8bit` keeps its moments in a byte each."""
    ema: float = 0.0
    """How slowly the average of the weights follows them; 0 is no average."""
    condition_dropout: float = 0.3
    """How often a crop is learnt without words, which guidance needs."""
    tags_share: float = 0.25
    """How often the tags stand in for the caption."""
    title_share: float = 0.1
    """How often title and artist do."""
    field_dropout: float = 0.3
    """How often a tag is left out."""
    melody_dropout: float = 0.5
    """How often a melody model learns a crop from its words alone."""
    remove: tuple[str, ...] = ()
    """Stems that are taken out of the music before it is learnt, by a plug-in."""
    validate_every: int = 50
    """0 is never."""
    patience: int = 3
    """Looks at the held-out music without a lower loss until the run ends; 0 is never."""
    checkpoint_every: int = 100
    """0 is only at the end."""
    sample_every: int = 100
    """0 is never."""
    sample_seconds: float = 5.0
    sample_prompts: tuple[str, ...] = ()
    """Empty is the captions of held-out tracks."""
    processes: int = 1
    """On several GPUs, or parts of a CPU."""
    shard: bool = False
    """Share the weights out among them, also where they would fit."""
    precision: str = "auto"
    """Of matrix products; `auto` is bfloat16 where the device has units for it. Weights that are trained, the
    loss and the optimizer are always in float32."""
    compile: bool = False
    """Compile the layers, where that pays."""
    device: str = "auto"
    seed: int = 0

    @classmethod
    def from_settings(cls, settings: Settings, **chosen: Any) -> Self:
        """The configured values, changed by the preset, then by those that the call names.

        An empty name becomes one of the date.
        """
        section = settings.musicgen
        known = {field.name for field in dataclasses.fields(cls)} & set(section.__struct_fields__)
        values = {name: getattr(section, name) for name in known}
        preset = chosen.get("preset", cls.preset)
        if preset not in PRESETS:
            raise CallError(
                _("There is no preset called {name}.").format(name=preset),
                _("These are known: {names}.").format(names=", ".join(PRESETS)),
            )
        spec = cls(**{**values, **preset_values(preset, values), **chosen})
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
        self._require(self.method in METHODS, "method", ", ".join(METHODS))
        self._require(bool(self.targets) and set(self.targets) <= set(TARGETS), "targets", ", ".join(TARGETS))
        self._require(
            set(self.remove) < set(STEMS), "remove", _("some of {names}").format(names=", ".join(STEMS))
        )
        self._require(self.optimizer in OPTIMIZERS, "optimizer", ", ".join(OPTIMIZERS))
        self._within("least_seconds", 0.0, 1e6)
        self._within("most_seconds", 0.0, 1e6)
        self._within("least_rating", 0.0, 100.0)
        self._within("rank", 0, 1024)
        self._within("alpha", 0.0, 10_000.0)
        self._within("freeze_below", 0, 1000)
        self._within("steps", 1, 10_000_000)
        self._within("batch_size", 1, 4096)
        self._within("accumulation", 1, 4096)
        self._within("crop_seconds", 1.0, 120.0)
        self._within("learning_rate", 0.0, 1.0)
        self._within("warmup_steps", 0, 1_000_000)
        self._within("weight_decay", 0.0, 10.0)
        self._within("gradient_clip", 0.0, 1e6)
        self._within("ema", 0.0, 0.99999)
        for share in ("condition_dropout", "tags_share", "title_share", "field_dropout", "melody_dropout"):
            self._within(share, 0.0, 1.0)
        self._within("validate_every", 0, 10_000_000)
        self._within("patience", 0, 10_000_000)
        self._within("checkpoint_every", 0, 10_000_000)
        self._within("sample_every", 0, 10_000_000)
        self._within("sample_seconds", 0.5, 30.0)
        self._within("processes", 1, 1024)
        self._within("seed", 0, LARGEST_SEED)
        self._require(self.precision in PRECISIONS, "precision", ", ".join(PRECISIONS))
        return self


def preset_values(preset: str, configured: dict[str, Any]) -> dict[str, Any]:
    """What a preset changes of the configured values: `style` nothing, `quick` is short, and `full` trains
    all weights on longer crops and keeps their average."""
    if preset == "quick":
        return {
            "steps": max(1, min(60, configured["steps"])),
            "batch_size": min(2, configured["batch_size"]),
            "accumulation": 1,
            "crop_seconds": min(5.0, configured["crop_seconds"]),
            "validate_every": 20,
            "sample_every": 0,
        }
    if preset == "full":
        return {
            "method": "full",
            "ema": configured["ema"] or AUDIOCRAFT_EMA,
            "crop_seconds": max(20.0, configured["crop_seconds"]),
        }
    return {}


@dataclass(frozen=True)
class GenerateSpec(_Spec):
    """A request for clips."""

    prompt: str = ""
    """What it should sound like, in English or Chinese; empty is anything the model likes."""
    english: str = ""
    """What the model is told in place of a prompt that is not English; empty is found by the program."""
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
    two_step: bool = False
    """The passes with and without the words one after the other; the clip is the same but for rounding."""
    stride: float = 0.0
    """Beyond the model's span, seconds that each window adds; it hears the rest of the span again. 0 is
    60 % of the span."""
    prompts: tuple[str, ...] = ()
    """Several prompts, of each of which there are `count` clips; empty is `prompt` alone."""
    then: tuple[str, ...] = ()
    """The prompts of the windows after the first one; the last holds to the end."""
    then_english: tuple[str, ...] = ()
    """What the model is told in place of each of `then`; one that is empty or missing is found by the
    program."""
    loop: bool = False
    """The clip goes on from its end into its beginning; its length is then near the duration."""
    continue_from: str | None = None
    """An audio file, or a track of the library, that the clip goes on from."""
    melody: str | None = None
    """An audio file whose melody is followed; only for melody models."""
    loudness: float | None = -14.0
    """LUFS of the file; None leaves the level as it is."""
    true_peak: float = -1.0
    """dBTP that no peak exceeds, also between the samples."""
    format: str = "wav"
    out: str | None = None
    """The folder for the clips; None is the library's own."""
    device: str = "auto"
    precision: str = "auto"

    @property
    def clips(self) -> list[str]:
        """The prompt of each clip."""
        return [prompt for prompt in self.prompts or (self.prompt,) for _clip in range(self.count)]

    def of_one(self, prompt: str, seed: int) -> Self:
        """The request for one of its clips alone."""
        english, then = self.told(prompt), self.told_then
        return dataclasses.replace(
            self,
            prompt=prompt,
            prompts=(),
            english=english if english != prompt else "",
            then_english=then if then != self.then else (),
            seed=seed,
            count=1,
        )

    def without_first(self, done: int) -> Self:
        """The request for the clips after so many of them."""
        assert self.seed is not None
        seed = self.seed + done
        if not self.prompts:
            return dataclasses.replace(self, seed=seed, count=self.count - done)
        return dataclasses.replace(self, prompts=tuple(self.clips[done:]), seed=seed, count=1)

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
        if defaults["loudness"] == "off":
            defaults["loudness"] = None
        return cls(**{**defaults, **chosen})

    def told(self, prompt: str) -> str:
        """What the model is told for one of the prompts."""
        from assistant.musicgen.prompts import translate

        return self.english if self.english and prompt == self.prompt else translate(prompt).english

    @property
    def told_then(self) -> tuple[str, ...]:
        """What the model is told for each of `then`."""
        from assistant.musicgen.prompts import translate

        given = self.then_english + ("",) * (len(self.then) - len(self.then_english))
        return tuple(
            english or translate(prompt).english for prompt, english in zip(self.then, given, strict=True)
        )

    def check(self) -> Self:
        """The same specification. Raises `CallError` for a value that makes no sense."""
        self._require(
            len(self.then_english) <= len(self.then), "then_english", _("at most as many texts as `then` has")
        )
        self._within("duration", 0.5, 600.0)
        if self.seed is not None:
            self._within("seed", 0, LARGEST_SEED)
        self._within("count", 1, 1000)
        self._within("temperature", 0.0, 10.0)
        self._within("top_k", 0, 1_000_000)
        self._within("top_p", 0.0, 1.0)
        self._within("cfg", 0.0, 30.0)
        self._within("stride", 0.0, 600.0)
        if self.loudness is not None:
            self._within("loudness", -70.0, 0.0)
        self._within("true_peak", -20.0, 0.0)
        self._require(self.format in FORMATS, "format", ", ".join(FORMATS))
        self._require(self.precision in CLIP_PRECISIONS, "precision", ", ".join(CLIP_PRECISIONS))
        if self.loop and self.continue_from:
            raise CallError(_("A clip cannot go on from a file and be a loop."), _("Choose one of the two."))
        if self.melody and self.continue_from:
            raise CallError(
                _("A clip cannot go on from one file and follow the melody of another."),
                _("Name one of the two."),
            )
        return self
