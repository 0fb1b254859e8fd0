"""Ranks of the gradient's signal, where replicas show how large its noise is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from spectrain.answers.noise.samples import read_energies
from spectrain.core import Block, Source
from spectrain.noise.denoised import denoised
from spectrain.records import Run

AGREES = 2.0
"""Factor within which ‖S‖_F² of the corrected spectrum and of the replicas must agree.

The correction assumes white noise; where it is not, its large directions pass for signal and the
energies disagree.
"""


def read_denoised(run: Run, blocks: Sequence[Block]) -> Mapping[str, pl.DataFrame]:
    """Nuclear and effective rank of the signal, by block, where they can be estimated.

    σ of the recorded gradient G, the mean of R replicas, are corrected for white noise of the
    variance that the replicas give, s² = ‖G‖_F² · (N/R)/(P + N/R)/(mn), where P is the energy of
    the signal and N that of the noise of one replica (:func:`spectrain.noise.denoised.denoised`).

    Returns:
        By block a frame with columns step, nuclear_rank (‖S‖_*²/‖S‖_F²) and effective_rank
        (exp H(σ)), by step. A block is missing where it has no replicas, where its whole spectrum
        is not recorded, or where its noise is not white (:data:`AGREES`).
    """
    energies = read_energies(run).filter(pl.col("block").is_not_null())
    if energies.is_empty():
        return {}
    shapes = {block.name: block.shape for block in blocks if not block.view.diagonal}
    spectra = run.spectra(source=Source.GRADIENT, block=list(shapes)).filter(
        pl.col("reason").is_null(), pl.col("rank") == pl.col("rank").min()
    )
    joined = spectra.join(energies, on=["block", "step"]).sort("step")
    by_block = {}
    for (name,), rows in joined.group_by("block", maintain_order=True):
        ranks = _signal_ranks(rows, shapes[str(name)])
        if ranks is not None:
            by_block[str(name)] = ranks
    return by_block


def _signal_ranks(rows: pl.DataFrame, shape: tuple[int, int]) -> pl.DataFrame | None:
    ranks, energies, expected = [], [], []
    wanted = rows.select("step", "values", "signal_power", "noise_power", "replicas")
    for step, values, signal_power, noise_power, replicas in wanted.iter_rows():
        noise = noise_power / replicas
        whole = signal_power + noise  # ‖ḡ‖_F², up to the scale at which the optimizer sees it
        if len(values) != min(shape) or whole <= 0:
            continue
        sigma = np.asarray(values, dtype=np.float64)
        energy = float(sigma @ sigma)
        variance = noise / whole * energy / (shape[0] * shape[1])
        signal = denoised(sigma, shape, variance)
        energies.append(float(signal @ signal) / energy)
        expected.append(signal_power / whole)
        if signal.any():
            ranks.append((step, *_ranks(signal[signal > 0])))
    if not ranks or not 1 / AGREES <= np.mean(energies) / max(np.mean(expected), 1e-9) <= AGREES:
        return None
    names = ("step", "nuclear_rank", "effective_rank")
    return pl.DataFrame(ranks, schema=names, orient="row")


def _ranks(signal: np.ndarray) -> tuple[float, float]:
    p = signal / signal.sum()
    return float(signal.sum() ** 2 / (signal @ signal)), float(np.exp(-(p * np.log(p)).sum()))
