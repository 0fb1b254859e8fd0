"""Claims of Lemma 3.1 to Theorem 3.4, Theorem 3.7 and Figure 16: the spike of ReLU features."""

from __future__ import annotations

from math import pi

import numpy as np
import torch

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.kernel.experiment import HADAMARD, KERNEL, PAIRS, phi
from spectrain_studies.descent.planted import levels, planted
from spectrain_studies.descent.stated import claim_of_exponent, claim_of_exponents, claim_of_ratio
from spectrain_studies.descent.statistics import BOUNDED, KEPT, by_size, largest, smallest
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, AllOf, Below, Found, Measured, Near, Results
from spectrain_studies.frame.statistics import over_seeds

PHI = {"φ(0)": 0.0, "φ'(0)": pi / 2, "φ''(0)": 1.0, "φ'''(0)": 0.0, "φ''''(0)": 1.0}
ENDS = {1.0: pi - 1, -1.0: -1.0}


@STUDY.claim(
    "fig16-phi",
    source="§3.1.1, Figure 16",
    statement="φ vanishes at 0 with φ' = π/2, φ'' = 1, φ''' = 0, φ'''' = 1; φ(1) = π − 1, "
    "φ(−1) = −1",
    statistic="largest deviation of the derivatives by automatic differentiation and of the ends",
    criterion=Below(1e-12),
)
def fig16_phi(config: Config) -> Measured:
    point = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value, deviations = phi(point), {}
    for name, expected in PHI.items():
        deviations[name] = abs(value.item() - expected)
        (value,) = torch.autograd.grad(value, point, create_graph=True)
    for end, expected in ENDS.items():
        found = phi(torch.tensor(end, dtype=torch.float64)).item()
        deviations[f"φ({end:g})"] = abs(found - expected)
    return Measured(max(deviations.values()), details=deviations)


@STUDY.claim(
    "s311-second-moment",
    source="§3.1.1",
    statement="E ReLU(g₁)ReLU(g₂) = (φ(ρ) + 1)/2π for normal g₁, g₂ of correlation ρ",
    statistic="largest deviation over 7 values of ρ, in standard errors of the Monte Carlo",
    criterion=Below(3.5),
    needs=[PAIRS],
    planted=planted(
        [PAIRS],
        lambda case, noise: {"means": [noise], "expected": [1.0], "errors": [1e-2]},
        lambda case, noise: {"means": [1.1 * noise], "expected": [1.0], "errors": [1e-2]},
    ),
)
def second_moment(config: Config, pairs: Results) -> Measured:
    means, expected, errors = (np.asarray(pairs.only()[n]) for n in ("means", "expected", "errors"))
    scores = np.abs(means - expected) / errors
    return Measured(float(scores.max()), seeds=1, details={"scores": scores.tolist()})


def _claim_of_mean(slug: str, source: str, shown: str, value: float) -> None:
    @STUDY.claim(
        f"s311-mean-{slug}",
        source=source,
        statement=f"The mean of ReLU features is μ_i = {shown}",
        statistic=f"mean feature over mean ‖v_i‖, over {shown.replace('‖v_i‖', '1')}, largest d",
        criterion=Near(1.0, 0.02),
        needs=[KERNEL],
        planted=levels(KERNEL, ["mean_over_norm"], Near(value, 0.02 * value)),
    )
    def mean(config: Config, kernel: Results) -> Measured:
        return Measured(over_seeds(by_size(kernel, "dimension", "mean_over_norm")[-1] / value))


_claim_of_mean("as-printed", "§3.1.1 as printed", "‖v_i‖/2π", 1 / (2 * pi))
_claim_of_mean("corrected", "§3.1.1 corrected", "‖v_i‖/√(2π)", 1 / (2 * pi) ** 0.5)


@STUDY.claim(
    "lemma-3-1",
    source="Lemma 3.1",
    statement="‖A∘B‖_op ≤ max|a_ij|·‖B‖_F; ‖A∘B‖_op ≤ max a_ii·‖B‖_op for A ⪰ 0; A∘B ⪰ 0 for "
    "A, B ⪰ 0 (its first item is our reading: the text at hand lost the formula)",
    statistic="largest left side over right side, and smallest eigenvalue over the norm, of random "
    "matrices",
    criterion=AllOf(
        {"item 1": Below(1 + 1e-12), "item 2": Below(1 + 1e-12), "item 3": Above(-1e-12)}
    ),
    needs=[HADAMARD],
    planted=planted(
        [HADAMARD],
        lambda case, noise: {"first": 0.9, "second": 0.9, "third": 0.0},
        lambda case, noise: {"first": 0.9, "second": 0.9, "third": -0.1},
    ),
)
def lemma_31(config: Config, hadamard: Results) -> Found:
    found = {"item 1": largest(hadamard, "first"), "item 2": largest(hadamard, "second")}
    return {**found, "item 3": smallest(hadamard, "third")}


claim_of_ratio(
    "theorem-3-2-lower",
    "Theorem 3.2, (3.4)",
    "Σ ⪰ ¼VVᵀ + ((π − 3)(1 − ε)/4π)I for rows of incoherence ε",
    "λ_min(Σ − ¼VVᵀ) − (π − 3)(1 − ε)/4π, smallest over dimensions and seeds, ε measured",
    KERNEL,
    "margin",
    of=smallest,
    criterion=Above(0),
)
claim_of_exponent(
    "theorem-3-2-expansion",
    "Theorem 3.2, (3.6)",
    "Σ = ¼VVᵀ + Λ⁻¹(VVᵀ)∘²Λ⁻¹/4π + ((π − 3)/4π)Λ² up to an error that vanishes",
    "exponent in d of the operator norm of the error",
    Below(-0.5),
    *(KERNEL, "dimension", "error"),
)
claim_of_exponent(
    "theorem-3-2-upper",
    "Theorem 3.2, (3.4); Lemma 3.3",
    "‖Σ‖_op is bounded for Gaussian V",
    "exponent in d of ‖Σ‖_op",
    BOUNDED,
    *(KERNEL, "dimension", "upper"),
)


claim_of_exponents(
    "lemma-3-3",
    "Lemma 3.3",
    "Gaussian rows are incoherent, ε of order √(log d/d), and ‖VVᵀ‖_op is bounded",
    "exponents in d of ε/√(log d/d) and of ‖VVᵀ‖_op",
    *(KERNEL, "dimension"),
    {"incoherence": ("coherence", BOUNDED), "‖VVᵀ‖_op": ("spread", BOUNDED)},
)
claim_of_exponents(
    "theorem-3-4",
    "Theorem 3.4",
    "B = μμᵀ + Σ of ReLU features has ‖μ‖² of order d and a bulk bounded on both sides",
    "exponents in d of ‖μ‖² and of the least and the largest eigenvalue of Σ, n = 8d",
    *(KERNEL, "dimension"),
    {
        "spike": ("spike", Near(1.0, 0.1)),
        "least": ("bulk_low", KEPT),
        "largest": ("bulk_high", BOUNDED),
    },
)
claim_of_exponents(
    "corollary-3-8",
    "Corollary 3.8",
    "The cross-covariance Σ̄ of teacher and student features has d singular values bounded on both "
    "sides",
    "exponents in d of the d-th and of the first singular value of Σ̄, n = 8d",
    *(KERNEL, "dimension"),
    {"d-th": ("cross_low", KEPT), "first": ("cross_high", BOUNDED)},
)
for _form, _slug, _shown in (
    ("printed", "as-printed", "V̄Vᵀ/2π + 11ᵀ/d"),
    ("corrected", "corrected", "V̄Vᵀ/4 + 11ᵀ/4πd"),
):
    claim_of_exponent(
        f"theorem-3-7-{_slug}",
        f"Theorem 3.7 {_slug.replace('-', ' ')}",
        f"‖Σ̄ − ({_shown})‖_op → 0",
        "exponent in d of the norm, k = 2d",
        Below(-0.25),
        *(KERNEL, "dimension", _form),
    )
