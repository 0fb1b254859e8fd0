"""Claims on the spectra of keys, queries and values, and on their tails."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from scipy.stats import chi2, norm

from spectrain.noise.estimate import Estimate, symmetric
from spectrain.rmt import (
    MarchenkoPastur,
    PowerLawFit,
    WignerSurmise,
    compare_tails,
    fit_power_law,
    power_law_p_value,
)
from spectrain_studies.frame import Above, Below, Measured, Near, OnEvery, Results, Within
from spectrain_studies.frame.statistics import MANY, distance, over_seeds, quotient
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.gpt.experiment import GPTS, ROLES
from spectrain_studies.randomness.gpt.spectra import fit, heads, mean_ratio, unfolded_spacings
from spectrain_studies.randomness.study import STUDY

EMPIRICAL = "slide “Transformer: empirical analysis”"
SURMISE = "slide “Transformer: Wigner surmise”"
OUTLOOK = "slide “Outlook” (“universality beyond level repulsion (power law tails)?”)"
LAST = -1
GOE, POISSON = 0.5307, 0.3863
T = TypeVar("T")


def main(config: Config, gpts: Results) -> Results:
    """Networks of the document's optimizer."""
    return gpts.where(optimizer=config.transformer.optimizers[0][0])


def _on_layers(config: Config, measure: Callable[[int], T]) -> dict[str, T]:
    return {f"{layer + 1}": measure(layer) for layer in range(config.transformer.layers)}


@STUDY.claim(
    "gpt-size",
    source="slide “Transformer: nano-GPT”",
    statement="About 2.1 × 10⁵ parameters",
    statistic="number of parameters over 10⁵",
    criterion=Near(2.1, 0.1),
    needs=(GPTS,),
)
def gpt_size(config: Config, gpts: Results) -> float:
    return float(gpts[0]["parameters"] / 1e5)


@STUDY.claim(
    "gpt-initial-law",
    source=EMPIRICAL,
    statement="At initialisation the eigenvalues of WᵀW follow the Marchenko-Pastur law",
    statistic="Kolmogorov distance of all heads' levels from MP(r = 1/4, σ² = 1/3), whose finite "
    "size (N = 16) alone gives 0.02",
    criterion=Below(0.04),
    needs=(GPTS,),
)
def gpt_initial(config: Config, gpts: Results) -> Measured:
    chosen = main(config, gpts)
    width, levels = config.transformer.width, chosen[0]["levels"].shape[-1]
    law = MarchenkoPastur(levels / width, width * chosen[0]["entry_variance"])
    spectra = np.concatenate([heads(chosen, 0, role) for role in ROLES])
    found = distance(spectra, law.distribution)
    return Measured(found, seeds=len(chosen), details={"heads": len(spectra)})


for _name, _statement, _criterion in (
    ("gpt-tail-appears", "A tail appears: A < 1 for the keys", Below(0.999)),
    (
        "gpt-tail-weight",
        "15–25 % of the spectral weight moves to the tail, all four layers' keys",
        Within(0.75, 0.85),
    ),
):

    @STUDY.claim(
        _name,
        source=EMPIRICAL,
        statement=_statement,
        statistic="fitted A of the keys at the last iteration",
        criterion=OnEvery("layer", _criterion),
        needs=(GPTS,),
    )
    def areas(config: Config, gpts: Results) -> dict[str, Measured]:
        """Levels that stand apart are counted by tests at 1 % in each head, and left out."""
        chosen = main(config, gpts)

        def of(layer: int) -> Measured:
            spectra = heads(chosen, LAST, "key", layer)
            area = fit(spectra, config.transformer.width, config.law.replicates).area
            return Measured(Estimate(area.value, area.error, *area.interval, len(spectra)))

        return _on_layers(config, of)


@STUDY.claim(
    "gpt-width-grows",
    source=EMPIRICAL,
    statement="The bulk broadens: σ² of the keys grows",
    statistic="σ² at the last iteration over that at iteration 0",
    criterion=OnEvery("layer", Above(1)),
    needs=(GPTS,),
)
def gpt_width(config: Config, gpts: Results) -> dict[str, Estimate]:
    chosen, one = main(config, gpts), config.transformer

    def variance(reading: int, layer: int) -> Estimate:
        spectra = heads(chosen, reading, "key", layer)
        found = fit(spectra, one.width, config.law.replicates).variance
        return symmetric(found.value, found.error, replicas=one.heads * len(chosen))

    return _on_layers(config, lambda layer: quotient(variance(LAST, layer), variance(0, layer)))


@STUDY.claim(
    "gpt-surmise",
    source=SURMISE,
    statement="Level spacings stay those of random matrices",
    statistic="Kolmogorov distance of unfolded spacings (keys, all heads) from the surmise, at the "
    "first, a middle and the last iteration",
    criterion=OnEvery("iteration", Below(0.08)),
    needs=(GPTS,),
)
def gpt_surmise(config: Config, gpts: Results) -> dict[str, Measured]:
    chosen = main(config, gpts)
    readings = chosen[0].case.readings
    middle = readings.index(1000) if 1000 in readings else len(readings) // 2

    def at(reading: int) -> Measured:
        s = unfolded_spacings(heads(chosen, reading, "key"))
        found = distance(s, WignerSurmise().distribution)
        return Measured(found, seeds=len(chosen), details={"spacings": s.size})

    return {f"{readings[r]}": at(r) for r in (0, middle, len(readings) - 1)}


@STUDY.claim(
    "gpt-repulsion",
    source=SURMISE,
    statement="Levels repel as in a real random matrix, after training too",
    statistic="mean ratio of consecutive spacings at the last iteration; the limit is half way "
    f"between independent levels ({POISSON:.3f}) and GOE ({GOE:.3f})",
    criterion=OnEvery("role", Above(round((GOE + POISSON) / 2, 3))),
    needs=(GPTS,),
)
def gpt_repulsion(config: Config, gpts: Results) -> dict[str, Estimate]:
    chosen = main(config, gpts)
    return {role: mean_ratio(heads(chosen, LAST, role)) for role in ROLES}


def _tails(config: Config, gpts: Results) -> dict[str, tuple[PowerLawFit, float]]:
    """The tail of each role and layer at the last iteration, with its p-value."""
    chosen = main(config, gpts)
    return {
        f"{role} {layer + 1}": _tail(heads(chosen, LAST, role, layer).ravel().tobytes())
        for role in ROLES
        for layer in range(config.transformer.layers)
    }


@lru_cache(maxsize=64)
def _tail(content: bytes) -> tuple[PowerLawFit, float]:
    values = np.frombuffer(content)
    found = fit_power_law(values)
    generator = torch.Generator().manual_seed(0)
    return found, power_law_p_value(values, found, generator=generator, replicates=199)


@STUDY.claim(
    "gpt-power-law",
    source=EMPIRICAL,
    statement="The tail drops as a power",
    statistic="goodness of fit of the best power law: the smallest p-value over roles and layers "
    "times their number (Bonferroni)",
    criterion=Above(0.1),
    needs=(GPTS,),
)
def gpt_power(config: Config, gpts: Results) -> Measured:
    """Each p-value of a true law is below 0.1 in a tenth of cases: one of twelve often is."""
    tails = _tails(config, gpts)
    details = {
        name: {"p": p, "exponent": t.law.exponent, "error": t.error, "values in the tail": t.count}
        for name, (t, p) in tails.items()
    }
    smallest = min(p for _, p in tails.values())
    note = "A tail of a few dozen values rarely refutes anything"
    return Measured(min(1.0, len(tails) * smallest), details=details, note=note)


@STUDY.claim(
    "gpt-power-against-others",
    source=EMPIRICAL,
    statement="A power fits the tail better than an exponential",
    statistic="log likelihood ratio of power and exponential from the same start on, pooled over "
    "layers, with Vuong's standard error",
    criterion=OnEvery("role", Above(0)),
    needs=(GPTS,),
)
def gpt_others(config: Config, gpts: Results) -> dict[str, Measured]:
    chosen = main(config, gpts)

    def of(role: str) -> Measured:
        values = heads(chosen, LAST, role).ravel()
        other = compare_tails(values, fit_power_law(values))["exponential"]
        z = float(norm.isf(max(other.p_value, 1e-300) / 2))
        error = abs(other.log_ratio) / max(z, 1e-12)
        found = symmetric(other.log_ratio, error, replicas=MANY, level=0.95)
        return Measured(found, seeds=len(chosen), details={"p": other.p_value})

    return {role: of(role) for role in ROLES}


@STUDY.claim(
    "gpt-exponent-universal",
    source=OUTLOOK,
    statement="The exponent is universal over roles and layers",
    statistic="p-value of one common exponent (χ² over roles and layers, errors (α − 1)/√n)",
    criterion=Above(0.05),
    needs=(GPTS,),
)
def gpt_universal(config: Config, gpts: Results) -> Measured:
    tails = _tails(config, gpts)
    values = np.array([tail.law.exponent for tail, _ in tails.values()])
    weights = np.array([tail.error for tail, _ in tails.values()]) ** -2.0
    common = float((weights * values).sum() / weights.sum())
    statistic = float((weights * (values - common) ** 2).sum())
    details = dict(zip(tails, values.tolist(), strict=True)) | {"common": common}
    return Measured(
        float(chi2.sf(statistic, len(values) - 1)),
        details=details,
        note="The error does not know that the start was searched for",
    )


@STUDY.claim(
    "gpt-exponent-by-optimizer",
    source=OUTLOOK,
    statement="The exponent is the same for every optimizer",
    statistic="largest difference of exponents pooled over layers, by role, in standard errors, at "
    "the last iteration that all optimizers reach",
    criterion=Below(2.6),
    needs=(GPTS,),
)
def gpt_optimizers(config: Config, gpts: Results) -> Measured | Estimate:
    names = [name for name, _ in config.transformer.optimizers]
    if len(names) < 2:
        return Estimate.missing("only one optimizer was trained", replicas=len(gpts))
    by_name = {name: gpts.where(optimizer=name) for name in names}
    at = min(max(chosen[0].case.readings) for chosen in by_name.values())
    worst, details = 0.0, {"iteration": float(at)}
    for role in ROLES:
        fits = {
            name: fit_power_law(heads(chosen, chosen[0].case.readings.index(at), role).ravel())
            for name, chosen in by_name.items()
        }
        details |= {f"{role}, {name}": one.law.exponent for name, one in fits.items()}
        gaps = [
            abs(a.law.exponent - b.law.exponent) / np.hypot(a.error, b.error)
            for a in fits.values()
            for b in fits.values()
        ]
        worst = max(worst, float(max(gaps)))
    return Measured(worst, details=details)


@STUDY.claim(
    "gpt-target-spectrum",
    source=f"{EMPIRICAL} (“what is the “final” target spectrum?”)",
    statement="The spectrum becomes stationary",
    statistic="relative change of the mean level of all heads between the last two readings",
    criterion=Below(0.02),
    needs=(GPTS,),
)
def gpt_stationary(config: Config, gpts: Results) -> Measured:
    chosen = main(config, gpts)
    means = np.stack([r["levels"].mean((1, 2, 3, 4)) for r in chosen])
    change = np.abs(means[:, -1] / means[:, -2] - 1)
    details = dict(zip(map(str, chosen[0].case.readings), means.mean(0).tolist(), strict=True))
    found = over_seeds(change) if len(change) > 1 else float(change[0])
    return Measured(found, seeds=len(chosen), details=details)
