"""The network `cnn-mel` on log-mel segments. For a worker process only.

Against small training sets: crops at random places of the track, masks over bands and frames (SpecAugment,
Park and others, 2019) and mixtures of pairs (mixup, Zhang and others, 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assistant.classify.network import BATCH_MOMENTUM, Recipe, shares_of
from assistant.classify.segments import Floats, Integers, Segments, Standard

CHANNELS = (24, 48, 64, 96)
MASKS = 2
MASKED_BANDS, MASKED_FRAMES = 12, 20
MIXED = 0.3
"""Both parameters of the beta distribution of mixtures."""


def build(classes: int, shape: tuple[int, ...]) -> Any:
    """The network with fresh weights; input (frames, bands, 1), output probabilities."""
    import keras

    layers = keras.layers
    entry = keras.Input(shape)
    layer = entry
    for number, channels in enumerate(CHANNELS):
        # The first one halves the picture: a quarter of the work for what is smooth anyway.
        step = 2 if number == 0 else 1
        layer = layers.Conv2D(channels, 3, strides=step, padding="same", use_bias=False)(layer)
        layer = layers.BatchNormalization(momentum=BATCH_MOMENTUM)(layer)
        layer = layers.Activation("relu")(layer)
        layer = layers.MaxPooling2D(2, padding="same")(layer)
    pooled = [layers.GlobalAveragePooling2D()(layer), layers.GlobalMaxPooling2D()(layer)]
    layer = layers.Dense(64, activation="relu")(layers.Concatenate()(pooled))
    layer = layers.Dropout(0.3)(layer)
    return keras.Model(entry, layers.Dense(classes, activation="softmax")(layer))


def prepare(
    segments: Segments, places: Integers, standard: Standard, classes: int, order: np.random.Generator
) -> tuple[Floats, Floats]:
    """A batch of random crops, masked and mixed."""
    values = standard.apply(np.stack([_crop(segments, int(place), order) for place in places]))
    for crop in values:
        for _mask in range(MASKS):
            _mask_out(crop, MASKED_FRAMES, order)
            _mask_out(crop.swapaxes(0, 1), MASKED_BANDS, order)
    wanted = shares_of(segments.labels[places], classes)
    weight = order.beta(MIXED, MIXED, len(places)).astype(np.float32)
    partner = order.permutation(len(places))
    mixed = weight[:, None, None, None] * values + (1 - weight)[:, None, None, None] * values[partner]
    return mixed, weight[:, None] * wanted + (1 - weight)[:, None] * wanted[partner]


def _crop(segments: Segments, place: int, order: np.random.Generator) -> np.ndarray[Any, Any]:
    """A segment that begins anywhere in this one and ends in the next of its track, or at its start."""
    here, after = segments.features[place], place + 1
    alone = after == len(segments.tracks) or segments.tracks[after] != segments.tracks[place]
    there = here if alone else segments.features[after]
    start = int(order.integers(len(here)))
    return np.concatenate([here[start:], there[:start]])


def _mask_out(values: Floats, most: int, order: np.random.Generator) -> None:
    width = int(order.integers(most + 1))
    start = int(order.integers(max(1, len(values) - width)))
    values[start : start + width] = 0.0


RECIPE = Recipe(build, prepare, learning_rate=1e-3)
