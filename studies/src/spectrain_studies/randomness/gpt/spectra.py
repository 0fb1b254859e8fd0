"""What is read out of the spectra of attention heads: bulk, tail, spacings."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain.rmt import MarchenkoPasturFit, fit_marchenko_pastur, spacing_ratios
from spectrain_studies.frame import Results
from spectrain_studies.randomness.gpt.experiment import ROLES


def heads(results: Results, reading: int, role: str, layer: int | None = None) -> np.ndarray:
    """Spectra of all heads and seeds, one a row."""
    chosen = [result["levels"][reading, ROLES.index(role)] for result in results]
    picked = [levels if layer is None else levels[layer : layer + 1] for levels in chosen]
    return np.concatenate([levels.reshape(-1, levels.shape[-1]) for levels in picked])


def fit(spectra: np.ndarray, rows: int, replicates: int) -> MarchenkoPasturFit:
    """Area and width of the bulk, from all heads together."""
    return _fit(spectra.tobytes(), spectra.shape, rows, replicates)


@lru_cache(maxsize=512)
def _fit(content: bytes, shape: tuple[int, int], rows: int, replicates: int) -> MarchenkoPasturFit:
    return fit_marchenko_pastur(
        np.frombuffer(content).reshape(shape),
        (rows, shape[1]),
        generator=torch.Generator().manual_seed(0),
        replicates=replicates,
    )


def unfolded_spacings(spectra: np.ndarray) -> np.ndarray:
    """Spacings of every head in units of their mean there, unfolded by the other heads.

    uᵢ = n F(xᵢ) with F the distribution of all heads' levels, smoothed by a straight line over as
    many neighbours as a head has levels.
    """
    pooled = np.sort(spectra.ravel())
    window = spectra.shape[1]
    rank = (np.arange(pooled.size) + 0.5) / pooled.size
    kernel = np.ones(window) / window
    smooth_x = np.convolve(pooled, kernel, mode="valid")
    smooth_rank = np.convolve(rank, kernel, mode="valid")
    inside = (spectra >= smooth_x[0]) & (spectra <= smooth_x[-1])
    u = np.interp(spectra, smooth_x, smooth_rank) * window
    spacing = np.diff(np.sort(u, axis=-1), axis=-1)
    kept = spacing[inside[:, 1:] & inside[:, :-1]]
    return np.asarray(kept / kept.mean())


def mean_ratio(spectra: np.ndarray) -> Estimate:
    """⟨r⟩ of consecutive spacings, over heads."""
    return mean_estimate(torch.from_numpy(spacing_ratios(spectra).mean(-1)))
