from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from assistant.library.library import Library
from assistant.musicgen.adam8bit import AdamW8bit, quantized, restored
from assistant.musicgen.optimizer import BETAS
from tests.musicgen.finetunes import go, of, spec, stop_after, weights

SETTINGS = {"lr": 3e-3, "betas": BETAS, "weight_decay": 0.1}


def problem() -> tuple[torch.nn.Module, Iterator[torch.Tensor]]:
    """A network, and its loss on new data again and again; gradients of very different sizes."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.GELU(), torch.nn.Linear(128, 64))
    teacher = torch.nn.Linear(64, 64)

    def losses() -> Iterator[torch.Tensor]:
        chooser = torch.Generator().manual_seed(1)
        while True:
            x = torch.randn(32, 64, generator=chooser) * torch.logspace(-2, 1, 64)
            yield (network(x) - teacher(x).detach()).square().mean()

    return network, losses()


def train(kind: type[torch.optim.Optimizer], steps: int) -> tuple[torch.Tensor, float, torch.optim.Optimizer]:
    """The weights after these steps in a row, the mean of the last losses, and the optimizer."""
    network, losses = problem()
    optimizer = kind(network.parameters(), **SETTINGS)  # type: ignore[arg-type]
    seen = []
    for _step, loss in zip(range(steps), losses, strict=False):
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(float(loss.detach()))
    return (
        torch.cat([one.detach().flatten() for one in network.parameters()]),
        sum(seen[-20:]) / 20,
        optimizer,
    )


def test_it_goes_the_way_of_adamw() -> None:
    start, _loss, _optimizer = train(AdamW8bit, 0)
    there, loss, _optimizer = train(torch.optim.AdamW, 200)
    found, found_loss, optimizer = train(AdamW8bit, 200)
    assert float((found - there).norm()) < 0.1 * float((there - start).norm())
    assert abs(found_loss - loss) < 0.05 * loss
    state = next(iter(optimizer.state.values()))
    kept = sum(value.numel() * value.element_size() for name, value in state.items() if name != "step")
    assert kept < 2.1 * 64 * 128


def test_moments_come_back_near_what_they_were() -> None:
    torch.manual_seed(0)
    values = torch.randn(1000) * torch.logspace(-4, 0, 1000)
    for signed, exact in ((True, values), (False, values.square())):
        codes, scales = quantized(exact, signed=signed)
        back = restored(codes, scales, exact.shape, signed=signed)
        assert codes.element_size() == 1
        assert float((back - exact).norm()) < 0.02 * float(exact.norm())
    tiny = torch.tensor([1.0, 1e-30, 0.0])
    codes, scales = quantized(tiny, signed=False)
    assert (restored(codes, scales, tiny.shape, signed=False) > 0).tolist() == [True, True, False]


def test_its_state_can_be_taken_up_again() -> None:
    straight, _loss, _optimizer = train(AdamW8bit, 30)
    network, losses = problem()
    optimizer = AdamW8bit(network.parameters(), **SETTINGS)  # type: ignore[arg-type]
    for step, loss in zip(range(30), losses, strict=False):
        if step == 15:
            kept = copy.deepcopy(optimizer.state_dict())
            optimizer = AdamW8bit(network.parameters(), **SETTINGS)  # type: ignore[arg-type]
            optimizer.load_state_dict(kept)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert torch.equal(torch.cat([one.detach().flatten() for one in network.parameters()]), straight)


def test_a_fine_tune_with_it_can_be_stopped_and_goes_on_exactly(music_and_model: Library) -> None:
    library = music_and_model
    wanted = {"optimizer": "adamw8bit", "validate_every": 0}
    straight = go(library, spec("eight", **wanted), "run-eight")
    go(library, spec("eight-parts", **wanted), "run-eight-parts", stop_after(3))
    second = go(library, spec("eight-parts", **wanted), "run-eight-parts")
    assert [e["loss"] for e in of(straight, "step")][3:] == [e["loss"] for e in of(second, "step")]
    a, b = weights(library, "eight"), weights(library, "eight-parts")
    assert all(torch.equal(a[key], b[key]) for key in a)
