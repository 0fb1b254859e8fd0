"""Claims of Figures 1, 4, 17 and 18: a four-layer network on x₁x₂x₃.

Figures 1, 4 and 18 are one run each, with the document's seed: what is said of them is a plain
number of that run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_dynamics import DOCUMENT, Network
from spectrain_studies.descent.planted import Told, planted
from spectrain_studies.descent.sparse_network.experiment import (
    BATCHES,
    GATED_LARGE,
    GATED_SPARSE,
    SPARSE,
    BatchCase,
    NetworkCase,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    Above,
    Always,
    Below,
    Found,
    Measured,
    OnEvery,
    Result,
    Results,
)
from spectrain_studies.frame.statistics import Array, over_seeds

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

NAMES = {False: "GD", True: "SpecGD"}
OF_THE_RUN = "in the document's run"


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


def _compared(value: float, details: dict[str, float], *setups: Network) -> Measured:
    """A comparison of runs; it settles nothing at other widths than that of their rates."""
    width = DOCUMENT.gated.width
    why = ""
    if any(setup.width != width for setup in setups):
        why = f"The learning rates belong to width {width}, where these runs were not made"
    elif not np.isfinite(value):
        why = "A run diverges"
    return Measured(value, seeds=1, details=details, unsettled=why)


def _losses(euclidean: float, spectral: float) -> Told:
    return lambda case, noise: {"loss": np.full(9, spectral if case.spectral else euclidean)}


def _figures(factor: float) -> Told:
    """The values of the document, times a factor."""

    def told(case: NetworkCase, noise: float) -> dict[str, Any]:
        loss = np.ones(2000)
        loss[[0, *LOSSES[case.spectral]]] = [*START["loss"], *LOSSES[case.spectral].values()]
        start = {
            name: factor * np.array([START[name]]) for name in ("stable_ranks", "nuclear_ranks")
        }
        return {"loss": factor * loss, **start}

    return told


@STUDY.claim(
    "fig1-start",
    source="Figures 1 and 4",
    statement="Loss, stable ranks and nuclear ranks of the network at its start",
    statistic="largest relative deviation from 8 values of the document's run with seed 42",
    criterion=Below(0.002),
    needs=[SPARSE],
    planted=planted([SPARSE], _figures(1.0), _figures(1.1)),
)
def fig1_start(config: Config, sparse: Results) -> Measured:
    result = _method(sparse, False)
    deviations = {
        f"{name} {place}": abs(float(np.ravel(result[name][0])[place]) / value - 1)
        for name, values in START.items()
        for place, value in enumerate(values)
    }
    return Measured(max(deviations.values()), seeds=1, details=deviations)


@STUDY.claim(
    "fig4-losses",
    source="Figure 4",
    statement="Losses of gradient descent and of SpecGD",
    statistic="largest |ln(loss / value read off the figure)| at the figure's steps that the run "
    "reaches, five at least",
    criterion=Below(0.1),
    needs=[SPARSE],
    planted=planted([SPARSE], _figures(1.0), _figures(1.2)),
)
def fig4_losses(config: Config, sparse: Results) -> Measured:
    deviations = {}
    for spectral, values in LOSSES.items():
        losses = _method(sparse, spectral)["loss"]
        for step, value in values.items():
            if step < len(losses):
                off = abs(float(np.log(losses[step] / value)))
                deviations[f"{NAMES[spectral]} {step}"] = off
    few = f"The runs reach {len(deviations)} of the steps" if len(deviations) < 5 else ""
    worst = max(deviations.values(), default=np.nan)
    return Measured(worst, seeds=1, details=deviations, unsettled=few)


@STUDY.claim(
    "fig1-stable-ranks-small",
    source="§1.1, Figure 1",
    statement="The stable ranks of the post-activations stay small beside the input dimension",
    statistic=f"largest st(A_ℓ)/d over ℓ = 1, 2, 3, both methods and all records, {OF_THE_RUN}",
    criterion=Below(0.1),
    needs=[SPARSE],
    planted=planted(
        [SPARSE],
        lambda case, noise: {"stable_ranks": np.full((3, 4), 3.0)},
        lambda case, noise: {"stable_ranks": np.full((3, 4), 60.0)},
    ),
)
def fig1_stable_ranks(config: Config, sparse: Results) -> Measured:
    last = {NAMES[r.case.spectral]: np.array(r["stable_ranks"])[-1, 1:].tolist() for r in sparse}
    largest = max(float(result["stable_ranks"][:, 1:].max()) for result in sparse)
    return Measured(largest / config.dynamics.sparse.inputs, seeds=1, details={"last": last})


@STUDY.claim(
    "fig4-specgd-beats-gd",
    source="§1.2, Figure 4",
    statement="SpecGD is significantly better than gradient descent, especially early on",
    statistic="ln(loss of SpecGD / loss of gradient descent) at the last step that both runs have",
    criterion=Below(-float(np.log(10))),
    needs=[SPARSE],
    planted=planted([SPARSE], _losses(1.0, 0.01), _losses(1.0, 0.5)),
)
def fig4_specgd_beats_gd(config: Config, sparse: Results) -> Measured:
    ratios = log_ratio(sparse)
    details = {str(step): float(ratios[step]) for step in (10, 50, 200) if step < len(ratios)}
    return Measured(float(ratios[-1]), seeds=1, details=details)


@STUDY.claim(
    "fig4-criterion-of-hidden-blocks",
    source="§1.2.1, Figure 4",
    statement="(1.8), nr(∇L) ≥ st(A_ℓ₋₁), holds for the blocks that take spectral steps",
    statistic=f"share of records of W₂ and W₃ with nr(∇L) < st(A_ℓ₋₁), {OF_THE_RUN}",
    criterion=OnEvery("method", Always()),
    needs=[SPARSE],
    planted=planted(
        [SPARSE],
        lambda case, noise: {
            "nuclear_ranks": np.full((9, 3), 4.0),
            "stable_ranks": np.ones((9, 4)),
        },
        lambda case, noise: {
            "nuclear_ranks": np.full((9, 3), 0.5),
            "stable_ranks": np.ones((9, 4)),
        },
    ),
)
def fig4_criterion(config: Config, sparse: Results) -> Found:
    def of(result: Result) -> Measured:
        ratio = result["nuclear_ranks"][:, 1:3] / result["stable_ranks"][:, 1:3]
        told = {"smallest": float(ratio.min()), "last": ratio[-1].tolist()}
        return Measured(float((ratio < 1).mean()), seeds=1, details=told)

    return {NAMES[result.case.spectral]: of(result) for result in sparse}


@STUDY.claim(
    "fig4-criterion-of-first-block",
    source="§1.2.1",
    statement="The first block need not satisfy (1.8), and takes Euclidean steps",
    statistic=f"nr(∇L)/st(X) of W₁ at the start, {OF_THE_RUN}",
    criterion=Below(1),
    needs=[SPARSE],
    planted=planted(
        [SPARSE],
        lambda case, noise: {
            "nuclear_ranks": np.full((9, 3), 0.5),
            "stable_ranks": np.ones((9, 4)),
        },
        lambda case, noise: {
            "nuclear_ranks": np.full((9, 3), 4.0),
            "stable_ranks": np.ones((9, 4)),
        },
    ),
)
def fig4_first_block(config: Config, sparse: Results) -> Measured:
    result = _method(sparse, False)
    ratios = result["nuclear_ranks"][:, 0] / result["stable_ranks"][:, 0]
    return Measured(float(ratios[0]), seeds=1, details={"last": float(ratios[-1])})


def _growth(batches: Results, activation: str) -> Array:
    """Growth, in logarithms, of st(A_ℓ) from the smallest to the largest batch: layers × seeds."""
    ranks = batches.where(activation=activation).stack("stable_ranks")
    return np.asarray(np.log(ranks[:, -1] / ranks[:, 0]).T)


def _on_layers(rows: Array) -> dict[str, Measured]:
    return {f"layer {layer}": Measured(over_seeds(row)) for layer, row in enumerate(rows, 1)}


def _growing(case: BatchCase, powers: dict[str, float], noise: float) -> dict[str, Array]:
    power = noise * powers[case.activation]
    return {"stable_ranks": np.tile(np.array(case.batches)[:, None] ** power, 3)}


@STUDY.claim(
    "fig17-stable-ranks-grow",
    source="Appendix A, Figure 17",
    statement="With SwiGLU the stable ranks at the start grow noticeably with the batch",
    statistic="ln of st(A_ℓ) at the largest batch over that at the smallest, mean over seeds",
    criterion=OnEvery("layer", Above(float(np.log(2)))),
    needs=[BATCHES],
    planted=planted(
        [BATCHES],
        lambda case, noise: _growing(case, {"swiglu": 0.5, "relu2": 0.0}, noise),
        lambda case, noise: _growing(case, {"swiglu": 0.1, "relu2": 0.0}, noise),
    ),
)
def fig17_grow(config: Config, batches: Results) -> Found:
    return _on_layers(_growth(batches, "swiglu"))


@STUDY.claim(
    "fig17-unlike-relu2",
    source="Appendix A",
    statement="ReLU² features do not show that growth",
    statistic="ln growth of st(A_ℓ) from the smallest to the largest batch, ReLU² minus SwiGLU, "
    "mean over seeds",
    criterion=OnEvery("layer", Below(0)),
    needs=[BATCHES],
    planted=planted(
        [BATCHES],
        lambda case, noise: _growing(case, {"swiglu": 0.5, "relu2": 0.1}, noise),
        lambda case, noise: _growing(case, {"swiglu": 0.1, "relu2": 0.5}, noise),
    ),
)
def fig17_unlike_relu2(config: Config, batches: Results) -> Found:
    return _on_layers(_growth(batches, "relu2") - _growth(batches, "swiglu"))


@STUDY.claim(
    "fig18a-early-advantage",
    source="Appendix A, Figure 18(a)",
    statement="With SwiGLU and a small batch SpecGD has a visible early advantage",
    statistic="mean of ln(loss of SpecGD / loss of gradient descent) over the first half",
    criterion=Below(-0.1),
    needs=[GATED_SPARSE],
)
def fig18a(config: Config, gated: Results) -> Measured:
    ratios = log_ratio(gated)
    details = {"last": float(ratios[-1]), "smallest": float(ratios.min())}
    return _compared(_early(ratios), details, config.dynamics.gated)


@STUDY.claim(
    "fig18b-similar",
    source="Appendix A, Figure 18(b)",
    statement="With SwiGLU and a large batch the two perform similarly",
    statistic="largest |ln(loss of SpecGD / loss of gradient descent)| of the run",
    criterion=Below(float(np.log(2))),
    needs=[GATED_LARGE],
)
def fig18b(config: Config, large: Results) -> Measured:
    ratios = log_ratio(large)
    details = {"mean": float(ratios.mean()), "last": float(ratios[-1])}
    return _compared(float(np.abs(ratios).max()), details, config.dynamics.gated_large)


@STUDY.claim(
    "fig18-advantage-shrinks-with-the-batch",
    source="Appendix A, Figure 18",
    statement="The advantage of SpecGD is quickly lost as the batch grows",
    statistic="mean of ln(loss of SpecGD / loss of gradient descent) over the first half, large "
    "batch minus small batch",
    criterion=Above(0.1),
    needs=[GATED_SPARSE, GATED_LARGE],
)
def fig18_shrinks(config: Config, gated: Results, large: Results) -> Measured:
    means = [_early(log_ratio(results)) for results in (gated, large)]
    details = {"small batch": means[0], "large batch": means[1]}
    return _compared(
        means[1] - means[0], details, config.dynamics.gated, config.dynamics.gated_large
    )
