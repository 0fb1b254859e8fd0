"""The study and what its claims share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from spectrain.noise import Estimate
from spectrain.noise.estimate import fieller, mean_estimate
from spectrain.studies.frame import Results, Study
from spectrain.studies.noise.config import SCALES, THINNED, Config

DOCUMENT = "“Multiplicative noise model for minibatch gradients”"
SETUP, ADDITIVE, MODEL = "Setup", "Additive noise baseline", "Left–right multiplicative noise model"
BASIS, VECTORS = "Working in the SVD basis", "Effect on singular vectors"
ECHO, COORDINATES = "Connection to spectral echo", "Reparameterization invariance"
OBSERVABLES = "Empirical observables"
REFERENCE = "reference implementation of spectral echo"

STUDY: Study[Config] = Study(
    "noise",
    title="Is the noise of minibatch gradients multiplicative, and what does it do to directions?",
    document=DOCUMENT,
    scales=SCALES,
    thinned=THINNED,
)


def over_seeds(values: Sequence[float] | ArrayLike) -> Estimate:
    """Mean over independent seeds with its 90 % t interval; those that are NaN are left out.

    Example:
        >>> over_seeds([1.0, 3.0, float("nan")]).value
        2.0
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    return mean_estimate(torch.from_numpy(x))


def ratio(over: Sequence[float] | ArrayLike, under: Sequence[float] | ArrayLike) -> Estimate:
    """Ratio of two averages over seeds with Fieller's interval.

    Example:
        >>> ratio([1.0, 2.0, 3.0], [2.0, 4.1, 6.0]).covers(0.5)
        True
    """
    pairs = np.stack([np.asarray(over, dtype=float), np.asarray(under, dtype=float)])
    count = pairs.shape[1]
    if count < 2:
        return Estimate.missing("fewer than 2 seeds", replicas=count)
    means = pairs.mean(1)
    return fieller(
        float(means[0]), float(means[1]), torch.from_numpy(np.cov(pairs) / count), replicas=count
    )


def share(flags: Sequence[bool] | ArrayLike) -> Estimate:
    """A share with Wilson's 90 % interval.

    Example:
        >>> estimate = share([True] * 19 + [False])
        >>> estimate.value, round(estimate.low, 2)
        (0.95, 0.8)
    """
    x = np.asarray(flags, dtype=bool).ravel()
    count = len(x)
    if count < 1:
        return Estimate.missing("no case", replicas=0)
    p, z2 = float(x.mean()), 1.6449**2
    centre = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (p * (1 - p) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return Estimate(p, math.sqrt(p * (1 - p) / count), centre - half, centre + half, count)


def column(results: Results, name: str) -> np.ndarray:
    """A number of every result."""
    return np.array([float(result[name]) for result in results])
