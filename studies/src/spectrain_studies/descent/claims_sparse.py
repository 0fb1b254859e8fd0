"""Claims of Figures 1, 4, 17 and 18: a four-layer network on x₁x₂x₃."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_dynamics import DOCUMENT, Network
from spectrain_studies.descent.sparse_regression import BATCHES, GATED_LARGE, GATED_SPARSE, SPARSE
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    Judgement,
    Result,
    Results,
    Verdict,
    above,
    below,
    combined,
    undecided,
)
from spectrain_studies.frame.statistics import Array

START = {
    "loss": (0.74827,),
    "stable_ranks": (56.66, 5.818, 3.830, 2.928),
    "nuclear_ranks": (56.00, 62.96, 34.55),
}
"""Loss, st(X), st(A₁..₃) and nr(∇L) of W₁..₃ at the document's initial weights."""

LOSSES = {
    False: {50: 0.3748, 250: 0.0266, 500: 3.2e-3, 1000: 8.3e-4, 1999: 9.26e-5},
    True: {50: 0.0161, 100: 2.0e-4, 200: 2.7e-6, 1000: 5.7e-7, 1999: 1.65e-7},
}
"""Losses of gradient descent and of SpecGD by step, read off the document's Figure 4."""


def _method(results: Results, spectral: bool) -> Result:
    return results.where(spectral=spectral).only()


def log_ratio(results: Results) -> Array:
    """ln(loss of SpecGD / loss of gradient descent) at every step that both have."""
    euclidean, spectral = (_method(results, method)["loss"] for method in (False, True))
    length = min(len(euclidean), len(spectral))
    with np.errstate(divide="ignore", invalid="ignore"):  # runs that have diverged
        return np.asarray(np.log(spectral[:length] / euclidean[:length]))


def _early(ratios: Array) -> float:
    """Mean over the first half of a course."""
    return float(ratios[: len(ratios) // 2].mean())


def _diverged(details: Mapping[str, float]) -> Judgement:
    return Judgement(Verdict.FAILS, seeds=1, note="A run diverges.", details=details)


def _at_the_rates(judgement: Judgement, *setups: Network) -> Judgement:
    """Undecided where a learning rate is used at another width than the one it was chosen for."""
    width = DOCUMENT.gated.width
    if all(setup.width == width for setup in setups):
        return judgement
    note = f"The learning rates belong to width {width}, where these runs were not made."
    return replace(judgement, verdict=Verdict.UNDECIDED, note=note)


@STUDY.claim(
    "fig1-start",
    source="Figures 1 and 4",
    statement="Loss, stable ranks and nuclear ranks of the network at its start",
    statistic="largest relative deviation from 8 values of the document's run with seed 42",
    criterion="below 0.002",
    needs=[SPARSE],
)
def fig1_start(config: Config, sparse: Results) -> Judgement:
    result = _method(sparse, False)
    found = {
        "loss": result["loss"][:1],
        "stable_ranks": result["stable_ranks"][0],
        "nuclear_ranks": result["nuclear_ranks"][0],
    }
    deviations = {
        f"{name} {place}": abs(float(found[name][place]) / value - 1)
        for name, values in START.items()
        for place, value in enumerate(values)
    }
    return below(max(deviations.values()), 0.002, seeds=1, details=deviations)


@STUDY.claim(
    "fig4-losses",
    source="Figure 4",
    statement="Losses of gradient descent and of SpecGD",
    statistic="largest |ln(loss / value read off the figure)| at the figure's steps that the run "
    "reaches",
    criterion="below 0.1; undecided where fewer than five steps are reached",
    needs=[SPARSE],
)
def fig4_losses(config: Config, sparse: Results) -> Judgement:
    deviations = {}
    for spectral, values in LOSSES.items():
        losses = _method(sparse, spectral)["loss"]
        for step, value in values.items():
            if step < len(losses):
                name = f"{'SpecGD' if spectral else 'GD'} {step}"
                deviations[name] = abs(float(np.log(losses[step] / value)))
    if len(deviations) < 5:
        return undecided(f"the runs reach {len(deviations)} of the steps", details=deviations)
    return below(max(deviations.values()), 0.1, seeds=1, details=deviations)


@STUDY.claim(
    "fig1-stable-ranks-small",
    source="§1.1, Figure 1",
    statement="The stable ranks of the post-activations stay small beside the input dimension",
    statistic="largest st(A_ℓ)/d over ℓ = 1, 2, 3, both methods and all records",
    criterion="below 0.1",
    needs=[SPARSE],
)
def fig1_stable_ranks(config: Config, sparse: Results) -> Judgement:
    last = {
        "SpecGD" if r.case.spectral else "GD": r["stable_ranks"][-1, 1:].tolist() for r in sparse
    }
    largest = max(float(result["stable_ranks"][:, 1:].max()) for result in sparse)
    return below(largest / config.dynamics.sparse.inputs, 0.1, seeds=1, details={"last": last})


@STUDY.claim(
    "fig4-specgd-beats-gd",
    source="§1.2, Figure 4",
    statement="SpecGD is significantly better than gradient descent, especially early on",
    statistic="ln(loss of SpecGD / loss of gradient descent) at the last step that both runs have",
    criterion="below −ln 10",
    needs=[SPARSE],
)
def fig4_specgd_beats_gd(config: Config, sparse: Results) -> Judgement:
    ratios = log_ratio(sparse)
    details = {str(step): float(ratios[step]) for step in (10, 50, 200) if step < len(ratios)}
    return below(float(ratios[-1]), -float(np.log(10)), seeds=1, details=details)


@STUDY.claim(
    "fig4-criterion-of-hidden-blocks",
    source="§1.2.1, Figure 4",
    statement="(1.8), nr(∇L) ≥ st(A_ℓ₋₁), holds for the blocks that take spectral steps",
    statistic="smallest nr(∇L)/st(A_ℓ₋₁) over W₂, W₃ and all records, of the worse method",
    criterion="above 1 for both methods",
    needs=[SPARSE],
)
def fig4_criterion(config: Config, sparse: Results) -> Judgement:
    parts = {}
    for result in sparse:
        ratio = result["nuclear_ranks"][:, 1:3] / result["stable_ranks"][:, 1:3]
        details = {"last": ratio[-1].tolist()}
        name = "SpecGD" if result.case.spectral else "GD"
        parts[name] = above(float(ratio.min()), 1.0, seeds=1, details=details)
    return combined(parts)


@STUDY.claim(
    "fig4-criterion-of-first-block",
    source="§1.2.1",
    statement="The first block need not satisfy (1.8), and takes Euclidean steps",
    statistic="nr(∇L)/st(X) of W₁ at the start",
    criterion="below 1",
    needs=[SPARSE],
)
def fig4_first_block(config: Config, sparse: Results) -> Judgement:
    result = _method(sparse, False)
    ratios = result["nuclear_ranks"][:, 0] / result["stable_ranks"][:, 0]
    return below(float(ratios[0]), 1.0, seeds=1, details={"last": float(ratios[-1])})


@STUDY.claim(
    "fig17-stable-ranks-grow",
    source="Appendix A, Figure 17",
    statement="With SwiGLU the stable ranks at the start grow noticeably with the batch",
    statistic="st(A_ℓ) at the largest batch over that at the smallest, smallest of the layers",
    criterion="above 2 for each of the three layers",
    needs=[BATCHES],
)
def fig17_grow(config: Config, batches: Results) -> Judgement:
    ranks = batches.where(activation="swiglu").stack("stable_ranks")
    growth = ranks[-1] / ranks[0]
    return combined(
        {
            f"layer {layer + 1}": above(
                float(growth[layer]), 2.0, seeds=1, details={"course": ranks[:, layer].tolist()}
            )
            for layer in range(len(growth))
        }
    )


@STUDY.claim(
    "fig17-unlike-relu2",
    source="Appendix A",
    statement="ReLU² features do not show that growth",
    statistic="ln growth of st(A_ℓ) from the smallest to the largest batch, ReLU² minus SwiGLU, "
    "largest of the layers",
    criterion="below 0 for each of the three layers",
    needs=[BATCHES],
)
def fig17_unlike_relu2(config: Config, batches: Results) -> Judgement:
    growth = {}
    for activation in ("relu2", "swiglu"):
        ranks = batches.where(activation=activation).stack("stable_ranks")
        growth[activation] = np.log(ranks[-1] / ranks[0])
    differences = growth["relu2"] - growth["swiglu"]
    details = {name: values.tolist() for name, values in growth.items()}
    return combined(
        {
            f"layer {layer}": below(float(each), 0.0, seeds=1, details=details)
            for layer, each in enumerate(differences, 1)
        }
    )


@STUDY.claim(
    "fig18a-early-advantage",
    source="Appendix A, Figure 18(a)",
    statement="With SwiGLU and a small batch SpecGD has a visible early advantage",
    statistic="mean of ln(loss of SpecGD / loss of gradient descent) over the first half",
    criterion="below −0.1",
    needs=[GATED_SPARSE],
)
def fig18a(config: Config, gated: Results) -> Judgement:
    ratios = log_ratio(gated)
    details = {"last": float(ratios[-1]), "smallest": float(ratios.min())}
    early, found = _early(ratios), _diverged(details)
    if np.isfinite(early):
        found = below(early, -0.1, seeds=1, details=details)
    return _at_the_rates(found, config.dynamics.gated)


@STUDY.claim(
    "fig18b-similar",
    source="Appendix A, Figure 18(b)",
    statement="With SwiGLU and a large batch the two perform similarly",
    statistic="largest |ln(loss of SpecGD / loss of gradient descent)| of the run; infinite where "
    "one diverges",
    criterion="below ln 2",
    needs=[GATED_LARGE],
)
def fig18b(config: Config, large: Results) -> Judgement:
    ratios = log_ratio(large)
    worst = float(np.abs(ratios).max())
    details = {"mean": float(ratios.mean()), "last": float(ratios[-1])}
    found = _diverged(details)
    if np.isfinite(worst):
        found = below(worst, float(np.log(2)), seeds=1, details=details)
    return _at_the_rates(found, config.dynamics.gated_large)


@STUDY.claim(
    "fig18-advantage-shrinks-with-the-batch",
    source="Appendix A",
    statement="The advantage of SpecGD is quickly lost as the batch grows",
    statistic="mean of ln(loss of SpecGD / loss of gradient descent) over the first half, large "
    "batch minus small batch",
    criterion="above 0.1",
    needs=[GATED_SPARSE, GATED_LARGE],
)
def fig18_shrinks(config: Config, gated: Results, large: Results) -> Judgement:
    means = [_early(log_ratio(results)) for results in (gated, large)]
    details = {"small batch": means[0], "large batch": means[1]}
    found = _diverged(details)
    if np.isfinite(means).all():
        found = above(means[1] - means[0], 0.1, seeds=1, details=details)
    return _at_the_rates(found, config.dynamics.gated, config.dynamics.gated_large)
