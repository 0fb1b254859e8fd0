"""Experiments 4 and 5: layer types and depth, contributions to the loss, coherence."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spectrain_studies.frame import Judgement, Result, Results, above, below
from spectrain_studies.rank.coherence import COHERENCE
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.layers import LAYERS
from spectrain_studies.rank.statistics import change, differs, mean_of, measured, paired, per_model
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
    criterion="below 0 by its 95 % interval",
    needs=(LAYERS,),
)
def early_layers_higher_rank(config: RankConfig, runs: Results) -> Judgement:
    """Layers, not matrices, are the units."""
    result = runs.where(arm="adamw").only()
    mean = shares(result)[1:].mean(0)
    told = {f"share of full rank, {role}": value for role, value in by_role(result, mean).items()}
    muon = runs.where(arm="muon").only()
    other = mean_of(with_depth(muon, shares(muon)[1:].mean(0))).value
    told["the same under Muon"] = float("nan") if other is None else other
    return below(mean_of(with_depth(result, mean)), 0.0, details=told)


@STUDY.claim(
    "deeper-layers-decline-more",
    source="Experiment 1, hypothesis predictions",
    statement="Under Adam, effective rank decreases especially for deeper layers.",
    statistic="Spearman correlation of depth with the mean over a layer's matrices of ln late over "
    f"early {SHARE}, {DEPTH}; mean over seeds",
    criterion="below 0 by its 95 % interval",
    needs=(LAYERS,),
)
def deeper_layers_decline_more(config: RankConfig, runs: Results) -> Judgement:
    """In a model deep enough to show a trend."""
    result = runs.where(arm="adamw").only()
    course = shares(result)
    moved = np.stack([change(course[:, number]) for number in range(course.shape[1])])
    told = {f"ln change, {role}": value for role, value in by_role(result, moved).items()}
    return below(mean_of(with_depth(result, moved)), 0.0, details=told)


def _with_contribution(result: Result, contribution: np.ndarray) -> Judgement:
    """Claim "rank correlates with contribution", over the matrices of a model."""
    rank = shares(result)[1:].mean(0)
    found = np.array(
        [spearmanr(a, b).statistic for a, b in zip(rank.T, contribution.T, strict=True)]
    )
    told: dict[str, Any] = {
        f"contribution, {role}": value for role, value in by_role(result, contribution).items()
    }
    return differs(mean_of(found), equal=0.1, details=told)


@STUDY.claim(
    "rank-goes-with-reset-loss",
    source="Experiment 4, metrics per layer (contribution defined here)",
    statement="A layer's rank correlates with its contribution to the loss.",
    statistic=f"Spearman correlation over matrices of mean {SHARE} with the held-out loss that is "
    f"lost when the matrix is put back to its initial value, {DEPTH}; mean over seeds",
    criterion="holds if the 95 % interval excludes 0, fails if it lies within ±0.1",
    needs=(LAYERS,),
)
def rank_goes_with_reset_loss(config: RankConfig, runs: Results) -> Judgement:
    """Contribution by reset."""
    result = runs.where(arm="adamw").only()
    return _with_contribution(result, np.asarray(result["reset"]))


@STUDY.claim(
    "rank-goes-with-first-order-loss",
    source="Experiment 4, metrics per layer (contribution defined here)",
    statement="A layer's rank correlates with its first-order contribution to the loss.",
    statistic=f"Spearman correlation over matrices of mean {SHARE} with −Σ⟨g, Δw⟩ over the run, "
    f"{DEPTH}; mean over seeds",
    criterion="holds if the 95 % interval excludes 0, fails if it lies within ±0.1",
    needs=(LAYERS,),
)
def rank_goes_with_first_order_loss(config: RankConfig, runs: Results) -> Judgement:
    """Contribution by the path: what each step promised to lower the batch's loss by."""
    result = runs.where(arm="adamw").only()
    return _with_contribution(result, -np.asarray(result["first_order"])[-1])


def per_seed(result: Result, name: str) -> np.ndarray:
    """Median over matrices and stages, one value a seed."""
    seeds, values = np.asarray(result["seed"]), np.asarray(result[name])
    return np.array([np.median(values[seeds == seed]) for seed in np.unique(seeds)])


def _coherence(runs: Results, sign: str, raw: str) -> Judgement:
    def judge(model: str) -> Judgement:
        result = runs.where(model=model).only()
        first, second = per_seed(result, sign), per_seed(result, raw)
        estimate, told = paired(first, second)
        told |= {"orthonormalized": float(first.mean()), "raw": float(second.mean())}
        return above(estimate, 0.0, details=told)

    return per_model(runs, judge)


COHERENT = "hidden matrices, early and late in an AdamW run; paired over seeds"


@STUDY.claim(
    "orthonormalizing-improves-snr",
    source="Experiment 5",
    statement="Orthonormalizing minibatch gradients improves their signal-to-noise ratio.",
    statistic="median over matrices and stages of the unbiased ‖E g‖²/tr C over the minibatches, "
    f"orthonormalized minus raw, {COHERENT}",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(COHERENCE,),
)
def orthonormalizing_improves_snr(config: RankConfig, runs: Results) -> Judgement:
    """The same estimator on both, unbiased: 0 in the mean on pure noise."""
    return _coherence(runs, "snr_sign", "snr_raw")


@STUDY.claim(
    "printed-snr-improves",
    source="Experiment 5, pseudocode",
    statement="Orthonormalizing minibatch gradients improves ‖mean‖/‖std‖.",
    statistic="median over matrices and stages of the printed ratio, orthonormalized minus raw, "
    f"{COHERENT}",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(COHERENCE,),
)
def printed_snr_improves(config: RankConfig, runs: Results) -> Judgement:
    """As printed: with a floor of 1/√(number of minibatches) on pure noise."""
    return _coherence(runs, "printed_sign", "printed_raw")


@STUDY.claim(
    "sign-of-mean-reproducible",
    source="Experiment 5 (the order that Muon takes: average first, added here)",
    statement="The polar factor of a mean gradient is more reproducible than the mean itself.",
    statistic="median over matrices and stages of the cosine between halves of the minibatches, "
    f"polar factors of the means minus means, {COHERENT}",
    criterion="95 % t interval over seeds above 0 on every model",
    needs=(COHERENCE,),
)
def sign_of_mean_reproducible(config: RankConfig, runs: Results) -> Judgement:
    """Orthonormalizing after averaging lifts directions in which noise rules."""
    return _coherence(runs, "halves_sign", "halves_raw")
