"""Claims of §1.2 and §4, and of Appendix G: curvature of layered models and one-step guarantees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.descent.attention_slope import ATTENTION
from spectrain_studies.descent.claims_activations import largest
from spectrain_studies.descent.claims_samples import exponent
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.layered import LOSSES, NETWORKS, SMOOTH
from spectrain_studies.descent.one_step import ALGEBRA, DESCENDING, STEPPED
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    Judgement,
    Measured,
    Results,
    Skill,
    above,
    below,
    combined,
    within,
)
from spectrain_studies.frame.statistics import skill

ROUND_OFF = 1e-6
"""Room for round-off in inequalities that may be equalities."""


@STUDY.claim(
    "lemma-4-1",
    source="Lemma 4.1, (4.1)",
    statement="‖U^(ℓ)‖_F ≤ Γ‖B^(ℓ)‖_F: first derivatives of the preactivations",
    statistic="largest left over right side: MLPs of tanh and GELU of many depths and scales, "
    "along random, gradient, polar and leading Hessian directions",
    criterion="at most 1",
    needs=[NETWORKS],
)
def lemma_4_1(config: Config, found: Results) -> Judgement:
    return largest(found, "first")


@STUDY.claim(
    "lemma-4-2",
    source="Lemma 4.2, (4.2)",
    statement="‖D²X[Δ, Δ]‖_F is bounded by Θ, Γ, J_Φ, H_Φ and L",
    statistic="largest left over right side, same networks and directions",
    criterion="at most 1",
    needs=[NETWORKS],
)
def lemma_4_2(config: Config, found: Results) -> Judgement:
    return largest(found, "second")


@STUDY.claim(
    "proposition-4-3",
    source="Proposition 4.3, (4.4) and (4.5)",
    statement="|⟨Δ, ∇²L Δ⟩| ≤ C_F Σ‖Δ_ℓA_{ℓ−1}‖_F² + C_op Σ‖Δ_ℓ‖_op²",
    statistic="largest left over right side with J_Φ = sup|σ′|, H_Φ = sup|σ″| and J_f, H_f of the "
    "squared loss and of cross-entropy",
    criterion="at most 1, each activation and loss",
    needs=[NETWORKS],
)
def proposition_4_3(config: Config, found: Results) -> Judgement:
    return combined(
        {
            f"{name}, {loss}": largest(found.where(activation=name, loss=loss), "hessian")
            for name in SMOOTH
            for loss in LOSSES
        },
        note="The constants are safe by orders of magnitude, the more so the deeper.",
    )


def _in_samples(config: Config, found: Results, name: str, loss: str) -> dict[str, Estimate]:
    """Exponents in n of a constant at depth 2, by activation."""
    sizes = config.theory.layered.samples
    half = (len(sizes) - 1) // 2
    fitted = {}
    for activation in SMOOTH:
        chosen = found.where(activation=activation, loss=loss, depth=2, scale=1.0)
        rows = [chosen.where(samples=count).stack(name) for count in sizes[half:]]
        fitted[activation] = exponent(sizes[half:], np.stack(rows))
    return fitted


def _exponents(config: Config, found: Results, name: str, low: float, high: float) -> Judgement:
    return combined(
        {
            f"{activation}, {loss}": within(estimate, low, high)
            for loss in LOSSES
            for activation, estimate in _in_samples(config, found, name, loss).items()
        }
    )


@STUDY.claim(
    "curvature-scaling-slopes",
    source="§4.2, scaling with the number of samples",
    statement="For averaged losses J_f is of order n^(−½) and H_f = 1/n",
    statistic="exponent of J_f in n, larger half of n; H_f is 1/n by definition",
    criterion="between −0.6 and −0.4, each activation and loss",
    needs=[NETWORKS],
)
def scaling_slopes(config: Config, found: Results) -> Judgement:
    return _exponents(config, found, "loss_slope", -0.6, -0.4)


@STUDY.claim(
    "curvature-scaling-printed",
    source="§1.2.1 and §4.2, as printed",
    statement="C_F of (4.5) scales like 1/n",
    statistic="exponent of C_F in n, larger half of n, depth 2",
    criterion="between −1.1 and −0.9, each activation and loss",
    needs=[NETWORKS],
)
def scaling_printed(config: Config, found: Results) -> Judgement:
    return _exponents(config, found, "feature", -1.1, -0.9)


@STUDY.claim(
    "curvature-scaling-repaired",
    source="this project, on (4.5)",
    statement="It does, and still bounds the Hessian, with the largest column of ∇f for J_f in its "
    "middle term, as columns pass through an MLP apart from each other",
    statistic="exponent of the repaired C_F in n, larger half of n; largest left over right side "
    "of (4.4) with it",
    criterion="exponents between −1.1 and −0.9, ratio at most 1",
    needs=[NETWORKS],
)
def scaling_repaired(config: Config, found: Results) -> Judgement:
    return combined(
        {
            "exponents": _exponents(config, found, "columnwise", -1.1, -0.9),
            "bound": largest(found, "repaired_hessian"),
        }
    )


@STUDY.claim(
    "curvature-scaling-measured",
    source="§4.2, scaling with the number of samples",
    statement="The curvature per feature energy itself is of order 1/n, so that its contribution "
    "does not grow with n",
    statistic="exponent in n of the largest |⟨Δ, ∇²L Δ⟩|/Σ‖Δ_ℓA_{ℓ−1}‖_F², larger half of n",
    criterion="between −1.2 and −0.8, each activation and loss",
    needs=[NETWORKS],
)
def scaling_measured(config: Config, found: Results) -> Judgement:
    return _exponents(config, found, "curvature", -1.2, -0.8)


def _sizes(config: Config, found: Results, kind: str) -> Estimate:
    sizes = config.theory.layered.sizes
    rows = [found.where(kind=kind, size=size).stack("slope") for size in sizes]
    return exponent(sizes, np.stack(rows))


@STUDY.claim(
    "attention-slope-printed",
    source="§4.2.1, derivative bounds",
    statement="J_Φ of attention is bounded by operator norms of projections, whatever d and n",
    statistic="exponent of J_Φ in d = n where queries tie two keys and all ‖W‖_op are 1",
    criterion="below 0.1",
    needs=[ATTENTION],
)
def attention_printed(config: Config, found: Results) -> Judgement:
    sizes = config.theory.layered.sizes
    slopes = [found.where(kind="torn", size=size).only()["slope"] for size in sizes]
    fitted = float(np.polyfit(np.log(sizes), np.log(slopes), 1)[0])
    return below(
        fitted,
        0.1,
        details=dict(zip(map(str, sizes), slopes, strict=True)),
        note="It is √(dn)/2 there at least: the derivative in K moves every output along V.",
    )


@STUDY.claim(
    "attention-slope-initial",
    source="§4.2.1, derivative bounds, at initialisation",
    statement="At Gaussian initialisation and inputs J_Φ of attention stays bounded",
    statistic="exponent of J_Φ in d = n",
    criterion="below 0.1",
    needs=[ATTENTION],
)
def attention_initial(config: Config, found: Results) -> Judgement:
    return below(_sizes(config, found, "gaussian"), 0.1)


@STUDY.claim(
    "eq-4-14",
    source="(4.13) and (4.14)",
    statement="GD lowers the quadratic model by ½Σ‖G‖_F²/(L_F + C_op/st(G)) at least",
    statistic="smallest decrease over its guarantee, MLPs of tanh and GELU, both losses",
    criterion="at least 1",
    needs=[STEPPED],
)
def eq_4_14(config: Config, found: Results) -> Judgement:
    return _smallest(found, "euclidean")


@STUDY.claim(
    "eq-4-15",
    source="(4.15)",
    statement="So does the mixed step by its guarantee, spectral on all or on inner blocks",
    statistic="smallest decrease over its guarantee, the same networks",
    criterion="at least 1, both sets of blocks",
    needs=[STEPPED],
)
def eq_4_15(config: Config, found: Results) -> Judgement:
    return combined({name: _smallest(found, name) for name in ("spectral", "mixed")})


def _smallest(found: Results, name: str) -> Judgement:
    values = np.concatenate([np.ravel(r[name]) for r in found])
    return above(float(values.min()), 1 - ROUND_OFF, seeds=len(found))


@STUDY.claim(
    "eq-4-18",
    source="(4.16)–(4.18)",
    statement="(4.17) is equivalent to nr(G) ≥ st(A), and this implies (4.16)",
    statistic="share of random nr, st(A), st(G) ≤ nr and α that contradict either",
    criterion="0",
    needs=[ALGEBRA],
)
def eq_4_18(config: Config, found: Results) -> Judgement:
    sufficient, weaker, exact = (
        np.concatenate([r[name] for r in found]).astype(bool)
        for name in ("sufficient", "with_nuclear", "exact")
    )
    wrong = (sufficient != weaker) | (sufficient & ~exact)
    told = {"satisfy (4.18)": float(sufficient.mean()), "satisfy (4.16)": float(exact.mean())}
    return below(float(wrong.mean()), 0.0, details=told, seeds=len(found))


@STUDY.claim(
    "section-4-5",
    source="§4.5",
    statement="Norm gains: GD and sign steps gain ‖g‖_2²/2a_GD and ‖g‖_1²/2a_Spec at least",
    statistic="smallest decrease over its guarantee along gradient descent, six kinds of features",
    criterion="at least 1, both steps",
    needs=[DESCENDING],
)
def section_4_5(config: Config, found: Results) -> Judgement:
    chosen = found.where(problem="gain")
    return combined({name: _smallest(chosen, name) for name in ("euclidean", "spectral")})


@STUDY.claim(
    "section-4-5-equality",
    source="this project, on §4.5",
    statement="A sign step gains exactly its guarantee in least squares, as ‖Diag(±1)A‖_F = ‖A‖_F; "
    "where ‖g‖_1²/‖g‖_2² < st(A) the Euclidean step is surely better",
    statistic="largest |decrease/guarantee − 1| of the sign step; and share of such iterates where "
    "it gains more",
    criterion="below 1e-6, and 0",
    needs=[DESCENDING],
)
def section_4_5_equality(config: Config, found: Results) -> Judgement:
    chosen = found.where(problem="gain")
    euclidean, spectral, ratio = _courses(chosen)
    unfavoured = ratio < 1
    better = spectral * ratio > euclidean
    wrong = float((better & unfavoured).sum() / max(unfavoured.sum(), 1))
    return combined(
        {
            "equality": below(float(np.abs(spectral - 1).max()), 1e-6),
            "wrong": below(wrong, 0.0, details={"iterates with ρ < 1": int(unfavoured.sum())}),
        }
    )


def _courses(found: Results) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decreases over their guarantees and ρ, over all iterates."""
    euclidean, spectral, ratio = (
        np.concatenate([r[name] for r in found]) for name in ("euclidean", "spectral", "ratio")
    )
    return euclidean, spectral, ratio


@STUDY.claim(
    "eq-1-6",
    source="(1.6)",
    statement="For an outer loss with L-Lipschitz gradient both steps gain their guarantees, with "
    "L·L_F and L·L_op",
    statistic="smallest decrease over its guarantee along gradient descent on cross-entropy "
    "(L = 1/2n), six kinds of features",
    criterion="at least 1, both steps",
    needs=[DESCENDING],
)
def eq_1_6(config: Config, found: Results) -> Judgement:
    chosen = found.where(problem="cross-entropy")
    return combined({name: _smallest(chosen, name) for name in ("euclidean", "spectral")})


@STUDY.claim(
    "eq-1-6-criterion",
    source="(1.5) beyond least squares",
    statement="Under cross-entropy nr(∇L) ≥ st(A) tells which of the two steps gains more",
    statistic="share of iterates where it tells right, minus that of the better constant answer, "
    "mean over courses",
    criterion=Skill(),
    needs=[DESCENDING],
)
def eq_1_6_criterion(config: Config, found: Results) -> Measured:
    chosen = found.where(problem="cross-entropy")
    euclidean, spectral, ratio = (chosen.stack(n) for n in ("euclidean", "spectral", "ratio"))
    realised = spectral * ratio / euclidean
    inside = (realised >= ratio / 2) & (realised <= 2 * ratio)
    told = {
        "favoured": float((ratio >= 1).mean()),
        "spectral better": float((realised > 1).mean()),
        "within [½ρ, 2ρ], no theorem here": float(inside.mean()),
    }
    said = skill(ratio >= 1, realised > 1)
    return replace(said, details={**said.details, **told})


@STUDY.claim(
    "lemma-g-1",
    source="Lemma G.1",
    statement="σ_q([a zᵀ; 0 D]) ≥ min(|a|, σ_{q−1}(D))/(1 + ‖z‖/|a|)",
    statistic="smallest left over right side, random matrices of entries of many orders",
    criterion="at least 1",
    needs=[ALGEBRA],
)
def lemma_g_1(config: Config, found: Results) -> Judgement:
    return _smallest(found, "blocked")


@STUDY.claim(
    "lemma-g-2",
    source="Lemma G.2",
    statement="‖M Diag(v)‖_* ≥ min_{i∈P}|v_i|·‖M_P‖_*",
    statistic="smallest left over right side, P the larger half of v",
    criterion="at least 1",
    needs=[ALGEBRA],
)
def lemma_g_2(config: Config, found: Results) -> Judgement:
    return _smallest(found, "weighted")
