"""Ridge and logistic regression that never saw the kind it foretells, and what they gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import expit

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.rank.health_predictor.features import Column, Runs

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""Of the squared weights of standardized features; chosen inside the kinds that are learnt from."""
FAR = 3.0
"""Standard deviations at which a feature is cut off, so that no far-off kind decides."""
_NEWTON = 12

Design = Float64[np.ndarray, "runs features"]


@dataclass(frozen=True, slots=True)
class Foretold:
    """Squared errors out of sample, a row a run, and whose they are.

    Attributes:
        kind: of the set-up.
        setup: its number.
        constant: of the mean of the other kinds.
        losses: of what early losses tell.
        both: of early losses and spectra together.
        by_losses: the predictions from losses.
        by_both: those from both.
    """

    kind: np.ndarray
    setup: np.ndarray
    constant: Column
    losses: Column
    both: Column
    by_losses: Column
    by_both: Column


def foretell(runs: Runs, outcome: str, *, spectra: tuple[str, ...] | None = None) -> Foretold:
    """Foretell an outcome for every kind from all other kinds.

    Args:
        runs: what was seen and what came of it.
        outcome: its name; one of 0 and 1 is foretold by logistic regression (the errors are then
            Brier's), all else by ridge regression.
        spectra: those that are added to the losses; all if not given.
    """
    y, kinds = runs.outcome[outcome], runs.kind
    chosen = [*runs.spectra] if spectra is None else [*spectra]
    losses = np.column_stack([*runs.losses.values()])
    both = np.column_stack([losses, *(runs.spectra[name] for name in chosen)])
    constant = np.empty_like(y)
    for kind in np.unique(kinds):
        constant[kinds == kind] = y[kinds != kind].mean()
    by_losses, by_both = out_of_kind(losses, y, kinds), out_of_kind(both, y, kinds)
    constant_error, losses_error, both_error = (
        np.asarray((y - guess) ** 2) for guess in (constant, by_losses, by_both)
    )
    return Foretold(kinds, runs.setup, constant_error, losses_error, both_error, by_losses, by_both)


def out_of_kind(x: Design, y: Column, kinds: np.ndarray) -> Column:
    """The prediction of every run by what all other kinds teach."""
    found = np.empty_like(y)
    for kind in np.unique(kinds):
        out = kinds == kind
        penalty = _best_penalty(x[~out], y[~out], kinds[~out])
        found[out] = _fitted(x[~out], y[~out], x[out], penalty)
    return found


def gained(
    foretold: Foretold, *, draws: int, generator: np.random.Generator
) -> dict[str, Estimate]:
    """Skill with spectra, over that of losses alone and over a constant.

    (error of the one − error with spectra)/error of the constant, from mean squared errors. The
    standard error is that of a bootstrap over kinds and, in each, over set-ups; the interval is
    Student's with kinds − 1 degrees of freedom.
    """
    kinds = np.unique(foretold.kind)
    errors = np.column_stack([foretold.constant, foretold.losses, foretold.both])
    means = [
        np.array([errors[foretold.setup == s].mean(0) for s in np.unique(foretold.setup[mine])])
        for mine in (foretold.kind == kind for kind in kinds)
    ]
    drawn = np.empty((draws, 2))
    for number in range(draws):
        taken = generator.integers(len(kinds), size=len(kinds))
        each = [means[k][generator.integers(len(means[k]), size=len(means[k]))] for k in taken]
        drawn[number] = _skills(np.mean([rows.mean(0) for rows in each], axis=0))
    values = _skills(np.mean([rows.mean(0) for rows in means], axis=0))
    spread = drawn.std(0, ddof=1)
    return {
        name: symmetric(float(values[place]), float(spread[place]), replicas=len(kinds))
        for place, name in enumerate(("over losses alone", "over a constant"))
    }


def by_kind(foretold: Foretold) -> Mapping[str, float]:
    """The gain over losses alone on every kind, in units of the mean error of the constant."""
    scale = float(foretold.constant.mean())
    difference = (foretold.losses - foretold.both) / scale
    return {str(k): float(difference[foretold.kind == k].mean()) for k in np.unique(foretold.kind)}


def _skills(errors: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, " 2"]:
    constant, losses, both = errors
    return np.array([losses - both, constant - both]) / constant


def _best_penalty(x: Design, y: Column, kinds: np.ndarray) -> float:
    """The penalty of least squared error on kinds left out; the largest where there is one kind."""
    if len(np.unique(kinds)) < 2:
        return PENALTIES[-1]
    errors = np.zeros(len(PENALTIES))
    for kind in np.unique(kinds):
        out = kinds == kind
        for place, penalty in enumerate(PENALTIES):
            guess = _fitted(x[~out], y[~out], x[out], penalty)
            errors[place] += float(((y[out] - guess) ** 2).sum())
    return PENALTIES[int(np.argmin(errors))]


def _fitted(
    x: Design, y: Column, new: Float64[np.ndarray, "new features"], penalty: float
) -> Float64[np.ndarray, " new"]:
    """The prediction for new rows of a regression on features standardized by these."""
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    design, asked = (np.clip((a - centre) / spread, -FAR, FAR) for a in (x, new))
    design, asked = (np.column_stack([np.ones(len(a)), a]) for a in (design, asked))
    ridge = np.diag([1e-6 * len(y), *[penalty] * x.shape[1]])
    if not np.isin(y, (0.0, 1.0)).all():
        weights = np.linalg.solve(design.T @ design + ridge, design.T @ (y - y.mean()))
        return np.asarray(y.mean() + asked @ weights)
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON):
        p = expit(design @ weights)
        slope = design.T @ (y - p) - ridge @ weights
        curvature = (design * (p * (1 - p))[:, None]).T @ design + ridge
        weights = weights + np.linalg.solve(curvature, slope)
    return np.asarray(expit(asked @ weights))
