"""Claims of §2 and Appendix B: stable ranks of samples against effective ranks of populations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.feedforward.moments import NOISE_TO_SIGNAL, PARTS
from spectrain_studies.descent.planted import Told, planted
from spectrain_studies.descent.sampling.experiment import DEVIATIONS, PATHS, Law
from spectrain_studies.descent.sampling.lipschitz import LIPSCHITZ
from spectrain_studies.descent.sampling.small_ball import SMALL_BALL
from spectrain_studies.descent.stated import claim_of_ratio
from spectrain_studies.descent.statistics import BOUNDED, RATE, power
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    AllOf,
    Below,
    Criterion,
    Found,
    Measured,
    OnEvery,
    Result,
    Results,
    Within,
)
from spectrain_studies.frame.statistics import share

LAWS = ("gaussian", "relu")
Judge = Callable[[Results], Found]


def in_samples(found: Results, name: str, sizes: Sequence[int]) -> Measured:
    """Exponent of a deviation in n, over the larger half of the sizes."""
    half = (len(sizes) - 1) // 2
    return power(sizes[half:], found.stack(name)[:, half:].T)


def _in_n(found: Results, kind: str, name: str) -> Measured:
    """The same at the smallest dimension."""
    chosen = found.where(law=Law(kind, min(r.case.law.dimension for r in found)))
    return in_samples(chosen, name, chosen[0].case.samples)


def _in_d(found: Results, kind: str, name: str) -> Measured:
    """Exponent of a deviation in the dimension, at the largest sample size."""
    dimensions = sorted({r.case.law.dimension for r in found})
    rows = [found.where(law=Law(kind, d)).stack(name)[:, -1] for d in dimensions]
    return power(dimensions, np.stack(rows))


@STUDY.claim(
    "lemma-2-1",
    source="Lemma 2.1",
    statement="st(Z_n) tends to er(M) almost surely, for any law with a second moment",
    statistic="exponent in n of |st(Z_n)/er(M) − 1| along one growing sample; ReLU features, and "
    "Student entries without a fourth moment",
    criterion=OnEvery("law", Below(-0.1)),
    needs=[PATHS],
    planted=planted(
        [PATHS],
        lambda case, noise: {"samples": [64, 128], "deviation": np.array([1.0, 0.5 * noise])},
        lambda case, noise: {"samples": [64, 128], "deviation": np.array([1.0, noise])},
    ),
)
def lemma_2_1(config: Config, paths: Results) -> Found:
    chosen = {kind: paths.where(law=Law(kind, 16)) for kind in ("relu", "heavy")}
    return {
        kind: power(list(found[0]["samples"]), found.stack("deviation").T)
        for kind, found in chosen.items()
    }


def _failing(share_of: float) -> Told:
    return lambda case, noise: {"failed": np.arange(1000) < 1000 * share_of, "median": 1.0}


for _size, _title, _statement in (
    ("printed", "as printed", "n ≥ log(1/2c)/8p0, st ≤ 2er(M)/p0c0c with probability ≥ 1 − 2c"),
    ("corrected", "corrected", "n ≥ 8·log(1/c)/p0, as Chernoff's inequality needs, it holds"),
):

    @STUDY.claim(
        f"theorem-2-2-{_size}",
        source=f"Theorem 2.2, {_title}",
        statement=f"With {_statement}",
        statistic="share of samples above the bound less the 2c that are allowed, a law that is "
        "rare in its spike, by Wilson's interval",
        criterion=OnEvery("c", Below(0)),
        needs=[SMALL_BALL],
        planted=planted([SMALL_BALL], _failing(0.0), _failing(0.9)),
    )
    def theorem_2_2(config: Config, found: Results, size: str = _size) -> Found:
        return {f"c = {r.case.failure:g}": _excess(r) for r in found.where(size=size)}


def _excess(result: Result) -> Measured:
    found, allowed = share(result["failed"]), 2 * result.case.failure
    ends = (float(end) - allowed for end in (found.value or 0, found.low or 0, found.high or 0))
    value, low, high = ends
    told = {"bound": result.case.bound, "samples": result.case.samples, "median": result["median"]}
    return Measured(Estimate(value, found.error, low, high, found.replicas), details=told)


def _deviations(rate: float) -> Told:
    """Of a rate in n; beyond −½ they grow with the dimension too."""

    def told(case: Any, noise: float) -> dict[str, Any]:
        d, n = case.law.dimension, np.array(case.samples)
        falling = n ** (rate * noise)
        if rate > -0.5:
            return dict.fromkeys(("rank", "norm", "trace"), falling * d)
        if case.law.kind == "relu":
            return dict.fromkeys(("rank", "norm", "trace"), falling)
        norm = (np.sqrt(d / n) + d / n) ** noise
        return {"rank": falling * d**0.5, "norm": norm, "trace": falling}

    return told


def _claim_of_deviations(
    name: str, source: str, statement: str, statistic: str, criterion: Criterion, judge: Judge
) -> None:
    STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=statistic,
        criterion=criterion,
        needs=[DEVIATIONS],
        planted=planted([DEVIATIONS], _deviations(-0.5), _deviations(-0.1)),
    )(lambda config, found: judge(found))


_claim_of_deviations(
    "theorem-2-3-samples",
    "Theorem 2.3",
    "|st(Z_n) − er(M)|/er(M) is of order n^(−½)",
    "exponent in n of the 0.9-quantile, larger half of n; Gaussian and ReLU features",
    OnEvery("law", RATE),
    lambda found: {kind: _in_n(found, kind, "rank") for kind in LAWS},
)
_claim_of_deviations(
    "theorem-2-3-effective-rank",
    "Theorem 2.3",
    "It grows no faster than the root of the effective rank",
    "exponent in er(M) = d of the 0.9-quantile, Gaussian vectors, largest n",
    Below(0.6),
    lambda found: _in_d(found, "gaussian", "rank"),
)
_claim_of_deviations(
    "theorem-2-3-dimension",
    "Theorem 2.3, §2",
    "It does not depend on the dimension where the effective rank does not",
    "exponent in the number of ReLU features of the 0.9-quantile, largest n",
    BOUNDED,
    lambda found: _in_d(found, "relu", "rank"),
)
_claim_of_deviations(
    "theorem-b-1",
    "Theorem B.1",
    "|tr M_n − tr M|/tr M is of order n^(−½), whatever the dimension",
    "exponents in n and in the dimension of the 0.9-quantile; Gaussian and ReLU features",
    OnEvery("law", AllOf({"in n": RATE, "in d": BOUNDED})),
    lambda found: {
        kind: {"in n": _in_n(found, kind, "trace"), "in d": _in_d(found, kind, "trace")}
        for kind in LAWS
    },
)
_claim_of_deviations(
    "theorem-b-2",
    "Theorem B.2",
    "‖M_n − M‖/‖M‖ is of order √(er/n) + er/n",
    "exponents of the 0.9-quantile: in n, both laws; in √(er/n) + er/n over d at the smallest n, "
    "Gaussian; in the number of ReLU features",
    AllOf(
        {
            "Gaussian, in n": RATE,
            "ReLU, in n": RATE,
            "Gaussian, in √(er/n) + er/n": Within(0.8, 1.1),
            "in ReLU features": BOUNDED,
        }
    ),
    lambda found: {
        "Gaussian, in n": _in_n(found, "gaussian", "norm"),
        "ReLU, in n": _in_n(found, "relu", "norm"),
        "Gaussian, in √(er/n) + er/n": _in_form(found),
        "in ReLU features": _in_d(found, "relu", "norm"),
    },
)


def _in_form(found: Results) -> Measured:
    dimensions = sorted({r.case.law.dimension for r in found})
    ratios = np.array(dimensions) / found[0].case.samples[0]
    rows = [found.where(law=Law("gaussian", d)).stack("norm")[:, 0] for d in dimensions]
    return power((np.sqrt(ratios) + ratios).tolist(), np.stack(rows))


@STUDY.claim(
    "lemma-2-5",
    source="Lemma 2.5",
    statement="Empirical NSR exceeds the population's by (1 + ε1)/(1 − ε2)² with ε of order n^(−½)",
    statistic="exponents in n of the 0.9-quantiles of the excess and its parts, larger half of n",
    criterion=OnEvery("part", RATE),
    needs=[NOISE_TO_SIGNAL],
    planted=planted(
        [NOISE_TO_SIGNAL],
        lambda case, noise: dict.fromkeys(PARTS, np.array(case.samples) ** (-0.5 * noise)),
        lambda case, noise: dict.fromkeys(PARTS, np.array(case.samples) ** (-0.1 * noise)),
    ),
)
def lemma_2_5(config: Config, found: Results) -> Found:
    return {name: in_samples(found, name, found[0].case.samples) for name in PARTS}


claim_of_ratio(
    "example-2-1",
    "Example 2.1",
    "Lipschitz features of Gaussian inputs are sub-Gaussian at the scale Lip(σ)·‖W‖_op",
    "largest variance along a direction over ‖W‖², and share beyond t‖W‖ over 2·exp(−t²/2), t = 1, "
    "2, 3; six kinds of W, three activations",
    *(LIPSCHITZ, "variance", "tail"),
)
