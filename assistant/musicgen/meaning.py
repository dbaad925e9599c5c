"""What each setting of a fine-tune and of a clip means, in words for forms and the command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Literal

from assistant.i18n import _
from assistant.musicgen.spec import (
    CLIP_PRECISIONS,
    FORMATS,
    METHODS,
    OPTIMIZERS,
    PRECISIONS,
    PRESETS,
    TARGETS,
    FinetuneSpec,
    GenerateSpec,
)

Kind = Literal["text", "texts", "whole", "number", "switch", "choice", "choices"]


@dataclass(frozen=True)
class Meaning:
    """One setting. A number of 0 that means something has a word for it, and so has an empty value."""

    name: str
    """The field of the specification."""
    label: str
    help: str = ""
    kind: Kind = "text"
    metavar: str = "VALUE"
    step: float = 1.0
    """What one press of a key adds to a number; 0 doubles and halves."""
    least: float = 0.0
    zero: str = ""
    empty: str = ""
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False
    """Whether an empty value is None."""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        name = self.name.removesuffix("_from") if self.name == "continue_from" else self.name
        return "--" + name.replace("_", "-")


def generate_meanings() -> list[Meaning]:
    """All fields of `GenerateSpec`, in its order, in the language in use."""
    return _meanings(GenerateSpec, _generate_words())


def finetune_meanings() -> list[Meaning]:
    """All fields of `FinetuneSpec`, in its order, in the language in use."""
    return _meanings(FinetuneSpec, _finetune_words())


def _meanings(spec: type[GenerateSpec] | type[FinetuneSpec], known: list[Meaning]) -> list[Meaning]:
    """One for each field: what is not described yet appears all the same, under its own name."""
    words = {meaning.name: meaning for meaning in known}
    found = []
    for field in dataclasses.fields(spec):
        meaning = words.get(field.name) or Meaning(field.name, field.name.replace("_", " "))
        several = str(field.type).startswith("tuple")
        kind: Kind = "text"
        if meaning.choices:
            kind = "choices" if several else "choice"
        elif several:
            kind = "choices" if meaning.kind == "choices" else "texts"
        elif str(field.type).startswith("bool"):
            kind = "switch"
        elif str(field.type).startswith("int"):
            kind = "whole"
        elif str(field.type).startswith("float"):
            kind = "number"
        nothing = "None" in str(field.type)
        empty = meaning.empty or (_("none") if nothing or kind == "texts" else "")
        found.append(replace(meaning, kind=kind, empty=empty, may_be_empty=nothing))
    return found


def _generate_words() -> list[Meaning]:
    chance = _("by chance")
    return [
        Meaning(
            "prompt",
            _("Prompt"),
            _("What it should sound like, in English or Chinese; empty: anything."),
            metavar="TEXT",
        ),
        Meaning(
            "prompts",
            _("Prompts"),
            _("Several prompts at once, of each of which there are so many clips; empty: the prompt alone."),
            metavar="TEXT",
        ),
        Meaning(
            "english",
            _("In English"),
            _("What the model is told in place of a prompt in Chinese; empty: a translation."),
            metavar="TEXT",
            empty=_("a translation"),
        ),
        Meaning("model", _("Model"), _("A name from `musichelper models list`, or a folder."), metavar="M"),
        Meaning("duration", _("Seconds"), _("Seconds of each clip."), metavar="S", least=0.5),
        Meaning("count", _("Clips"), _("How many variations; each has the next seed."), metavar="N", least=1),
        Meaning(
            "seed",
            _("Seed"),
            _("The same seed gives the same clip; clip k of several has seed N + k. Empty: by chance."),
            metavar="N",
            empty=chance,
        ),
        Meaning(
            "temperature",
            _("Temperature"),
            _("Above 1 bolder, below 1 safer; 0 always takes the likeliest."),
            metavar="T",
            step=0.1,
        ),
        Meaning(
            "top_k",
            "Top-k",
            _("Choose among the K likeliest tokens; 0 is all."),
            metavar="K",
            step=50,
            zero=_("all"),
        ),
        Meaning(
            "top_p",
            "Top-p",
            _("Choose among the likeliest tokens that make up P; 0 is off."),
            metavar="P",
            step=0.05,
            zero=_("off"),
        ),
        Meaning(
            "cfg",
            _("Guidance"),
            _("How closely the words are followed; 1 is off, above 6 it may sound harsh."),
            metavar="C",
            step=0.5,
        ),
        Meaning(
            "continue_from",
            _("Go on from"),
            _("A clip or a track that the clip goes on from; empty: nothing."),
            metavar="FILE",
            empty=_("nothing"),
        ),
        Meaning(
            "melody",
            _("Melody of"),
            _("An audio file whose melody is followed; only melody models can."),
            metavar="FILE",
            empty=_("nothing"),
        ),
        Meaning(
            "loudness",
            _("Loudness"),
            _("Of the file, in LUFS; -14 is usual; off: as the model made it."),
            metavar="LUFS",
            least=-70,
            empty=_("off"),
        ),
        Meaning(
            "true_peak",
            _("True peak"),
            _("What no peak exceeds, also between the samples, in dBTP."),
            metavar="DBTP",
            step=0.5,
            least=-20,
        ),
        Meaning("format", _("File"), _("The kind of file."), choices=FORMATS),
        Meaning(
            "loop",
            _("Seamless"),
            _("The end goes on into the beginning; the length is near the seconds, where the beat fits."),
        ),
        Meaning(
            "then",
            _("And then"),
            _("Prompts of the later parts of a long clip, with semicolons between them."),
            metavar="TEXT",
        ),
        Meaning(
            "stride",
            _("Part (s)"),
            _("What each part of a long clip adds: less keeps closer to what came before; 0 is 60 %."),
            metavar="S",
            zero=_("60 %"),
        ),
        Meaning(
            "two_step",
            _("Two passes"),
            _("Guidance in two passes: slower, the same clip but for rounding."),
        ),
        Meaning("out", _("Folder"), _("Where the clips go; empty: into the library."), metavar="DIR"),
        Meaning(
            "device",
            _("Device"),
            _("What computes: auto, cpu, cuda, or cuda:1 for the second GPU."),
            metavar="D",
        ),
        Meaning(
            "precision",
            _("Precision"),
            _("Of the weights: less is faster and smaller, int8 smallest; auto is what loses nothing."),
            choices=CLIP_PRECISIONS,
        ),
    ]


def _finetune_words() -> list[Meaning]:
    return [
        Meaning("name", _("Name"), _("The folder of the new model."), empty=_("(made from style and date)")),
        Meaning("model", _("Start from"), _("The model that learns; its licence goes on to the new one.")),
        Meaning(
            "preset",
            _("Preset"),
            _("A quick try, the style of some genres with the configured values, or all weights at length."),
            choices=PRESETS,
        ),
        Meaning(
            "genres", _("Genres"), _("Only tracks of these; none chosen is all."), "choices", empty=_("all")
        ),
        Meaning(
            "folder", _("Below"), _("Only tracks below this folder of the library."), empty=_("everywhere")
        ),
        Meaning(
            "least_seconds",
            _("At least (s)"),
            _("Only tracks at least so long."),
            step=10,
            zero=_("any length"),
        ),
        Meaning(
            "most_seconds",
            _("At most (s)"),
            _("Only tracks at most so long."),
            step=60,
            zero=_("any length"),
        ),
        Meaning(
            "least_rating",
            _("Rated"),
            _("Only tracks whose JSON has a `rating` of at least this."),
            zero=_("any"),
        ),
        Meaning(
            "method",
            _("Method"),
            _("lora trains small adapters and needs little memory; full trains all weights."),
            choices=METHODS,
        ),
        Meaning(
            "rank",
            _("Rank"),
            _("Of the adapters: more can learn more and needs more memory."),
            step=8,
            zero=_("by the memory"),
        ),
        Meaning(
            "alpha",
            _("Alpha"),
            _("How much adapters count, beside the rank; 0 is as much as the rank."),
            step=8,
            zero=_("as the rank"),
        ),
        Meaning("targets", _("Adapters in"), _("Which parts of the model get adapters."), choices=TARGETS),
        Meaning(
            "freeze_below",
            _("Frozen layers"),
            _("So many of the first layers stay as they are."),
            zero=_("none"),
        ),
        Meaning("steps", _("Steps"), _("Updates of the weights."), step=50, least=1),
        Meaning(
            "batch_size",
            _("Batch size"),
            _("Crops in one forward pass: less where the memory is small."),
            least=1,
        ),
        Meaning(
            "accumulation",
            _("Accumulation"),
            _("Forward passes for one update; times the batch size is what counts."),
            least=1,
        ),
        Meaning(
            "crop_seconds",
            _("Crop (s)"),
            _("Length of the pieces of music that are learnt at once."),
            least=1,
        ),
        Meaning(
            "learning_rate",
            _("Learning rate"),
            _("The peak of the schedule. Too high: the loss jumps; too low: nothing happens."),
            step=0,
            zero=_("by the model's size"),
        ),
        Meaning(
            "warmup_steps", _("Warm-up"), _("Steps in which the learning rate rises to its peak."), step=10
        ),
        Meaning(
            "weight_decay",
            _("Weight decay"),
            _("Pulls weights towards zero, against learning by heart."),
            step=0.05,
        ),
        Meaning(
            "gradient_clip",
            _("Gradient clip"),
            _("The largest norm of a gradient; 0 is no limit."),
            step=0.5,
            zero=_("off"),
        ),
        Meaning(
            "optimizer",
            _("Optimizer"),
            _("adamw8bit keeps its moments in a byte each: less memory for training all weights."),
            choices=OPTIMIZERS,
        ),
        Meaning(
            "ema",
            _("Average"),
            _("Of the weights, e.g. 0.99: steadier results; 0 is none."),
            step=0.01,
            zero=_("off"),
        ),
        Meaning(
            "condition_dropout",
            _("Without words"),
            _("Share of crops that are learnt without words, which guidance needs."),
            step=0.05,
        ),
        Meaning("tags_share", _("Tags only"), _("How often the tags stand in for the caption."), step=0.05),
        Meaning(
            "title_share",
            _("Title only"),
            _("How often title and artist stand in for the caption."),
            step=0.05,
        ),
        Meaning("field_dropout", _("Tags left out"), _("How often each tag is left out."), step=0.05),
        Meaning(
            "validate_every",
            _("Validate every"),
            _("Steps between looks at held-out music; 0 is never."),
            step=10,
            zero=_("never"),
        ),
        Meaning(
            "patience",
            _("Patience"),
            _("Looks at held-out music without a lower loss until the run ends; 0 is never."),
            zero=_("never"),
        ),
        Meaning(
            "checkpoint_every",
            _("Save every"),
            _("Steps between checkpoints, from which a run can go on; 0 is only at the end."),
            step=50,
            zero=_("only at the end"),
        ),
        Meaning(
            "sample_every",
            _("Samples every"),
            _("Steps between clips that the run makes for you to hear; 0 is none."),
            step=50,
            zero=_("never"),
        ),
        Meaning("sample_seconds", _("Sample (s)"), _("Length of such a clip."), least=0.5),
        Meaning(
            "sample_prompts",
            _("Sample prompts"),
            _("What they are asked for; empty: captions of held-out tracks."),
            empty=_("captions"),
        ),
        Meaning("processes", _("Processes"), _("One for each GPU."), least=1),
        Meaning(
            "shard",
            _("Shared out"),
            _("The weights are shared out among the processes also where each could hold them all."),
        ),
        Meaning(
            "precision",
            _("Precision"),
            _("Of the numbers; auto is what suits the device."),
            choices=PRECISIONS,
        ),
        Meaning(
            "device",
            _("Device"),
            _("What computes: auto, cpu, cuda, or cuda:1 for the second GPU."),
            metavar="D",
        ),
        Meaning("seed", _("Seed"), _("The start of all random choices.")),
    ]
