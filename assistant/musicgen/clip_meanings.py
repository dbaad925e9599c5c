"""What each setting of a clip means."""

from __future__ import annotations

from assistant.i18n import _
from assistant.musicgen.meaning import Meaning, meanings_of
from assistant.musicgen.spec import CLIP_PRECISIONS, FORMATS, GenerateSpec


def generate_meanings() -> list[Meaning]:
    """All fields of `GenerateSpec`, in its order, in the language in use."""
    return meanings_of(GenerateSpec, _words())


def _words() -> list[Meaning]:
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
            "then_english",
            _("Then in English"),
            _("What the model is told in place of later prompts in Chinese; empty: a translation."),
            metavar="TEXT",
            empty=_("a translation"),
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
