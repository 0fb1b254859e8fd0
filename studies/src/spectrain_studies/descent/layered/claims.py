"""Claims of §1.2 and §4, and of Appendix G: curvature of layered models and one-step guarantees."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.layered.attention import ATTENTION
from spectrain_studies.descent.layered.experiment import NETWORKS
from spectrain_studies.descent.layered.one_step import ALGEBRA, DESCENDING, STEPPED
from spectrain_studies.descent.planted import planted, powers
from spectrain_studies.descent.stated import claim_of_exponent, claim_of_ratio
from spectrain_studies.descent.statistics import (
    AT_LEAST_1,
    AT_MOST_1,
    BOUNDED,
    exponent,
    largest,
    smallest,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    AllOf,
    Below,
    Found,
    Measured,
    Near,
    OnEvery,
    Results,
    Skill,
    Within,
)
from spectrain_studies.frame.statistics import Array, skill

EACH = "activation and loss"

claim_of_ratio(
    "lemma-4-1",
    "Lemma 4.1, (4.1)",
    "‖U^(ℓ)‖_F ≤ Γ‖B^(ℓ)‖_F: first derivatives of the preactivations",
    "largest left over right side: MLPs of tanh and GELU of many depths and scales, along random, "
    "gradient, polar and leading Hessian directions",
    *(NETWORKS, "first"),
)
claim_of_ratio(
    "lemma-4-2",
    "Lemma 4.2, (4.2)",
    "‖D²X[Δ, Δ]‖_F is bounded by Θ, Γ, J_Φ, H_Φ and L",
    "largest left over right side, same networks and directions",
    *(NETWORKS, "second"),
)
claim_of_ratio(
    "proposition-4-3",
    "Proposition 4.3, (4.4) and (4.5)",
    "|⟨Δ, ∇²L Δ⟩| ≤ C_F Σ‖Δ_ℓA_{ℓ−1}‖_F² + C_op Σ‖Δ_ℓ‖_op²",
    "largest left over right side with J_Φ = sup|σ′|, H_Φ = sup|σ″| and J_f, H_f of the squared "
    "loss and of cross-entropy; the constants are safe by orders of magnitude",
    *(NETWORKS, "hessian"),
    by=["activation", "loss"],
)


def _in_samples(found: Results, name: str) -> dict[str, Measured]:
    """Exponents in n of a constant at depth 2, larger half of n, by activation and loss."""
    chosen = found.where(depth=2, scale=1.0)
    return {
        f"{activation}, {loss}": exponent(
            chosen.where(activation=activation, loss=loss), "samples", name, larger=True
        )
        for activation, loss in dict.fromkeys((r.case.activation, r.case.loss) for r in chosen)
    }


def _claim_in_samples(
    name: str, source: str, statement: str, statistic: str, constant: str, criterion: Within
) -> None:
    @STUDY.claim(
        f"curvature-scaling-{name}",
        source=source,
        statement=statement,
        statistic=f"{statistic}, larger half of n, depth 2",
        criterion=OnEvery(EACH, criterion),
        needs=[NETWORKS],
        planted=powers(NETWORKS, "samples", criterion, lambda case, value: {constant: value}),
    )
    def judge(config: Config, found: Results) -> Found:
        return _in_samples(found, constant)


_claim_in_samples(
    "slopes",
    "§4.2, scaling with the number of samples",
    "For averaged losses J_f is of order n^(−½) and H_f = 1/n",
    "exponent of J_f in n; H_f is 1/n by definition",
    *("loss_slope", Near(-0.5, 0.1)),
)
_claim_in_samples(
    "printed",
    "§1.2.1 and §4.2, as printed",
    "C_F of (4.5) scales like 1/n",
    "exponent of C_F in n",
    *("feature", Near(-1.0, 0.1)),
)
_claim_in_samples(
    "measured",
    "§4.2, scaling with the number of samples",
    "The curvature per feature energy itself is of order 1/n, so that its contribution does not "
    "grow with n",
    "exponent in n of the largest |⟨Δ, ∇²L Δ⟩|/Σ‖Δ_ℓA_{ℓ−1}‖_F²",
    *("curvature", Near(-1.0, 0.2)),
)


@STUDY.claim(
    "curvature-scaling-repaired",
    source="this project, on (4.5)",
    statement="It does, and still bounds the Hessian, with the largest column of ∇f for J_f in its "
    "middle term, as columns pass through an MLP apart from each other",
    statistic="exponent of the repaired C_F in n, larger half of n; largest left over right side "
    "of (4.4) with it",
    criterion=AllOf({"exponents": OnEvery(EACH, Near(-1.0, 0.1)), "bound": AT_MOST_1}),
    needs=[NETWORKS],
    planted=planted(
        [NETWORKS],
        lambda case, noise: {"columnwise": noise / case.samples, "repaired_hessian": 0.9},
        lambda case, noise: {"columnwise": noise / case.samples, "repaired_hessian": 1.1},
    ),
)
def scaling_repaired(config: Config, found: Results) -> Found:
    exponents = _in_samples(found, "columnwise")
    return {"exponents": exponents, "bound": largest(found, "repaired_hessian")}


@STUDY.claim(
    "attention-slope-printed",
    source="§4.2.1, derivative bounds",
    statement="J_Φ of attention is bounded by operator norms of projections, whatever d and n",
    statistic="exponent of J_Φ in d = n where queries tie two keys and all ‖W‖_op are 1",
    criterion=BOUNDED,
    needs=[ATTENTION],
    planted=powers(ATTENTION, "size", BOUNDED, lambda case, value: {"slope": value}),
)
def attention_printed(config: Config, found: Results) -> Measured:
    sizes = config.theory.layered.sizes
    slopes = [found.where(kind="torn", size=size).only()["slope"] for size in sizes]
    fitted = float(np.polyfit(np.log(sizes), np.log(slopes), 1)[0])
    note = "It is √(dn)/2 there at least: the derivative in K moves every output along V."
    return Measured(fitted, note=note, details=dict(zip(map(str, sizes), slopes, strict=True)))


claim_of_exponent(
    "attention-slope-initial",
    "§4.2.1, derivative bounds, at initialisation",
    "At Gaussian initialisation and inputs J_Φ of attention stays bounded",
    "exponent of J_Φ in d = n",
    BOUNDED,
    *(ATTENTION, "size", "slope"),
    kind="gaussian",
)

_guaranteed = partial(claim_of_ratio, of=smallest, criterion=AT_LEAST_1)
TIGHT = (
    "smallest decrease over its guarantee, MLPs of tanh and GELU, both losses, with C_F and C_op "
    "made as small as (4.4) allows along the step"
)
_guaranteed(
    "eq-4-14",
    "(4.13) and (4.14)",
    "GD lowers the quadratic model by ½Σ‖G‖_F²/(L_F + C_op/st(G)) at least",
    TIGHT,
    *(STEPPED, "euclidean"),
)
_guaranteed(
    "eq-4-15",
    "(4.15)",
    "So does the mixed step by its guarantee, spectral on all or on inner blocks",
    TIGHT,
    *(STEPPED, "spectral", "mixed"),
)


@STUDY.claim(
    "eq-4-18",
    source="(4.16)–(4.18)",
    statement="(4.17) is equivalent to nr(G) ≥ st(A), and this implies (4.16)",
    statistic="share of random nr, st(A), st(G) ≤ nr and α that contradict either",
    criterion=Below(0),
    needs=[ALGEBRA],
    planted=planted(
        [ALGEBRA],
        lambda case, noise: {"sufficient": [True], "with_nuclear": [True], "exact": [True]},
        lambda case, noise: {"sufficient": [True], "with_nuclear": [True], "exact": [False]},
    ),
)
def eq_4_18(config: Config, found: Results) -> Measured:
    sufficient, weaker, exact = (
        np.concatenate([r[name] for r in found]).astype(bool)
        for name in ("sufficient", "with_nuclear", "exact")
    )
    wrong = (sufficient != weaker) | (sufficient & ~exact)
    told = {"satisfy (4.18)": float(sufficient.mean()), "satisfy (4.16)": float(exact.mean())}
    return Measured(float(wrong.mean()), details=told, seeds=len(found))


_guaranteed(
    "section-4-5",
    "§4.5",
    "Norm gains: GD and sign steps gain ‖g‖_2²/2a_GD and ‖g‖_1²/2a_Spec at least",
    "smallest decrease over its guarantee along gradient descent, six kinds of features",
    *(DESCENDING, "euclidean", "spectral"),
    problem="gain",
)


@STUDY.claim(
    "section-4-5-equality",
    source="this project, on §4.5",
    statement="A sign step gains exactly its guarantee in least squares, as ‖Diag(±1)A‖_F = ‖A‖_F; "
    "where ‖g‖_1²/‖g‖_2² < st(A) the Euclidean step is surely better",
    statistic="largest |decrease/guarantee − 1| of the sign step; and share of such iterates where "
    "it gains more",
    criterion=AllOf({"equality": Below(1e-6), "wrong": Below(0)}),
    needs=[DESCENDING],
    planted=planted(
        [DESCENDING],
        lambda case, noise: {"spectral": [1.0], "euclidean": [1.5], "ratio": [0.9]},
        lambda case, noise: {"spectral": [1.0], "euclidean": [0.5], "ratio": [0.9]},
    ),
)
def section_4_5_equality(config: Config, found: Results) -> Found:
    chosen = found.where(problem="gain")
    euclidean, spectral, ratio = (
        np.concatenate([r[name] for r in chosen]) for name in ("euclidean", "spectral", "ratio")
    )
    unfavoured = ratio < 1
    wrong = ((spectral * ratio > euclidean) & unfavoured).sum() / max(unfavoured.sum(), 1)
    told = {"iterates with ρ < 1": int(unfavoured.sum())}
    return {
        "equality": float(np.abs(spectral - 1).max()),
        "wrong": Measured(float(wrong), details=told),
    }


_guaranteed(
    "eq-1-6",
    "(1.6)",
    "For an outer loss with L-Lipschitz gradient both steps gain their guarantees, with L·L_F and "
    "L·L_op",
    "smallest decrease over its guarantee along gradient descent on cross-entropy (L = 1/2n), six "
    "kinds of inputs, bare and as ReLU features",
    *(DESCENDING, "euclidean", "spectral"),
    problem="cross-entropy",
)


def _foretold(favoured: bool, *, happened: bool) -> dict[str, Any]:
    ratio = 1.5 if favoured else 0.5
    course = {"ratio": ratio, "spectral": (2.0 if happened else 0.5) / ratio, "euclidean": 1.0}
    return {name: [value] for name, value in course.items()}


@STUDY.claim(
    "eq-1-6-criterion",
    source="(1.5) beyond least squares",
    statement="Under cross-entropy nr(∇L) ≥ st(A) tells which of the two steps gains more",
    statistic="share of iterates where it tells right, minus that of the better constant answer, "
    "six kinds of inputs, bare and as ReLU features, mean over seeds",
    criterion=Skill(),
    needs=[DESCENDING],
    planted=planted(
        [DESCENDING],
        lambda case, noise: _foretold(case.features == "relu", happened=case.features == "relu"),
        lambda case, noise: _foretold(case.features == "relu", happened=case.features != "relu"),
    ),
)
def eq_1_6_criterion(config: Config, found: Results) -> Measured:
    chosen = found.where(problem="cross-entropy")
    seeds = [chosen.where(seed=seed) for seed in range(config.theory.layered.seeds)]
    length = min(len(r["ratio"]) for r in chosen)

    def of(name: str) -> Array:
        return np.array([[r[name][:length] for r in group] for group in seeds])

    ratio, realised = of("ratio"), of("spectral") * of("ratio") / of("euclidean")
    inside = (realised >= ratio / 2) & (realised <= 2 * ratio)
    told = {"within [½ρ, 2ρ], no theorem here": float(inside.mean())}
    said = skill(ratio >= 1, realised > 1)
    return replace(said, details={**said.details, **told})


_guaranteed(
    "lemma-g-1",
    "Lemma G.1",
    "σ_q([a zᵀ; 0 D]) ≥ min(|a|, σ_{q−1}(D))/(1 + ‖z‖/|a|)",
    "smallest left over right side, random matrices of entries of many orders",
    *(ALGEBRA, "blocked"),
)
_guaranteed(
    "lemma-g-2",
    "Lemma G.2",
    "‖M Diag(v)‖_* ≥ min_{i∈P}|v_i|·‖M_P‖_*",
    "smallest left over right side, P the larger half of v",
    *(ALGEBRA, "weighted"),
)
