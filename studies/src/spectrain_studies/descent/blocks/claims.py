"""Claims of §2.2: embeddings and transformer blocks at initialisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.descent.blocks.experiment import (
    BLOCKS,
    EXPONENTS,
    INPUTS,
    MATRICES,
    Blocks,
)
from spectrain_studies.descent.blocks.perturbed_norms import (
    DIRECTIONS,
    PERTURBED_NORMS,
    RATIOS,
    RESIDUALS,
    Residual,
)
from spectrain_studies.descent.blocks.tokens import EMBEDDED, zipf_exponent
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import KINDS
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.stated import claim_of_ratio
from spectrain_studies.descent.statistics import AT_MOST_1, RATE, exponent, largest, power
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import (
    AllOf,
    Always,
    Below,
    Found,
    Measured,
    Near,
    OnEvery,
    Results,
)
from spectrain_studies.frame.statistics import Array, over_seeds, violations

claim_of_ratio(
    "eq-2-15",
    "(2.15)",
    "The stable rank of the token indicators is exactly 1/p_max",
    "largest |st(H)·p_max − 1|, Zipf tokens",
    *(EMBEDDED, "indicator"),
    criterion=Below(1e-9),
)


@STUDY.claim(
    "zipf-exponent",
    source="§2.2.1, after (2.15)",
    statement="p_max ≈ 1/26 at 50,257 tokens is Zipf's law with exponent 0.86",
    statistic="s at which Σ j^(−s) = 26",
    criterion=Near(0.86, 0.005),
)
def zipf_law(config: Config) -> float:
    return zipf_exponent(50_257, 26.0)


@STUDY.claim(
    "lemma-2-9",
    source="Lemma 2.9",
    statement="Where all |‖x_t‖²/d − 1| ≤ ε, st(X) ≤ (1 + ε)/((1 − ε)p_max), and ε ~ √(log m/d)",
    statistic="largest st(X)·p_max(1 − ε)/(1 + ε), the same of RMSNorm(X) with the square, and the "
    "exponent of ε in d",
    criterion=AllOf({"embedding": AT_MOST_1, "normalised": AT_MOST_1, "exponent": RATE}),
    needs=[EMBEDDED],
    planted=planted(
        [EMBEDDED],
        lambda case, noise: {"excess": 0.9, "normed": 0.9, "spread": noise * case.width**-0.5},
        lambda case, noise: {"excess": 0.9, "normed": 1.1, "spread": noise * case.width**-0.5},
    ),
)
def lemma_2_9(config: Config, found: Results) -> Found:
    return {
        "embedding": largest(found, "excess"),
        "normalised": largest(found, "normed"),
        "exponent": exponent(found, "width", "spread"),
    }


claim_of_ratio(
    "lemma-2-10",
    "Lemma 2.10",
    "RMSNorm multiplies the stable rank by U/L at most",
    "largest st(RMSNorm X)/((U/L)·st(X)), seven kinds of X",
    *(RESIDUALS, "normed"),
)


@STUDY.claim(
    "lemma-2-11",
    source="Lemma 2.11",
    statement="‖x + g‖² is within 1 ± ε of ‖x‖² + ‖g‖² but for probability 4·exp(−ε²d/64)",
    statistic="largest share of draws outside over that bound; exponent in d of the 0.9-quantile, "
    "for ‖x‖² = 0.1, 1 and 10 times E‖g‖²",
    criterion=AllOf(
        {"probability": Below(1), **{f"exponent at {ratio:g}": RATE for ratio in RATIOS}}
    ),
    needs=[PERTURBED_NORMS],
    planted=planted(
        [PERTURBED_NORMS],
        lambda case, noise: {"excess": 0.5, "quantile": noise * case.width**-0.5},
        lambda case, noise: {"excess": 0.5, "quantile": noise},
    ),
)
def lemma_2_11(config: Config, found: Results) -> Found:
    def fitted(chosen: Results) -> float:
        widths = np.log([r.case.width for r in chosen])
        return float(np.polyfit(widths, np.log(chosen.stack("quantile")), 1)[0])

    exponents = {f"exponent at {ratio:g}": fitted(found.where(ratio=ratio)) for ratio in RATIOS}
    return {"probability": largest(found, "excess"), **exponents}


def _draws(found: Results, name: str) -> np.ndarray:
    """Draws of the Gaussian matrix × fixed matrices: kinds, widths and expansions."""
    pairs = dict.fromkeys((r.case.width, r.case.expansion) for r in found)
    rows = [
        found.where(kind=kind, width=width, expansion=expansion).stack(name).ravel()
        for kind in KINDS
        for width, expansion in pairs
    ]
    return np.stack(rows, 1)


def _contracted(case: Residual, ratio: float) -> dict[str, Any]:
    return {f"contracted_{name}": np.full(case.repeats, ratio) for name in ("relu", "abs")}


def _needed(case: Residual, delta: float) -> dict[str, Any]:
    beyond = delta > 1.5 * case.width**-0.5
    return {"needed": np.full(case.repeats, delta), "beyond": np.full(case.repeats, beyond)}


@STUDY.claim(
    "lemma-2-12",
    source="Lemma 2.12",
    statement="‖σ(WA)‖_F² ≥ (1 − ε)·½τ²P(|σ(g)| ≥ τ)·(k/d)‖A‖_F²",
    statistic="share of draws below the bound at ε = 0, six kinds of A",
    criterion=OnEvery("activation", Always()),
    needs=[RESIDUALS],
    planted=planted(
        [RESIDUALS],
        lambda case, noise: _contracted(case, 0.5),
        lambda case, noise: _contracted(case, 1.5),
    ),
)
def lemma_2_12(config: Config, found: Results) -> Found:
    return {name: violations(_draws(found, f"contracted_{name}") > 1) for name in ("relu", "abs")}


@STUDY.claim(
    "lemma-2-13",
    source="Lemma 2.13",
    statement="st(X + WH) ≤ (1 + δ)/(1 − δ)·(‖X‖_F² + d/k·‖H‖_F²)/max(‖X‖², d/k·‖H‖²), δ ~ d^(−½)",
    statistic="exponent in d of the 0.9-quantile of the δ that is needed, X and H of rank 1; share "
    "of draws that need more than δ = d^(−½), six other kinds",
    criterion=AllOf({"exponent": RATE, "elsewhere": Always()}),
    needs=[RESIDUALS],
    planted=planted(
        [RESIDUALS],
        lambda case, noise: _needed(case, noise * case.width**-0.5),
        lambda case, noise: _needed(case, noise * 0.2),
    ),
)
def lemma_2_13(config: Config, found: Results) -> Found:
    pairs = found.where(kind=DIRECTIONS, expansion=1)
    quantile = exponent(pairs, "width", lambda r: float(np.quantile(r["needed"], 0.9)))
    return {"exponent": quantile, "elsewhere": violations(_draws(found, "beyond"))}


def _stacks(found: Results, config: Config, name: str) -> Array:
    """Seeds × inputs × layers (× matrices) of the whole stacks."""
    chosen = found.where(layers=config.theory.block.layers)
    return np.stack([chosen.where(kind=kind).stack(name) for kind in INPUTS], 1)


@STUDY.claim(
    "proposition-2-14-norms",
    source="Proposition 2.14 (i)",
    statement="Columns of the block output keep (1 − δ)²c₋d ≤ ‖x⁺_t‖² ≤ (1 + δ)²(c₊ + 2)d",
    statistic="share of blocks with a column outside at δ = 0.24, 4 inputs, every layer, over "
    "stacks",
    criterion=Always(),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: {"low": np.full(case.layers, 1.1), "high": np.full(case.layers, 0.9)},
        lambda case, noise: {"low": np.full(case.layers, 0.9), "high": np.full(case.layers, 0.9)},
    ),
)
def proposition_2_14_norms(config: Config, found: Results) -> Measured:
    low, high = (_stacks(found, config, name) for name in ("low", "high"))
    return violations((low < 1) | (high > 1))


@STUDY.claim(
    "proposition-2-14-ranks",
    source="Proposition 2.14 (ii)",
    statement="Stable ranks inside a block are bounded by that of its input and by constants",
    statistic="share of blocks with a stable rank above its bound at δ = 0.24, 4 inputs, every "
    "layer, over stacks",
    criterion=OnEvery("matrix", Always()),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: {"shares": np.full((case.layers, len(MATRICES)), 0.9)},
        lambda case, noise: {"shares": np.full((case.layers, len(MATRICES)), 1.1)},
    ),
)
def proposition_2_14_ranks(config: Config, found: Results) -> Found:
    shares = _stacks(found, config, "shares")
    return {name: violations(shares[..., k] > 1) for k, name in enumerate(MATRICES)}


@STUDY.claim(
    "corollary-2-15-hidden",
    source="Corollary 2.15",
    statement="st(B) ≤ 2π in every layer",
    statistic="share of layers with st(B) above 2π, 4 inputs, over stacks",
    criterion=Always(),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: {"ranks": np.full((case.layers, len(MATRICES)), 3.0)},
        lambda case, noise: {"ranks": np.full((case.layers, len(MATRICES)), 7.0)},
    ),
)
def corollary_2_15_hidden(config: Config, found: Results) -> Measured:
    hidden = _stacks(found, config, "ranks")[..., MATRICES.index("hidden")]
    broken = violations(hidden > 2 * np.pi)
    note = "Printed for ℓ = 0, …, L; a stack of L blocks has ℓ = 0, …, L − 1"
    return Measured(broken.value, note=note, details={"largest": float(hidden.max())})


def _falling(case: Blocks, power: float) -> dict[str, Any]:
    rank = case.law[1] ** power
    return {"most": 1 / case.law[1], "input": rank, "ranks": np.full((1, len(MATRICES)), rank)}


@STUDY.claim(
    "corollary-2-15-embedding",
    source="Corollary 2.15",
    statement="In layer 0 the stable ranks of X, A^rms and A^rms_mlp are of order 1/p_max",
    statistic="exponents in 1/p_max of the drawn tokens as their Zipf exponent goes from 0.9 to 2",
    criterion=OnEvery("matrix", Below(1.1)),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: _falling(case, 1.0 * noise),
        lambda case, noise: _falling(case, 2.0 * noise),
    ),
)
def corollary_2_15_embedding(config: Config, found: Results) -> Found:
    laws = [(config.theory.block.vocabulary, s) for s in EXPONENTS]
    chosen = [found.where(kind="embedding", law=law, layers=1) for law in laws]
    inverse = -np.log(np.stack([r.stack("most") for r in chosen]))
    ranks = np.stack([r.stack("ranks")[:, 0] for r in chosen])
    rows = {name: ranks[..., MATRICES.index(name)] for name in ("rms", "mlp_rms")}
    rows["X"] = np.stack([r.stack("input") for r in chosen])
    return {
        name: over_seeds(
            [np.polyfit(x, y, 1)[0] for x, y in zip(inverse.T, np.log(values).T, strict=True)]
        )
        for name, values in rows.items()
    }


def _deepening(case: Blocks, power: float) -> Array:
    course = np.arange(1, case.layers + 1) ** power
    return np.repeat(course[:, None], len(MATRICES), axis=1)


@STUDY.claim(
    "corollary-2-15-depth",
    source="Corollary 2.15",
    statement="For ℓ ≥ 1 the stable ranks of A^rms and A^rms_mlp grow no faster than (1 + ℓ)²",
    statistic="exponent of the stable ranks in 1 + ℓ, ℓ ≥ 1",
    criterion=OnEvery("input and matrix", Below(2)),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: {"ranks": _deepening(case, 1.0 * noise)},
        lambda case, noise: {"ranks": _deepening(case, 3.0 * noise)},
    ),
)
def corollary_2_15_depth(config: Config, found: Results) -> Found:
    ranks = _stacks(found, config, "ranks")[:, :, 1:]
    depths = np.arange(ranks.shape[2]) + 2
    return {
        f"{kind}, {name}": power(depths.tolist(), ranks[:, k, :, MATRICES.index(name)].T)
        for k, kind in enumerate(INPUTS)
        for name in ("rms", "mlp_rms")
    }


def _of_last(case: Blocks, state: float, represented: float) -> dict[str, Any]:
    course = np.arange(1, case.layers + 1)
    ranks = np.ones((case.layers, len(MATRICES)))
    ranks[:, MATRICES.index("output")] = (course + 1.0) ** state
    ranks[:, MATRICES.index("rms")] = course**represented
    return {"ranks": ranks}


@STUDY.claim(
    "corollary-2-15-last-state",
    source="Corollary 2.15",
    statement="The last hidden state's stable rank is of order 1 + L at most, and that of the "
    "representation that the head reads of order (1 + L)²",
    statistic="exponents in 1 + L of both, L from 1 on",
    criterion=AllOf(
        {
            **{f"hidden state, {kind}": Below(1) for kind in INPUTS},
            **{f"representation, {kind}": Below(2) for kind in INPUTS},
        }
    ),
    needs=[BLOCKS],
    planted=planted(
        [BLOCKS],
        lambda case, noise: _of_last(case, 0.5 * noise, 1.0 * noise),
        lambda case, noise: _of_last(case, 0.5 * noise, 3.0 * noise),
    ),
)
def corollary_2_15_last_state(config: Config, found: Results) -> Found:
    """RMSNorm(X^(L)) is what the next block would read, so that deeper stacks hold it."""
    ranks = _stacks(found, config, "ranks")
    followed = {
        "hidden state": ranks[..., MATRICES.index("output")],
        "representation": ranks[:, :, 1:, MATRICES.index("rms")],
    }
    return {
        f"{name}, {kind}": power((np.arange(values.shape[2]) + 2).tolist(), values[:, k].T)
        for name, values in followed.items()
        for k, kind in enumerate(INPUTS)
    }
