"""What each setting of a fine-tune means."""

from __future__ import annotations

from assistant.i18n import _
from assistant.musicgen.meaning import Meaning, meanings_of
from assistant.musicgen.separation import STEMS
from assistant.musicgen.spec import METHODS, OPTIMIZERS, PRECISIONS, PRESETS, TARGETS, FinetuneSpec


def finetune_meanings() -> list[Meaning]:
    """All fields of `FinetuneSpec`, in its order, in the language in use."""
    return meanings_of(FinetuneSpec, _words())


def _words() -> list[Meaning]:
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
            "melody_dropout",
            _("Without melody"),
            _("How often a melody model learns a crop from its words alone."),
            step=0.05,
        ),
        Meaning(
            "remove",
            _("Stems removed"),
            _("What is taken out of the music before it is learnt; needs a plug-in."),
            choices=STEMS,
            empty=_("none"),
        ),
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
            "compile",
            _("Compile"),
            _("Compile the layers on a GPU, where the run is long enough for it to pay."),
        ),
        Meaning(
            "device",
            _("Device"),
            _("What computes: auto, cpu, cuda, or cuda:1 for the second GPU."),
            metavar="D",
        ),
        Meaning("seed", _("Seed"), _("The start of all random choices.")),
    ]
