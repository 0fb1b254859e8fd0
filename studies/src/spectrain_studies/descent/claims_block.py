"""Claims of §2.2: embeddings and transformer blocks at initialisation."""

from __future__ import annotations

import numpy as np

from spectrain_studies.descent.claims_activations import largest
from spectrain_studies.descent.claims_samples import RATE, exponent
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.perturbed_norms import (
    DIRECTIONS,
    PERTURBED_NORMS,
    RATIOS,
    RESIDUALS,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.descent.tokens import EMBEDDED, zipf_exponent
from spectrain_studies.descent.transformer_block import BLOCKS, EXPONENTS, INPUTS, MATRICES
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.frame.statistics import Array, over_seeds, share


@STUDY.claim(
    "eq-2-15",
    source="(2.15)",
    statement="The stable rank of the token indicators is exactly 1/p_max",
    statistic="largest |st(H)·p_max − 1|, Zipf tokens",
    criterion="below 1e-9",
    needs=[EMBEDDED],
)
def eq_2_15(config: Config, found: Results) -> Judgement:
    return below(float(max(abs(r["indicator"] - 1) for r in found)), 1e-9, seeds=len(found))


@STUDY.claim(
    "zipf-exponent",
    source="§2.2.1, after (2.15)",
    statement="p_max ≈ 1/26 at 50,257 tokens is Zipf's law with exponent 0.86",
    statistic="s at which Σ j^(−s) = 26",
    criterion="between 0.855 and 0.865",
)
def zipf_law(config: Config) -> Judgement:
    return within(zipf_exponent(50_257, 26.0), 0.855, 0.865)


@STUDY.claim(
    "lemma-2-9",
    source="Lemma 2.9",
    statement="Where all |‖x_t‖²/d − 1| ≤ ε, st(X) ≤ (1 + ε)/((1 − ε)p_max), and ε ~ √(log m/d)",
    statistic="largest st(X)·p_max(1 − ε)/(1 + ε), the same of RMSNorm(X) with the square, and the "
    "exponent of ε in d",
    criterion="ratios at most 1, exponent below −0.4",
    needs=[EMBEDDED],
)
def lemma_2_9(config: Config, found: Results) -> Judgement:
    widths = config.theory.block.widths
    spreads = np.stack([[r["spread"] for r in found.where(width=width)] for width in widths])
    return combined(
        {
            "embedding": largest(found, "excess"),
            "normalised": largest(found, "normed"),
            "exponent": below(exponent(widths, spreads), RATE),
        }
    )


@STUDY.claim(
    "lemma-2-10",
    source="Lemma 2.10",
    statement="RMSNorm multiplies the stable rank by U/L at most",
    statistic="largest st(RMSNorm X)/((U/L)·st(X)), six kinds of X",
    criterion="at most 1",
    needs=[RESIDUALS],
)
def lemma_2_10(config: Config, found: Results) -> Judgement:
    return largest(found, "normed")


@STUDY.claim(
    "lemma-2-11",
    source="Lemma 2.11",
    statement="‖x + g‖² is within 1 ± ε of ‖x‖² + ‖g‖² but for probability 4·exp(−ε²d/64)",
    statistic="largest share of draws outside over that bound; exponent in d of the 0.9-quantile",
    criterion="below 1, and below −0.4 for ‖x‖² = 0.1, 1 and 10 times E‖g‖²",
    needs=[PERTURBED_NORMS],
)
def lemma_2_11(config: Config, found: Results) -> Judgement:
    excess = max(float((r["share"] / r["bound"]).max()) for r in found)
    parts = {"probability": below(excess, 1.0)}
    for ratio in RATIOS:
        chosen = found.where(ratio=ratio)
        widths = np.log([r.case.width for r in chosen])
        fitted = np.polyfit(widths, np.log([r["quantile"] for r in chosen]), 1)[0]
        parts[f"exponent at {ratio:g}"] = below(float(fitted), RATE)
    return combined(parts)


@STUDY.claim(
    "lemma-2-12",
    source="Lemma 2.12",
    statement="‖σ(WA)‖_F² ≥ (1 − ε)·½τ²P(|σ(g)| ≥ τ)·(k/d)‖A‖_F²",
    statistic="largest bound at ε = 0 over the norm, ReLU and |t|, six kinds of A",
    criterion="below 1",
    needs=[RESIDUALS],
)
def lemma_2_12(config: Config, found: Results) -> Judgement:
    return combined({name: largest(found, f"contracted_{name}", 1.0) for name in ("relu", "abs")})


@STUDY.claim(
    "lemma-2-13",
    source="Lemma 2.13",
    statement="st(X + WH) ≤ (1 + δ)/(1 − δ)·(‖X‖_F² + d/k·‖H‖_F²)/max(‖X‖², d/k·‖H‖²), δ ~ d^(−½)",
    statistic="share of draws above the bound at δ = 0.24, seven kinds of X and H; exponent in d "
    "of the spread of st, X and H of rank 1",
    criterion="share below 0.05, exponent below −0.4",
    needs=[RESIDUALS],
)
def lemma_2_13(config: Config, found: Results) -> Judgement:
    block = config.theory.block
    limit = (1 + block.delta) / (1 - block.delta)
    flags = np.concatenate([r["summed"] for r in found]) > limit
    pairs = found.where(kind=DIRECTIONS, expansion=1)
    rows = [pairs.where(width=width).stack("summed").std(1) for width in block.widths]
    return combined(
        {
            "share": below(share(flags), 0.05, details={"bound": limit}),
            "exponent": below(exponent(block.widths, np.stack(rows)), RATE),
        }
    )


@STUDY.claim(
    "proposition-2-14-norms",
    source="Proposition 2.14 (i)",
    statement="Columns of the block output keep (1 − δ)²c₋d ≤ ‖x⁺_t‖² ≤ (1 + δ)²(c₊ + 2)d",
    statistic="smallest norm over the lower bound, largest over the upper, 4 inputs, every block",
    criterion="at least 1, and at most 1",
    needs=[BLOCKS],
)
def proposition_2_14_norms(config: Config, found: Results) -> Judgement:
    low = min(float(r["low"].min()) for r in found)
    return combined({"low": above(low, 1.0), "high": largest(found, "high", 1.0)})


@STUDY.claim(
    "proposition-2-14-ranks",
    source="Proposition 2.14 (ii)",
    statement="Stable ranks inside a block are bounded by that of its input and by constants",
    statistic="largest stable rank over its bound at δ = 0.24, by matrix, 4 inputs, every block",
    criterion="at most 1, each of the five",
    needs=[BLOCKS],
)
def proposition_2_14_ranks(config: Config, found: Results) -> Judgement:
    shares = np.concatenate([r["shares"] for r in found])
    return combined(
        {name: below(float(shares[:, i].max()), 1.0) for i, name in enumerate(MATRICES)}
    )


def _stacks(found: Results, config: Config, kind: str) -> Results:
    return found.where(kind=kind, layers=config.theory.block.layers)


@STUDY.claim(
    "corollary-2-15-hidden",
    source="Corollary 2.15",
    statement="st(B) ≤ 2π in every layer",
    statistic="largest st(B), 4 inputs, all layers",
    criterion="below 2π",
    needs=[BLOCKS],
)
def corollary_2_15_hidden(config: Config, found: Results) -> Judgement:
    hidden = max(float(r["ranks"][:, MATRICES.index("hidden")].max()) for r in found)
    return below(
        hidden,
        2 * np.pi,
        seeds=config.theory.block.seeds,
        note="Printed for ℓ = 0, …, L; a stack of L blocks has ℓ = 0, …, L − 1.",
    )


@STUDY.claim(
    "corollary-2-15-embedding",
    source="Corollary 2.15",
    statement="In layer 0 the stable ranks of X, A^rms and A^rms_mlp are of order 1/p_max",
    statistic="exponents in 1/p_max of the drawn tokens as their Zipf exponent goes from 0.9 to 2",
    criterion="below 1.1, each",
    needs=[BLOCKS],
)
def corollary_2_15_embedding(config: Config, found: Results) -> Judgement:
    chosen = [found.where(kind="embedding", law=_law(config, s), layers=1) for s in EXPONENTS]
    inverse = -np.log(np.stack([r.stack("most") for r in chosen]))
    rows: dict[str, Array] = {"X": np.stack([r.stack("input") for r in chosen])}
    for name in ("rms", "mlp_rms"):
        place = MATRICES.index(name)
        rows[name] = np.stack([r.stack("ranks")[:, 0, place] for r in chosen])
    return combined(
        {
            name: below(over_seeds(_slopes(inverse, np.log(values))), 1.1)
            for name, values in rows.items()
        }
    )


def _slopes(x: Array, y: Array) -> list[float]:
    """Least-squares slope of every column of y in that of x."""
    return [float(np.polyfit(x[:, i], y[:, i], 1)[0]) for i in range(x.shape[1])]


def _law(config: Config, exponent: float) -> tuple[int, float]:
    return config.theory.block.vocabulary, exponent


@STUDY.claim(
    "corollary-2-15-depth",
    source="Corollary 2.15",
    statement="For ℓ ≥ 1 the stable ranks of A^rms and A^rms_mlp grow no faster than (1 + ℓ)²",
    statistic="exponent of the stable ranks in 1 + ℓ, ℓ ≥ 1, by input",
    criterion="below 2, each input and matrix",
    needs=[BLOCKS],
)
def corollary_2_15_depth(config: Config, found: Results) -> Judgement:
    parts = {}
    for kind in INPUTS:
        chosen = _stacks(found, config, kind)
        ranks = chosen.stack("ranks")
        for name in ("rms", "mlp_rms"):
            values = ranks[:, 1:, MATRICES.index(name)].T
            parts[f"{kind}, {name}"] = below(exponent(np.arange(len(values)) + 2, values), 2.0)
    final = {kind: float(_stacks(found, config, kind).stack("final").mean()) for kind in INPUTS}
    told = ", ".join(f"{kind} {value:.2f}" for kind, value in final.items())
    return combined(parts, note=f"Stable rank before the head, mean over seeds: {told}.")
