"""Claims of §2 and Appendix B: stable ranks of samples against effective ranks of populations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.moments import NOISE_TO_SIGNAL, PARTS
from spectrain_studies.descent.sampling import DEVIATIONS, PATHS, Law
from spectrain_studies.descent.small_ball import SMALL_BALL
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Results, above, below, combined
from spectrain_studies.frame.statistics import Array, log_slope, share

RATE = -0.4
"""Exponents below this are taken for −½ or faster: bounds of order n^(−½)."""

LAWS = ("gaussian", "relu")


def exponent(x: Iterable[Any], y: Array) -> Estimate:
    """Exponent of y ∝ x^p, y of sizes × seeds, over seeds."""
    return log_slope([float(each) for each in x], y)


def in_samples(found: Results, kind: str, dimension: int, name: str) -> Estimate:
    """Exponent of a deviation in n, over the larger half of the sizes."""
    chosen = found.where(law=Law(kind, dimension))
    return _rate(chosen[0].case.samples, chosen.stack(name))


def _rate(sizes: Sequence[int], values: Array) -> Estimate:
    half = (len(sizes) - 1) // 2
    return exponent(sizes[half:], values[:, half:].T)


def in_dimension(found: Results, kind: str, name: str, place: int = -1) -> Estimate:
    """Exponent of a deviation in the dimension, at the sample size of a place."""
    dimensions = sorted({r.case.law.dimension for r in found})
    rows = [found.where(law=Law(kind, d)).stack(name)[:, place] for d in dimensions]
    return exponent(dimensions, np.stack(rows))


@STUDY.claim(
    "lemma-2-1",
    source="Lemma 2.1",
    statement="st(Z_n) tends to er(M) almost surely, for any law with a second moment",
    statistic="exponent in n of |st(Z_n)/er(M) − 1| along one growing sample; ReLU features, and "
    "Student entries without a fourth moment",
    criterion="below −0.1, both laws",
    needs=[PATHS],
)
def lemma_2_1(config: Config, paths: Results) -> Judgement:
    parts = {}
    for kind in ("relu", "heavy"):
        chosen = paths.where(law=Law(kind, 16))
        deviation = chosen.stack("deviation")
        last = {"last deviation": float(deviation[:, -1].mean())}
        fitted = exponent(chosen[0]["samples"], deviation.T)
        parts[kind] = below(fitted, -0.1, details=last)
    return combined(parts)


def _small_ball(found: Results, size: str) -> Judgement:
    """The law and c at which the bound fails most, beside the 2c it may fail with."""
    chosen = found.where(size=size)
    told = {
        f"{r.case.law}, c = {r.case.failure}": {
            "samples": r.case.samples,
            "failure share": float(np.mean(r["failed"])),
            "bound": r.case.bound,
            "median stable rank": r["median"],
        }
        for r in chosen
    }
    worst = max(chosen, key=lambda r: float(np.mean(r["failed"])) - 2 * r.case.failure)
    estimate = share(worst["failed"])
    return below(
        estimate,
        2 * worst.case.failure,
        details=told,
        note=f"Worst for the {worst.case.law} law at c = {worst.case.failure}.",
    )


@STUDY.claim(
    "theorem-2-2-printed",
    source="Theorem 2.2, as printed",
    statement="With n ≥ log(1/2c)/(8p0), st ≤ 2er(M)/(p0c0c) with probability at least 1 − 2c",
    statistic="share of samples above the bound, at the law and the c where it exceeds 2c most",
    criterion="Wilson interval below 2c",
    needs=[SMALL_BALL],
)
def theorem_2_2_printed(config: Config, found: Results) -> Judgement:
    return _small_ball(found, "printed")


@STUDY.claim(
    "theorem-2-2-corrected",
    source="Theorem 2.2, corrected",
    statement="With n ≥ 8·log(1/c)/p0, as Chernoff's inequality needs, the bound holds",
    statistic="share of samples above the bound, at the law and the c where it exceeds 2c most",
    criterion="Wilson interval below 2c",
    needs=[SMALL_BALL],
)
def theorem_2_2_corrected(config: Config, found: Results) -> Judgement:
    return _small_ball(found, "corrected")


@STUDY.claim(
    "theorem-2-3-samples",
    source="Theorem 2.3",
    statement="|st(Z_n) − er(M)|/er(M) is of order n^(−½)",
    statistic="exponent in n of the 0.9-quantile, larger half of n; Gaussian and ReLU features",
    criterion="below −0.4, both laws",
    needs=[DEVIATIONS],
)
def theorem_2_3_samples(config: Config, found: Results) -> Judgement:
    smallest = config.theory.sampling.dimensions[0]
    return combined({kind: below(in_samples(found, kind, smallest, "rank"), RATE) for kind in LAWS})


@STUDY.claim(
    "theorem-2-3-effective-rank",
    source="Theorem 2.3",
    statement="It grows no faster than the root of the effective rank",
    statistic="exponent in er(M) = d of the 0.9-quantile, Gaussian vectors, largest n",
    criterion="below 0.6",
    needs=[DEVIATIONS],
)
def theorem_2_3_effective_rank(config: Config, found: Results) -> Judgement:
    return below(in_dimension(found, "gaussian", "rank"), 0.6)


@STUDY.claim(
    "theorem-2-3-dimension",
    source="Theorem 2.3, §2",
    statement="It does not depend on the dimension where the effective rank does not",
    statistic="exponent in the number of ReLU features of the 0.9-quantile, largest n",
    criterion="below 0.1",
    needs=[DEVIATIONS],
)
def theorem_2_3_dimension(config: Config, found: Results) -> Judgement:
    return below(in_dimension(found, "relu", "rank"), 0.1)


@STUDY.claim(
    "lemma-2-5",
    source="Lemma 2.5",
    statement="Empirical NSR exceeds the population's by (1 + ε1)/(1 − ε2)² with ε of order n^(−½)",
    statistic="exponents in n of the 0.9-quantiles of the excess and its parts, larger half of n",
    criterion="below −0.4, each",
    needs=[NOISE_TO_SIGNAL],
)
def lemma_2_5(config: Config, found: Results) -> Judgement:
    return combined(
        {name: below(_rate(found[0].case.samples, found.stack(name)), RATE) for name in PARTS}
    )


@STUDY.claim(
    "theorem-b-1",
    source="Theorem B.1",
    statement="|tr M_n − tr M|/tr M is of order n^(−½), whatever the dimension",
    statistic="exponents in n and in the dimension of the 0.9-quantile; Gaussian and ReLU features",
    criterion="in n below −0.4, in the dimension below 0.1, both laws",
    needs=[DEVIATIONS],
)
def theorem_b_1(config: Config, found: Results) -> Judgement:
    smallest = config.theory.sampling.dimensions[0]
    parts = {}
    for kind in LAWS:
        parts[f"{kind}, n"] = below(in_samples(found, kind, smallest, "trace"), RATE)
        parts[f"{kind}, d"] = below(in_dimension(found, kind, "trace"), 0.1)
    return combined(parts)


@STUDY.claim(
    "theorem-b-2",
    source="Theorem B.2",
    statement="‖M_n − M‖/‖M‖ is of order √(er/n) + er/n",
    statistic="exponents of the 0.9-quantile: in n, both laws; in √(er/n) + er/n over d at the "
    "smallest n, Gaussian; in the number of ReLU features",
    criterion="in n below −0.4; in √(er/n) + er/n between 0.8 and 1.1; in features below 0.1",
    needs=[DEVIATIONS],
)
def theorem_b_2(config: Config, found: Results) -> Judgement:
    sampling = config.theory.sampling
    smallest = sampling.dimensions[0]
    ratios = np.array(sampling.dimensions) / sampling.samples[0]
    rows = [found.where(law=Law("gaussian", d)).stack("norm")[:, 0] for d in sampling.dimensions]
    form = exponent(np.sqrt(ratios) + ratios, np.stack(rows))
    parts = {f"{k}, n": below(in_samples(found, k, smallest, "norm"), RATE) for k in LAWS}
    parts["gaussian, form"] = combined({"from above": below(form, 1.1), "sharp": above(form, 0.8)})
    parts["relu, features"] = below(in_dimension(found, "relu", "norm"), 0.1)
    return combined(parts)
