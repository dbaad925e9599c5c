"""The convolutional network on MFCC segments, in Keras on TensorFlow. For a worker process only.

Four blocks of convolution, pooling and batch normalisation with 64, 32, 32 and 16 channels, a dense
layer of 64, dropout 0.3 and a softmax; AdamW. Weights are plain arrays in safetensors; the network is
always built here in code, so that no foreign model file is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assistant.classify.features import COEFFICIENTS, frames_per_segment
from assistant.errors import FileError
from assistant.i18n import _

Floats = npt.NDArray[np.float32]

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


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation of each coefficient over the training part, shape (13,)."""

    mean: Floats
    deviation: Floats

    def apply(self, features: npt.NDArray[Any]) -> Floats:
        """Features (…, coefficients, 1) with mean 0 and deviation 1 for each coefficient."""
        values = features.astype(np.float32)
        return (values - self.mean[:, np.newaxis]) / self.deviation[:, np.newaxis]


@dataclass(frozen=True)
class Segments:
    """Features in a memory-mapped file, shape (segments, frames, coefficients, 1)."""

    features: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.int64]
    """The track that each segment is of."""


@dataclass(frozen=True)
class Fit:
    """A trained network with how it went."""

    network: Any
    epochs: int
    best_epoch: int
    valid_loss: float


def measure_standard(segments: Segments) -> Standard:
    """Mean and deviation over all windows, taken in blocks."""
    count = 0
    total = np.zeros(COEFFICIENTS)
    squares = np.zeros(COEFFICIENTS)
    for start in range(0, len(segments.features), PREDICTION_BATCH):
        block = (
            segments.features[start : start + PREDICTION_BATCH].reshape(-1, COEFFICIENTS).astype(np.float64)
        )
        count += len(block)
        total += block.sum(0)
        squares += (block**2).sum(0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return Standard(mean.astype(np.float32), np.maximum(deviation, 1e-3).astype(np.float32))


def build(classes: int, segment_seconds: float) -> Any:
    """The network, with fresh weights; input (frames, coefficients, 1), output probabilities."""
    import keras

    # What the person may have set in keras.json is not meant for us.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    layers = keras.layers
    network = keras.Sequential([keras.Input((frames_per_segment(segment_seconds), COEFFICIENTS, 1))])
    for number, channels in enumerate(CHANNELS):
        size = 2 if number == len(CHANNELS) - 1 else 3
        network.add(layers.Conv2D(channels, size, activation="relu", padding="same"))
        network.add(layers.MaxPooling2D(size, strides=2, padding="same"))
        network.add(layers.BatchNormalization(momentum=BATCH_MOMENTUM))
    network.add(layers.Flatten())
    network.add(layers.Dense(64, activation="relu"))
    network.add(layers.Dropout(0.3))
    network.add(layers.Dense(classes, activation="softmax"))
    return network


def fit(
    training: Segments,
    validation: Segments,
    standard: Standard,
    *,
    classes: int,
    segment_seconds: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    on_epoch: Callable[[dict[str, Any]], None],
) -> Fit:
    """Train, and keep the weights of the epoch with the least validation loss."""
    import keras

    keras.utils.set_random_seed(seed)
    order = np.random.default_rng(seed)
    network = build(classes, segment_seconds)
    network.compile(
        optimizer=keras.optimizers.AdamW(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than it saves on a CPU
    )
    best_loss, best_epoch, best_weights = float("inf"), 0, network.get_weights()
    patience = max(5, round(epochs * PATIENCE_SHARE))
    epoch = 0
    for epoch in range(1, epochs + 1):
        shuffled = _draw(training, batch_size, order)
        sums = np.zeros(3)
        for start in range(0, len(shuffled), batch_size):
            chosen = np.sort(shuffled[start : start + batch_size])
            if len(chosen) == 1 and len(shuffled) > 1:
                continue  # one segment has no batch statistics
            logs = network.train_on_batch(
                standard.apply(training.features[chosen]), training.labels[chosen], return_dict=True
            )
            sums += len(chosen) * np.array([1.0, float(logs["loss"]), float(logs["accuracy"])])
        loss, accuracy = _evaluate(network, validation, standard)
        on_epoch(
            {
                "event": "epoch",
                "epoch": epoch,
                "epochs": epochs,
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
    return Fit(network, epoch, best_epoch, best_loss)


def _draw(segments: Segments, batch_size: int, order: np.random.Generator) -> npt.NDArray[np.int64]:
    """The segments of one epoch in a random order: at most so many of each track, drawn anew."""
    chosen: list[npt.NDArray[np.int64]] = []
    while sum(map(len, chosen)) < max(1, FEWEST_BATCHES * batch_size):
        shuffled = order.permutation(len(segments.tracks))
        tracks = segments.tracks[shuffled]
        by_track = np.argsort(tracks, kind="stable")
        rank = np.empty(len(tracks), dtype=np.int64)
        rank[by_track] = np.arange(len(tracks)) - np.searchsorted(tracks[by_track], tracks[by_track])
        chosen.append(shuffled[rank < DRAWN_PER_TRACK])
    return np.concatenate(chosen)


def probabilities(network: Any, features: npt.NDArray[Any], standard: Standard) -> Floats:
    """Probabilities of segments, shape (segments, genres)."""
    parts = [
        np.asarray(network.predict_on_batch(standard.apply(features[start : start + PREDICTION_BATCH])))
        for start in range(0, len(features), PREDICTION_BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def _evaluate(network: Any, segments: Segments, standard: Standard) -> tuple[float, float]:
    found = probabilities(network, segments.features, standard)
    of_truth = found[np.arange(len(found)), segments.labels]
    loss = float(-np.log(np.maximum(of_truth, 1e-7)).mean())
    return loss, float((found.argmax(1) == segments.labels).mean())


def save_weights(network: Any, standard: Standard, path: Path) -> None:
    """Write weights and standardisation as safetensors."""
    from safetensors.numpy import save_file

    arrays = {"mean": standard.mean, "deviation": standard.deviation}
    for index, array in enumerate(network.get_weights()):
        arrays[f"weight.{index:03d}"] = np.ascontiguousarray(array)
    save_file(arrays, path)


def load_weights(path: Path, classes: int, segment_seconds: float) -> tuple[Any, Standard]:
    """The network and standardisation of `save_weights`. Raises `FileError` for anything else."""
    from safetensors.numpy import load_file

    network = build(classes, segment_seconds)
    try:
        arrays = load_file(path)
        standard = Standard(arrays.pop("mean"), arrays.pop("deviation"))
        network.set_weights([arrays[name] for name in sorted(arrays)])
    except Exception as error:  # safetensors has its own kinds of errors for damage
        raise FileError(
            path,
            _("The classifier {path} cannot be read: {reason}.").format(path=path, reason=error),
            _("Train the classifier again."),
        ) from error
    return network, standard
