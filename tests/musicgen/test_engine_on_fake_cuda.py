"""What a CUDA graph captures, on tensors that only claim to be on a GPU: this needs none.

Under torch's `FakeTensorMode` operations compute shapes, number types and devices. A tensor on another device
than its partners, a number that the host would have to wait for, and a shape that depends on data are errors.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorDeviceMismatchError,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from assistant.errors import MusicHelperError
from assistant.musicgen.engine.codec import PiecewiseDecoder, fold_norms
from assistant.musicgen.engine.conditioning import Condition
from assistant.musicgen.engine.decoder import Decoder, Window, steps_of
from assistant.musicgen.engine.sampler import Sampling
from assistant.musicgen.engine.weights import pack_weights
from tests.musicgen.engines import MONO, STEREO, codec, language_model, melody_model, packed

CARD, DIM, HEADS = 2048, 1024, 16  # of MusicGen small
FRAMES, GIVEN, BUCKET = 300, 40, 256


class OnlyOnTheDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses each operation that touches a tensor elsewhere, and writes down what was allocated."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    def __torch_dispatch__(
        self, operation: Any, _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = operation(*args, **(kwargs or {}))
        for one in tree_leaves((args, kwargs, found)):
            if isinstance(one, Tensor):
                assert one.device.type == "cuda", f"{operation} touches a tensor on {one.device}"
        self.operations += 1
        return found


@pytest.fixture(scope="module")
def fake() -> FakeTensorMode:
    return FakeTensorMode()


@pytest.fixture(scope="module")
def models(fake: FakeTensorMode) -> dict[str, Any]:
    """In the shape of MusicGen small and its kin, with two of their layers, which are all alike."""
    quickly: dict[str, Any] = {"weight_init": None, "depthwise_init": None, "zero_bias_init": False}
    shape: dict[str, Any] = {"dim": DIM, "layers": 2, "card": CARD, "heads": HEADS, **quickly}
    every = {
        "mono": language_model(MONO, **shape),
        "stereo": language_model(STEREO, **shape),
        "melody": melody_model(spread=False, dim=DIM, num_heads=HEADS, num_layers=2, card=CARD, **quickly),
    }
    return {name: on_cuda(fake, lm) for name, lm in every.items()}


@pytest.fixture(scope="module")
def narrow() -> dict[str, Any]:
    """The same for a CPU, but narrow."""
    return {
        "mono": language_model(MONO, card=CARD),
        "stereo": language_model(STEREO, card=CARD),
        "melody": melody_model(card=CARD),
    }


def on_cuda(fake: FakeTensorMode, module: Any) -> Any:
    """The module with weights that claim to be on a GPU."""
    for part in module.modules():
        for kept in (part._parameters, part._buffers):
            for name, one in kept.items():
                if one is not None:
                    claims = fake.from_tensor(one.detach())
                    with fake:
                        moved = claims.to("cuda")
                        kept[name] = torch.nn.Parameter(moved, False) if kept is part._parameters else moved
    return module


def decoder(weights: Any, clips: int, words: int, prefix: int, sampling: Sampling, two_step: bool) -> Decoder:
    """One for clips of which the last hears no words."""
    device, dim, codebooks = weights.device, weights.dim, weights.codebooks
    conditions = []
    for number in range(clips):
        silent = number == clips - 1 and clips > 1
        conditions.append(
            Condition(
                None if silent or not words else torch.zeros((words + number, dim), device=device),
                torch.zeros((2, prefix, dim), device=device),
                not silent,
            )
        )
    uniforms = torch.zeros((steps_of(FRAMES, weights), clips, codebooks))
    window = Window(FRAMES, torch.zeros((clips, codebooks, GIVEN), dtype=torch.long), uniforms)
    return Decoder(weights, conditions, window, sampling, two_step=two_step, graphs=False)


def stepped(made: Decoder, attended: int | None) -> list[tuple[Any, ...]]:
    """Shapes and number types of a step's logits, the sequence and its frames; on the GPU by what is captured
    for a bucket of so many places."""
    heard: list[Tensor] = []
    mixed = made._mixed
    made._mixed = lambda logits: heard.append(mixed(logits)) or heard[-1]  # type: ignore
    if attended is None:
        next(made.run(1))
    else:
        with OnlyOnTheDevice() as seen:
            made.step_in_bucket(attended)
        assert seen.operations > 50
    return [(tuple(one.shape), one.dtype) for one in (heard[0], made.sequence, made.frames(0, 20))]


KINDS = {
    "text": ("mono", 9, 0, 1),
    "batch": ("mono", 9, 0, 3),
    "stereo": ("stereo", 9, 0, 1),
    "melody": ("melody", 0, 240, 2),
    "unconditional": ("mono", 0, 0, 1),
}
UNGUIDED, GREEDY, TOP_P = Sampling(guidance=1.0), Sampling(temperature=0.0), Sampling(top_p=0.9)


@pytest.mark.parametrize(
    ("kind", "precision", "sampling", "two_step"),
    [
        *((kind, precision, Sampling(), False) for kind in KINDS for precision in ("float16", "int8")),
        ("batch", "float16", UNGUIDED, False),
        ("text", "int8", UNGUIDED, False),
        ("batch", "float16", GREEDY, False),
        ("batch", "float16", TOP_P, True),
    ],
)
def test_a_captured_step_stays_on_the_device(
    fake: FakeTensorMode,
    models: dict[str, Any],
    narrow: dict[str, Any],
    kind: str,
    precision: str,
    sampling: Sampling,
    two_step: bool,
) -> None:
    model, words, prefix, clips = KINDS[kind]
    try:
        with fake:
            weights = pack_weights(models[model], precision)
    except MusicHelperError:
        pytest.skip("this torch has no 8-bit products for CUDA")
    assert weights.device.type == "cuda"
    assert not weights.alone
    with fake, torch.no_grad():
        made = decoder(weights, clips, words, prefix, sampling, two_step)
        found = stepped(made, prefix + BUCKET)
    on_cpu = packed(narrow[model], precision)
    with torch.no_grad():
        made = decoder(on_cpu, clips, words, prefix, sampling, two_step)
        assert found == stepped(made, None)
    assert found[0] == ((clips, weights.codebooks, CARD), torch.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_codec_decodes_on_the_device(fake: FakeTensorMode, channels: int) -> None:
    """All but its recurrent layers, which are cuDNN's."""
    model = on_cuda(fake, codec(channels, lstm=0))
    with fake, torch.no_grad():
        fold_norms(model)
        made = PiecewiseDecoder(model)
        heard = 0
        for number in range(3):
            codes = torch.zeros((4 * channels, 50), dtype=torch.long, device="cuda")
            sound = made.decode(codes, last=number == 2)
            assert sound.device.type == "cpu"
            assert sound.shape[0] == channels
            heard += sound.shape[1]
        assert heard == 150 * 640


def test_what_a_graph_may_not_do_is_seen(fake: FakeTensorMode) -> None:
    with fake:
        there, here = torch.zeros(3, device="cuda"), torch.zeros(3)
        with pytest.raises(FakeTensorDeviceMismatchError):
            there + here
        for waits in (lambda: there.sum().item(), lambda: there[there > 0], lambda: bool(there.any())):
            with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
                waits()
        with OnlyOnTheDevice(), pytest.raises(AssertionError, match="touches a tensor on cpu"):
            there.cpu()
