"""The kinds of classifiers, and which of them a number of files allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assistant.audio.musicnn import weights_folder
from assistant.errors import CallError, MusicHelperError
from assistant.i18n import _

if TYPE_CHECKING:
    from assistant.classify.features import Kind

KINDS: dict[str, Kind] = {"cnn": "mfcc", "cnn-mel": "mel", "musicnn": "musicnn"}
"""The features that each model works on."""
NETWORKS = ("cnn", "cnn-mel")
"""Those that are trained as a whole, with TensorFlow."""
AUTO = "auto"
MODELS = (AUTO, *KINDS)
ENOUGH_FOR_NETWORK = 30
"""With fewer tracks in the middle genre a network trained from nothing has no chance."""


def check_model(model: str) -> str:
    """The model, if there is one of that name and what it needs is installed."""
    if model not in MODELS:
        raise CallError(
            _("There is no classifier model {model}.").format(model=model),
            _("These are known: {models}.").format(models=", ".join(MODELS)),
        )
    if model == "musicnn" and weights_folder() is None:
        raise MusicHelperError(
            _("The weights of musicnn are not installed."),
            _("Install the package musicnn, or train another model: `classifier train --model cnn`."),
        )
    return model


def candidates(model: str, tracks: Mapping[str, int]) -> list[str]:
    """The models to try for a choice and the number of tracks of each genre."""
    if check_model(model) != AUTO:
        return [model]
    counts = sorted(tracks.values())
    middle = counts[len(counts) // 2]
    if weights_folder() is None:
        return ["cnn", "cnn-mel"] if middle >= ENOUGH_FOR_NETWORK else ["cnn"]
    return ["musicnn", "cnn-mel", "cnn"] if middle >= ENOUGH_FOR_NETWORK else ["musicnn"]
