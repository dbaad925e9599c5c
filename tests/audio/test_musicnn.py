"""The networks in numpy against their authors' own graph in TensorFlow; the spectrogram against librosa."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from assistant.audio import musicnn
from assistant.audio.checkpoint import read_checkpoint
from assistant.audio.musicnn import (
    FEATURES,
    HOP,
    MELS,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    RATE,
    TAGS,
    listen,
    log_mel,
)
from assistant.errors import MusicHelperError


def music(seconds: float) -> np.ndarray:
    """Chords with a beat, so that every filter has something to do."""
    time = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(3)
    sound = sum(np.sin(2 * np.pi * f * time) / f * 200 for f in (110, 277, 330, 880, 2500))
    sound = sound * (1 + np.sin(2 * np.pi * 2 * time)) + rng.normal(size=len(time)) * (time % 0.5 < 0.05)
    return (0.1 * np.asarray(sound)).astype(np.float32)


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    sound = music(9)
    return np.stack([log_mel(sound[start : start + PATCH_SAMPLES]) for start in (0, RATE * 3, RATE * 5)])


def test_the_spectrogram_is_librosas(patches: np.ndarray) -> None:
    import librosa

    sound = music(9)[:PATCH_SAMPLES]
    mel = librosa.feature.melspectrogram(y=sound, sr=RATE, n_fft=512, hop_length=HOP, n_mels=MELS).T
    expected = np.log10(10000 * mel.astype(np.float16).astype(np.float32) + 1)
    assert patches.shape == (3, PATCH_FRAMES, MELS)
    np.testing.assert_allclose(patches[0], expected, atol=2e-3)


@pytest.fixture(scope="module")
def other_process() -> Iterator[ProcessPoolExecutor]:
    """For TensorFlow: PyTorch may crash in a process that has it loaded."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("model", ["MTT", "MSD"])
def test_the_network_is_its_authors(
    model: musicnn.Model, patches: np.ndarray, other_process: ProcessPoolExecutor
) -> None:
    heard = listen(patches, model)
    tags, features = other_process.submit(of_tensorflow, model, patches).result()
    assert heard.tags.shape == (3, len(TAGS[model]))
    assert heard.features.shape == (3, FEATURES)
    np.testing.assert_allclose(heard.tags, tags, atol=1e-5)
    np.testing.assert_allclose(heard.features, features, atol=1e-3, rtol=1e-3)


def of_tensorflow(model: str, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the graph that the package carries beside its weights; the variables are put in as constants."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    folder = musicnn.weights_folder()
    assert folder is not None
    folder = folder / f"{model}_musicnn"
    stored = tf.compat.v1.MetaGraphDef()
    stored.ParseFromString((folder / ".meta").read_bytes())
    output, layer = "model/dense_1/BiasAdd", "model/batch_normalization_10/batchnorm/add_1"
    whole = stored.graph_def
    graph = tf.compat.v1.graph_util.extract_sub_graph(whole, [output, layer])
    checkpoint = tf.compat.v1.train.NewCheckpointReader(f"{folder}/")
    reads, feeds = {}, []
    with tf.Graph().as_default() as fresh:
        for node in graph.node:
            node.attr.pop("_output_shapes", None)
            if node.op in ("VariableV2", "Variable"):
                name = node.name.removeprefix("model/")
                reads[f"{node.name}/read:0"] = tf.constant(checkpoint.get_tensor(name))
            elif node.op == "Placeholder":
                feeds.append(f"{node.name}:0")
        tf.import_graph_def(graph, input_map=reads, name="")
        sound, training = sorted(feeds, key=lambda name: fresh.get_tensor_by_name(name).dtype == tf.bool)
        with tf.compat.v1.Session(graph=fresh) as session:
            logits, features = session.run([f"{output}:0", f"{layer}:0"], {sound: patches, training: False})
    return 1 / (1 + np.exp(-logits)), features


def test_a_damaged_checkpoint_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "MTT_musicnn"
    folder.mkdir()
    (folder / ".index").write_bytes(b"\0" * 100)
    (folder / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="table"):
        read_checkpoint(folder)
    monkeypatch.setattr(musicnn, "weights_folder", lambda: tmp_path)
    musicnn._network.cache_clear()
    with pytest.raises(MusicHelperError, match="cannot be read"):
        listen(np.zeros((1, PATCH_FRAMES, MELS), np.float32), "MTT")
    monkeypatch.setattr(musicnn, "weights_folder", lambda: None)
    with pytest.raises(MusicHelperError, match="not installed"):
        listen(np.zeros((1, PATCH_FRAMES, MELS), np.float32), "MTT")
