"""Convolutional networks on segments, in Keras on TensorFlow. For a worker process only.

`cnn` works on MFCC: four blocks of convolution, pooling and batch normalisation with 64, 32, 32 and 16
channels, a dense layer of 64, dropout 0.3 and a softmax; AdamW. `cnn-mel` is in `mel_network`. Weights are
plain arrays in safetensors; a network is always built here in code, so that no foreign model file is ever
executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assistant.classify.features import FeatureSpec
from assistant.classify.segments import Floats, Integers, Segments, Standard, measure_standard

CHANNELS = (64, 32, 32, 16)
BATCH_MOMENTUM = 0.9
"""A small library has few steps in an epoch; Keras's 0.99 would still judge with the first weights' means."""
PREDICTION_BATCH = 256
DRAWN_PER_TRACK = 10
"""Segments of each track in an epoch, drawn anew each time; a 30 s track has so many without overlap."""
FEWEST_BATCHES = 20
"""A small library is drawn from again within an epoch: the network needs a number of steps to learn."""
PATIENCE_SHARE = 0.2
"""Training stops when the validation loss has not fallen for this share of all epochs."""

Prepare = Callable[[Segments, Integers, Standard, int, np.random.Generator], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Recipe:
    """How a kind of network is built and fed."""

    build: Callable[[int, tuple[int, ...]], Any]
    """From the number of genres and the shape of a segment; the last layer but two is the embedding."""
    prepare: Prepare
    """A batch of segments: standardised values, and the share of each genre in each."""
    learning_rate: float | None = None
    """Its own, falling as a cosine over the epochs; None: the configured one, constant."""


@dataclass(frozen=True)
class Schedule:
    """What the person may set of a training."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class NetworkClassifier:
    """A trained network, with how its training went."""

    network: Any
    standard: Standard
    epochs: int = 0
    best_epoch: int = 0
    valid_loss: float = math.nan

    @cached_property
    def _both(self) -> Any:
        """The network with two outputs: the last layer but two, and the probabilities."""
        import keras

        return keras.Model(self.network.inputs, [self.network.layers[-3].output, self.network.output])

    def hear(self, features: np.ndarray[Any, Any]) -> tuple[Floats, Floats]:
        """Log-probabilities of segments (segments, genres), and the embedding of the track."""
        shares, total = [], np.zeros(self._both.outputs[0].shape[-1])
        for start in range(0, len(features), PREDICTION_BATCH):
            values = self.standard.apply(features[start : start + PREDICTION_BATCH])
            embedding, found = (np.asarray(part) for part in self._both.predict_on_batch(values))
            shares.append(found)
            total += embedding.sum(axis=0)
        logs: Floats = np.log(np.maximum(np.concatenate(shares), 1e-7)).astype(np.float32)
        return logs, (total / len(features)).astype(np.float32)

    def arrays(self) -> dict[str, Floats]:
        """What is saved."""
        arrays = {"mean": self.standard.mean, "deviation": self.standard.deviation}
        for index, array in enumerate(self.network.get_weights()):
            arrays[f"weight.{index:03d}"] = np.ascontiguousarray(array)
        return arrays


def recipe_of(model: str) -> Recipe:
    """The recipe of `cnn` or `cnn-mel`."""
    if model == "cnn-mel":
        from assistant.classify.mel_network import RECIPE

        return RECIPE
    return Recipe(build_cnn, _plain)


def restore(model: str, arrays: dict[str, Any], classes: int, spec: FeatureSpec) -> NetworkClassifier:
    """The classifier of saved arrays. Raises `KeyError` or `ValueError` where they do not fit."""
    network = recipe_of(model).build(classes, spec.shape)
    network.set_weights([arrays[name] for name in sorted(arrays) if name.startswith("weight.")])
    return NetworkClassifier(network, Standard(arrays["mean"], arrays["deviation"]))


def build_cnn(classes: int, shape: tuple[int, ...]) -> Any:
    """The network on MFCC with fresh weights; input (frames, coefficients, 1), output probabilities."""
    import keras

    layers = keras.layers
    entry = keras.Input(shape)
    layer = entry
    for number, channels in enumerate(CHANNELS):
        size = 2 if number == len(CHANNELS) - 1 else 3
        layer = layers.Conv2D(channels, size, activation="relu", padding="same")(layer)
        layer = layers.MaxPooling2D(size, strides=2, padding="same")(layer)
        layer = layers.BatchNormalization(momentum=BATCH_MOMENTUM)(layer)
    layer = layers.Dense(64, activation="relu")(layers.Flatten()(layer))
    layer = layers.Dropout(0.3)(layer)
    return keras.Model(entry, layers.Dense(classes, activation="softmax")(layer))


def fit(
    model: str,
    training: Segments,
    validation: Segments,
    *,
    classes: int,
    schedule: Schedule,
    on_epoch: Callable[[dict[str, Any]], None],
) -> NetworkClassifier:
    """Train, and keep the weights of the epoch with the least validation loss."""
    import keras

    # What the person may have set in keras.json is not meant for us.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(schedule.seed)
    recipe, order = recipe_of(model), np.random.default_rng(schedule.seed)
    standard = measure_standard(training)
    network = recipe.build(classes, training.features.shape[1:])
    optimizer = keras.optimizers.AdamW(recipe.learning_rate or schedule.learning_rate)
    network.compile(
        optimizer=optimizer,
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than it saves on a CPU
    )
    best_loss, best_epoch, best_weights = float("inf"), 0, network.get_weights()
    patience = max(5, round(schedule.epochs * PATIENCE_SHARE))
    epoch = 0
    for epoch in range(1, schedule.epochs + 1):
        if recipe.learning_rate:
            done = (epoch - 1) / schedule.epochs
            optimizer.learning_rate = recipe.learning_rate * (
                0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
            )
        drawn = _draw(training, schedule.batch_size, order)
        sums = np.zeros(3)
        for start in range(0, len(drawn), schedule.batch_size):
            places = np.sort(drawn[start : start + schedule.batch_size])
            if len(places) == 1 and len(drawn) > 1:
                continue  # one segment has no batch statistics
            values, wanted = recipe.prepare(training, places, standard, classes, order)
            logs = network.train_on_batch(values, wanted, return_dict=True)
            sums += len(places) * np.array([1.0, float(logs["loss"]), float(logs["accuracy"])])
        loss, accuracy = _evaluate(network, validation, standard)
        on_epoch(
            {
                "event": "epoch",
                "epoch": epoch,
                "epochs": schedule.epochs,
                "loss": sums[1] / sums[0],
                "accuracy": sums[2] / sums[0],
                "valid_loss": loss,
                "valid_accuracy": accuracy,
            }
        )
        if loss < best_loss:
            best_loss, best_epoch, best_weights = loss, epoch, network.get_weights()
        elif epoch - best_epoch >= patience:
            break
    network.set_weights(best_weights)
    return NetworkClassifier(network, standard, epoch, best_epoch, best_loss)


def shares_of(labels: Integers, classes: int) -> Floats:
    """One for the genre of each segment, shape (segments, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def _plain(
    segments: Segments, places: Integers, standard: Standard, classes: int, _order: np.random.Generator
) -> tuple[Floats, Floats]:
    return standard.apply(segments.features[places]), shares_of(segments.labels[places], classes)


def _draw(segments: Segments, batch_size: int, order: np.random.Generator) -> Integers:
    """The segments of one epoch in a random order: at most so many of each track, drawn anew."""
    drawn: list[Integers] = []
    while sum(map(len, drawn)) < max(1, FEWEST_BATCHES * batch_size):
        drawn.append(segments.drawn(DRAWN_PER_TRACK, order))
    return np.concatenate(drawn)


def _evaluate(network: Any, segments: Segments, standard: Standard) -> tuple[float, float]:
    parts = [
        np.asarray(
            network.predict_on_batch(standard.apply(segments.features[start : start + PREDICTION_BATCH]))
        )
        for start in range(0, len(segments.features), PREDICTION_BATCH)
    ]
    found = np.concatenate(parts)
    of_truth = found[np.arange(len(found)), segments.labels]
    loss = float(-np.log(np.maximum(of_truth, 1e-7)).mean())
    return loss, float((found.argmax(1) == segments.labels).mean())
