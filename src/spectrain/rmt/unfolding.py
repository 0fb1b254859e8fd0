"""Unfolding: spectra rescaled to unit mean spacing, so that fluctuations can be compared."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import Array, Law, finite_sample


def unfold(levels: Float[Array, "*matrices n"], law: Law) -> Float[Array, "*matrices n"]:
    """Levels of unit mean spacing: uᵢ = n F(xᵢ)/F(∞), xᵢ ascending, with a fitted smooth law.

    Args:
        levels: spectra, in any order.
        law: the smooth density, such as a fitted :class:`~spectrain.rmt.MarchenkoPastur`.

    Raises:
        InputError: no level, or one that is not finite.

    Source: Bohigas, Giannoni & Schmit (1984).

    Example:
        >>> import torch
        >>> from spectrain.rmt import MarchenkoPastur
        >>> law, generator = MarchenkoPastur(0.25), torch.Generator().manual_seed(0)
        >>> unfolded = unfold(law.sample(20, size=100, generator=generator), law)
        >>> round(float(np.diff(unfolded).mean()), 2)
        1.0
    """
    values = np.sort(finite_sample("levels", levels), axis=-1)
    total = law.distribution(law.edges[1])
    return np.asarray(values.shape[-1] * law.distribution(values) / total)


def local_spacings(
    levels: Float[Array, "*matrices n"], *, neighbours: int = 10
) -> Float[Array, "*matrices kept"]:
    """Spacings divided by the mean of those around them, for spectra of unknown density.

    sᵢ = Sᵢ/mean(S_{i−h}, …, S_{i+h}), 2h = ``neighbours``; the first and last h are dropped. The
    mean has s itself in it, which narrows the law of s: its variance by about 1/h.

    Args:
        levels: spectra, in any order.
        neighbours: number of other spacings in the mean, even.

    Raises:
        InputError: an odd number of neighbours or none, fewer than neighbours + 2 levels, a value
            that is not finite, or neighbours + 2 equal levels.

    Source: Haake, Quantum Signatures of Chaos, §4.8.

    Example:
        >>> local_spacings(np.array([0.0, 1.0, 2.0, 4.0]), neighbours=2)
        array([0.75])
    """
    if neighbours < 2 or neighbours % 2:
        raise InputError(f"neighbours is {neighbours}", remedy="pass an even number from 2 on")
    values = np.sort(finite_sample("levels", levels), axis=-1)
    if values.shape[-1] < neighbours + 2:
        raise InputError(
            f"{values.shape[-1]} levels for {neighbours} neighbours",
            remedy="pass more levels or fewer neighbours",
        )
    span = values[..., neighbours + 1 :] - values[..., : -neighbours - 1]
    if not (span > 0).all():
        raise InputError("too many levels are equal", remedy="drop degenerate levels first")
    half = neighbours // 2
    spacings = np.diff(values, axis=-1)[..., half:-half]
    return np.asarray(spacings * (neighbours + 1) / span)
