"""Claims of Experiment 4: rank by layer type and depth, and what a layer brings to the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain_studies.frame import Below, Differs, Measured, Result, Results
from spectrain_studies.frame.statistics import over_seeds
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.layers.experiment import LAYERS
from spectrain_studies.rank.statistics import change, measured
from spectrain_studies.rank.study import STUDY

SHARE = "effective rank of the raw gradient over full rank"
DEPTH = "deep GPT, AdamW"


def shares(result: Result) -> np.ndarray:
    """Effective rank over full rank of every gradient, samples × matrices × seeds."""
    full = np.asarray(result["full"], dtype=np.float64)[:, None]
    return measured(result, "gradient", "effective_rank") / full


def with_depth(result: Result, per_matrix: np.ndarray) -> np.ndarray:
    """Spearman correlation over layers of the mean of a layer's matrices with depth, per seed."""
    depths = np.asarray(result["depths"])
    layers = np.unique(depths[depths >= 0])
    means = np.stack([per_matrix[depths == layer].mean(0) for layer in layers])
    return np.array([spearmanr(layers, column).statistic for column in means.T])


def by_role(result: Result, per_matrix: np.ndarray) -> dict[str, float]:
    """The mean of every role's matrices over seeds."""
    roles = np.asarray(result["roles"])
    return {str(role): float(per_matrix[roles == role].mean()) for role in np.unique(roles)}


@STUDY.claim(
    "early-layers-higher-rank",
    source="Experiment 4, hypothesis",
    statement="Earlier layers have higher-rank gradients than later ones.",
    statistic=f"Spearman correlation of depth with the mean over a layer's matrices and the run of "
    f"{SHARE}, {DEPTH}; mean over seeds",
    criterion=Below(0),
    needs=(LAYERS,),
)
def early_layers_higher_rank(config: RankConfig, runs: Results) -> Measured:
    """Layers, not matrices, are the units."""
    result = runs.where(arm="adamw").only()
    mean = shares(result)[1:].mean(0)
    told = {f"share of full rank, {role}": value for role, value in by_role(result, mean).items()}
    muon = runs.where(arm="muon").only()
    other = over_seeds(with_depth(muon, shares(muon)[1:].mean(0))).value
    told["the same under Muon"] = float("nan") if other is None else other
    return Measured(over_seeds(with_depth(result, mean)), details=told)


@STUDY.claim(
    "deeper-layers-decline-more",
    source="Experiment 1, hypothesis predictions",
    statement="Under Adam, effective rank decreases especially for deeper layers.",
    statistic="Spearman correlation of depth with the mean over a layer's matrices of ln late over "
    f"early {SHARE}, {DEPTH}; mean over seeds",
    criterion=Below(0),
    needs=(LAYERS,),
)
def deeper_layers_decline_more(config: RankConfig, runs: Results) -> Measured:
    """In a model deep enough to show a trend."""
    result = runs.where(arm="adamw").only()
    course = shares(result)
    moved = np.stack([change(course[:, number]) for number in range(course.shape[1])])
    told = {f"ln change, {role}": value for role, value in by_role(result, moved).items()}
    return Measured(over_seeds(with_depth(result, moved)), details=told)


def _with_contribution(result: Result, contribution: np.ndarray) -> Measured:
    """Claim "rank correlates with contribution", over the matrices of a model."""
    rank = shares(result)[1:].mean(0)
    found = np.array(
        [spearmanr(a, b).statistic for a, b in zip(rank.T, contribution.T, strict=True)]
    )
    told: dict[str, Any] = {
        f"contribution, {role}": value for role, value in by_role(result, contribution).items()
    }
    return Measured(over_seeds(found), details=told)


@STUDY.claim(
    "rank-goes-with-reset-loss",
    source="Experiment 4, metrics per layer (contribution defined here)",
    statement="A layer's rank correlates with its contribution to the loss.",
    statistic=f"Spearman correlation over matrices of mean {SHARE} with the held-out loss that is "
    f"lost when the matrix is put back to its initial value, {DEPTH}; mean over seeds",
    criterion=Differs(equal=0.1),
    needs=(LAYERS,),
)
def rank_goes_with_reset_loss(config: RankConfig, runs: Results) -> Measured:
    """Contribution by reset."""
    result = runs.where(arm="adamw").only()
    return _with_contribution(result, np.asarray(result["reset"]))


@STUDY.claim(
    "rank-goes-with-first-order-loss",
    source="Experiment 4, metrics per layer (contribution defined here)",
    statement="A layer's rank correlates with its first-order contribution to the loss.",
    statistic=f"Spearman correlation over matrices of mean {SHARE} with −Σ⟨g, Δw⟩ over the run, "
    f"{DEPTH}; mean over seeds",
    criterion=Differs(equal=0.1),
    needs=(LAYERS,),
)
def rank_goes_with_first_order_loss(config: RankConfig, runs: Results) -> Measured:
    """Contribution by the path: what each step promised to lower the batch's loss by."""
    result = runs.where(arm="adamw").only()
    return _with_contribution(result, -np.asarray(result["first_order"])[-1])
