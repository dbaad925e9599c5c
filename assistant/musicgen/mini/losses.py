"""How far a codec's sound is from the original: spectra of several window lengths, and the waveform."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor

FLOOR = 1e-3
"""Of a mel band's amplitude: what is softer than about -60 dB is not worth a code."""
_SCALES = ((128, 12), (512, 48), (1024, 64), (2048, 80))


class Distance:
    """Mean absolute differences of log-mel spectrograms and of waveforms."""

    def __init__(self, rate: int, device: torch.device) -> None:
        self._windows = {n: torch.hann_window(n, device=device) for n, _mels in _SCALES}
        self._banks = {
            n: torchaudio.functional.melscale_fbanks(n // 2 + 1, 30.0, rate / 2, mels, rate).to(device)
            for n, mels in _SCALES
        }

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of `[batch, samples]` waveforms: the spectral distance, and that of the waveforms relative to `y`'s
        own mean size."""
        spectral = x.new_zeros(())
        for n, _mels in _SCALES:
            spectral = spectral + (self._log_mel(x, n) - self._log_mel(y, n)).abs().mean()
        size = y.abs().mean(1, keepdim=True).clamp(min=FLOOR)
        return spectral / len(_SCALES), ((x - y).abs() / size).mean()

    def _log_mel(self, x: Tensor, n: int) -> Tensor:
        spectrum = torch.stft(x, n, n // 4, window=self._windows[n], return_complex=True)
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9) * (4 / n)  # 1 for a full sine
        return torch.log(torch.einsum("bft,fm->bmt", magnitude, self._banks[n]) + FLOOR)
