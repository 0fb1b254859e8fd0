"""The study and what its claims share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from spectrain.noise import Estimate
from spectrain.noise.estimate import fieller, mean_estimate
from spectrain_studies.frame import Results, Study
from spectrain_studies.noise.config import SCALES, THINNED, Config

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


def column(results: Results, name: str) -> np.ndarray:
    """A number of every result."""
    return np.array([float(result[name]) for result in results])
