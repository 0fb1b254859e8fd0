"""“Gradient health”: whether an early spectral measure tells how learning will go on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata

from spectrain_studies.frame import Result, Results
from spectrain_studies.rank.statistics import measured

EARLY = 2
"""Number of the sample at which the prediction is made (of those that :class:`Training` names)."""

SHRINKAGE = 1.0
"""Ridge penalty on standardised ranks."""

HEALTH = (
    ("gradient", "effective_rank"),
    ("gradient", "nuclear_rank"),
    ("gradient", "stable_rank"),
    ("gradient", "top1_mass"),
    ("momentum", "effective_rank"),
    ("update", "effective_rank"),
    ("update", "stable_rank"),
)
"""The measures that are tried, each of the median hidden matrix."""

LOSSES = ("held-out loss", "fall of it so far")
Column = Float64[np.ndarray, " runs"]


def collect(results: Results, model: str) -> tuple[dict[str, Column], Column, np.ndarray]:
    """Early features, later progress, and the arm, of every run on a model.

    Progress is the held-out loss at the prediction minus that at the end. Runs that diverged are
    left out.
    """
    rows: dict[str, list[np.ndarray]] = {}
    progress, arms = [], []
    for result in results.where(model=model):
        held_out = np.asarray(result["held_out"], dtype=np.float64)
        kept = np.isfinite(held_out).all(0)
        for name, values in _features(result).items():
            rows.setdefault(name, []).append(values[kept])
        progress.append((held_out[EARLY] - held_out[-1])[kept])
        arms.append(np.full(kept.sum(), result.case.arm))
    features = {name: np.concatenate(parts) for name, parts in rows.items()}
    return features, np.concatenate(progress), np.concatenate(arms)


def skill(
    features: Mapping[str, Column], target: Column, arms: np.ndarray
) -> Float64[np.ndarray, " arms"]:
    """1 − squared error over variance of predicting an arm left out, one value an arm.

    Features and target enter as ranks, so that no single arm decides; the prediction is ridge
    regression on the runs of all other arms.
    """
    x = np.column_stack([_standard(column) for column in features.values()])
    y = _standard(target)
    errors = np.empty_like(y)
    for arm in np.unique(arms):
        out = arms == arm
        design, aim = x[~out], y[~out]
        centre, level = design.mean(0), aim.mean()
        gram = (design - centre).T @ (design - centre) + SHRINKAGE * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, (design - centre).T @ (aim - level))
        errors[out] = y[out] - level - (x[out] - centre) @ weights
    names = np.unique(arms)
    return np.array([1 - np.mean(errors[arms == name] ** 2) / np.mean(y**2) for name in names])


def _features(result: Result) -> dict[str, np.ndarray]:
    held_out = np.asarray(result["held_out"], dtype=np.float64)
    found = {LOSSES[0]: held_out[EARLY], LOSSES[1]: held_out[0] - held_out[EARLY]}
    hidden = np.asarray(result["hidden"], dtype=bool)
    full = np.asarray(result["full"], dtype=np.float64)[:, None]
    for source, measure in HEALTH:
        values = measured(result, source, measure)[EARLY]
        values = values if measure == "top1_mass" else values / full
        found[f"{measure} of the {source}"] = np.median(values[hidden], axis=0)
    return found


def _standard(column: Column) -> Column:
    ranks = rankdata(column)
    spread = ranks.std()
    return np.asarray((ranks - ranks.mean()) / (spread if spread else 1.0))
