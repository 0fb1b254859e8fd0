"""Claims of Lemma 3.1 to Theorem 3.4, Theorem 3.7 and Figure 16: the spike of ReLU features."""

from __future__ import annotations

from math import pi

import numpy as np
import torch

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.kernel import HADAMARD, KERNEL, PAIRS, phi
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.frame.statistics import Array, log_slope, over_seeds

PHI = {"φ(0)": 0.0, "φ'(0)": pi / 2, "φ''(0)": 1.0, "φ'''(0)": 0.0, "φ''''(0)": 1.0}
ENDS = {1.0: pi - 1, -1.0: -1.0}


def _dimensions(results: Results) -> list[int]:
    return sorted({result.case.dimension for result in results})


def _values(results: Results, name: str) -> Array:
    """A number of every case: dimensions × seeds."""
    return np.stack([results.where(dimension=d).stack(name) for d in _dimensions(results)])


def _exponent(results: Results, name: str, low: float, high: float) -> Judgement:
    values = _values(results, name)
    means = dict(zip(map(str, _dimensions(results)), values.mean(1).tolist(), strict=True))
    return within(log_slope(_dimensions(results), values), low, high, details={"mean": means})


@STUDY.claim(
    "fig16-phi",
    source="§3.1.1, Figure 16",
    statement="φ vanishes at 0 with φ' = π/2, φ'' = 1, φ''' = 0, φ'''' = 1; φ(1) = π − 1, "
    "φ(−1) = −1",
    statistic="largest deviation of the derivatives by automatic differentiation and of the ends",
    criterion="below 10⁻¹²",
)
def fig16_phi(config: Config) -> Judgement:
    point = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value, deviations = phi(point), {}
    for name, expected in PHI.items():
        deviations[name] = abs(value.item() - expected)
        (value,) = torch.autograd.grad(value, point, create_graph=True)
    for end, expected in ENDS.items():
        found = phi(torch.tensor(end, dtype=torch.float64)).item()
        deviations[f"φ({end:g})"] = abs(found - expected)
    return below(max(deviations.values()), 1e-12, details=deviations)


@STUDY.claim(
    "s311-second-moment",
    source="§3.1.1",
    statement="E ReLU(g₁)ReLU(g₂) = (φ(ρ) + 1)/2π for normal g₁, g₂ of correlation ρ",
    statistic="largest deviation over 7 values of ρ, in standard errors of the Monte Carlo",
    criterion="below 3.5",
    needs=[PAIRS],
)
def second_moment(config: Config, pairs: Results) -> Judgement:
    result = pairs.only()
    scores = np.abs(result["means"] - result["expected"]) / result["errors"]
    return below(float(scores.max()), 3.5, seeds=1, details={"scores": scores.tolist()})


def _claim_of_mean(slug: str, source: str, shown: str, value: float) -> None:
    @STUDY.claim(
        f"s311-mean-{slug}",
        source=source,
        statement=f"The mean of ReLU features is μ_i = {shown}",
        statistic=f"mean feature over mean ‖v_i‖, over {shown.replace('‖v_i‖', '1')}, largest d",
        criterion="within 0.98 and 1.02",
        needs=[KERNEL],
    )
    def mean(config: Config, kernel: Results) -> Judgement:
        return within(over_seeds(_values(kernel, "mean_over_norm")[-1] / value), 0.98, 1.02)


_claim_of_mean("as-printed", "§3.1.1 as printed", "‖v_i‖/2π", 1 / (2 * pi))
_claim_of_mean("corrected", "§3.1.1 corrected", "‖v_i‖/√(2π)", 1 / (2 * pi) ** 0.5)


@STUDY.claim(
    "lemma-3-1",
    source="Lemma 3.1",
    statement="‖A∘B‖_op ≤ max|a_ij|·‖B‖_F; ‖A∘B‖_op ≤ max a_ii·‖B‖_op for A ⪰ 0; A∘B ⪰ 0 for "
    "A, B ⪰ 0 (its first item is our reading: the text at hand lost the formula)",
    statistic="largest left side over right side, and smallest eigenvalue over the norm, of random "
    "matrices",
    criterion="below 1, below 1 and above −10⁻¹²",
    needs=[HADAMARD],
)
def lemma_31(config: Config, hadamard: Results) -> Judgement:
    sides = hadamard.only()["sides"]
    trials = len(sides)
    return combined(
        {
            "item 1": below(float(sides[:, 0].max()), 1 + 1e-12, seeds=trials),
            "item 2": below(float(sides[:, 1].max()), 1 + 1e-12, seeds=trials),
            "item 3": above(float(sides[:, 2].min()), -1e-12, seeds=trials),
        }
    )


@STUDY.claim(
    "theorem-3-2-lower",
    source="Theorem 3.2, (3.4)",
    statement="Σ ⪰ ¼VVᵀ + ((π − 3)(1 − ε)/4π)I for rows of incoherence ε",
    statistic="λ_min(Σ − ¼VVᵀ) − (π − 3)(1 − ε)/4π, smallest over dimensions and seeds, ε measured",
    criterion="above 0",
    needs=[KERNEL],
)
def theorem_32_lower(config: Config, kernel: Results) -> Judgement:
    return above(float(_values(kernel, "margin").min()), 0.0, seeds=config.dynamics.kernel.seeds)


@STUDY.claim(
    "theorem-3-2-expansion",
    source="Theorem 3.2, (3.6)",
    statement="Σ = ¼VVᵀ + Λ⁻¹(VVᵀ)∘²Λ⁻¹/4π + ((π − 3)/4π)Λ² up to an error that vanishes",
    statistic="exponent in d of the operator norm of the error",
    criterion="below −0.5",
    needs=[KERNEL],
)
def theorem_32_expansion(config: Config, kernel: Results) -> Judgement:
    return _exponent(kernel, "error", -np.inf, -0.5)


@STUDY.claim(
    "theorem-3-2-upper",
    source="Theorem 3.2, (3.4); Lemma 3.3",
    statement="‖Σ‖_op is bounded for Gaussian V",
    statistic="exponent in d of ‖Σ‖_op",
    criterion="below 0.1",
    needs=[KERNEL],
)
def theorem_32_upper(config: Config, kernel: Results) -> Judgement:
    return _exponent(kernel, "upper", -np.inf, 0.1)


@STUDY.claim(
    "lemma-3-3",
    source="Lemma 3.3",
    statement="Gaussian rows are incoherent, ε of order √(log d/d), and ‖VVᵀ‖_op is bounded",
    statistic="exponents in d of ε/√(log d/d) and of ‖VVᵀ‖_op",
    criterion="below 0.1 for both",
    needs=[KERNEL],
)
def lemma_33(config: Config, kernel: Results) -> Judgement:
    names = {"incoherence": "coherence", "‖VVᵀ‖_op": "spread"}
    return combined({label: _exponent(kernel, name, -np.inf, 0.1) for label, name in names.items()})


@STUDY.claim(
    "theorem-3-4",
    source="Theorem 3.4",
    statement="B = μμᵀ + Σ of ReLU features has ‖μ‖² of order d and a bulk bounded on both sides",
    statistic="exponents in d of ‖μ‖² and of the least and the largest eigenvalue of Σ, n = 8d",
    criterion="within 0.9 and 1.1; above −0.1; below 0.1",
    needs=[KERNEL],
)
def theorem_34(config: Config, kernel: Results) -> Judgement:
    return combined(
        {
            "spike": _exponent(kernel, "spike", 0.9, 1.1),
            "least": _exponent(kernel, "bulk_low", -0.1, np.inf),
            "largest": _exponent(kernel, "bulk_high", -np.inf, 0.1),
        }
    )


@STUDY.claim(
    "corollary-3-8",
    source="Corollary 3.8",
    statement="The cross-covariance Σ̄ of teacher and student features has d singular values "
    "bounded on both sides",
    statistic="exponents in d of the d-th and of the first singular value of Σ̄, n = 8d",
    criterion="above −0.1; below 0.1",
    needs=[KERNEL],
)
def corollary_38(config: Config, kernel: Results) -> Judgement:
    return combined(
        {
            "d-th": _exponent(kernel, "cross_low", -0.1, np.inf),
            "first": _exponent(kernel, "cross_high", -np.inf, 0.1),
        }
    )


def _claim_of_37(form: str, shown: str, source: str) -> None:
    @STUDY.claim(
        f"theorem-3-7-{form.replace('printed', 'as-printed')}",
        source=source,
        statement=f"‖Σ̄ − ({shown})‖_op → 0",
        statistic="exponent in d of the norm, k = 2d",
        criterion="below −0.25",
        needs=[KERNEL],
    )
    def theorem_37(config: Config, kernel: Results) -> Judgement:
        return _exponent(kernel, form, -np.inf, -0.25)


_claim_of_37("printed", "V̄Vᵀ/2π + 11ᵀ/d", "Theorem 3.7 as printed")
_claim_of_37("corrected", "V̄Vᵀ/4 + 11ᵀ/4πd", "Theorem 3.7 corrected")
