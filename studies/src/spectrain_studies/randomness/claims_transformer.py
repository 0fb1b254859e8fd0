"""Claims on the transformer: spectra of keys, queries and values, and what the bulk is worth."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import chi2

from spectrain.noise.estimate import Estimate, mean_estimate, symmetric
from spectrain.rmt import (
    MarchenkoPastur,
    WignerSurmise,
    compare_tails,
    fit_power_law,
    power_law_p_value,
)
from spectrain_studies.frame import (
    Judgement,
    Results,
    above,
    below,
    combined,
    undecided,
    within,
)
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.spectra_of_heads import (
    fit,
    heads,
    mean_ratio,
    unfolded_spacings,
)
from spectrain_studies.randomness.statistics import distance
from spectrain_studies.randomness.study import STUDY
from spectrain_studies.randomness.transformer import GPTS, ROLES

EMPIRICAL = "slide “Transformer: empirical analysis”"
LAST = -1
GOE, POISSON = 0.5307, 0.3863


def _main(config: Config, gpts: Results) -> Results:
    """Networks of the document's optimizer."""
    return gpts.where(optimizer=config.transformer.optimizers[0][0])


@STUDY.claim(
    "gpt-size",
    source="slide “Transformer: nano-GPT”",
    statement="About 2.1 × 10⁵ parameters",
    statistic="number of parameters over 10⁵",
    criterion="2.1 within 0.1",
    needs=(GPTS,),
)
def gpt_size(config: Config, gpts: Results) -> Judgement:
    return within(gpts[0]["parameters"] / 1e5, 2.0, 2.2)


@STUDY.claim(
    "gpt-initial-law",
    source=EMPIRICAL,
    statement="At initialisation the eigenvalues of WᵀW follow the Marchenko-Pastur law",
    statistic="Kolmogorov distance of all heads' levels from MP(r = 1/4, σ² = 1/3), whose finite "
    "size (N = 16) alone gives 0.02",
    criterion="below 0.04",
    needs=(GPTS,),
)
def gpt_initial(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    width, levels = config.transformer.width, main[0]["levels"].shape[-1]
    law = MarchenkoPastur(levels / width, width * main[0]["entry_variance"])
    spectra = np.concatenate([heads(main, 0, role) for role in ROLES])
    return below(distance(spectra, law), 0.04, seeds=len(main), details={"heads": len(spectra)})


@STUDY.claim(
    "gpt-tail-appears",
    source=EMPIRICAL,
    statement="A tail appears: A < 1 for the keys",
    statistic="fitted A of the keys at the last iteration, layer by layer",
    criterion="interval below 1",
    needs=(GPTS,),
)
def gpt_tail(config: Config, gpts: Results) -> Judgement:
    return _areas(config, gpts, 0.0, 0.999)


@STUDY.claim(
    "gpt-tail-weight",
    source=EMPIRICAL,
    statement="15–25 % of the spectral weight moves to the tail, all four layers' keys",
    statistic="fitted A of the keys at the last iteration, layer by layer",
    criterion="between 0.75 and 0.85",
    needs=(GPTS,),
)
def gpt_tail_weight(config: Config, gpts: Results) -> Judgement:
    return _areas(config, gpts, 0.75, 0.85)


def _areas(config: Config, gpts: Results, low: float, high: float) -> Judgement:
    main, parts = _main(config, gpts), {}
    for layer in range(config.transformer.layers):
        spectra = heads(main, LAST, "key", layer)
        area = fit(spectra, config.transformer.width, config.law.replicates).area
        found = Estimate(area.value, area.error, *area.interval, len(spectra))
        parts[f"layer {layer + 1}"] = within(found, low, high, details={"interval": area.interval})
    return combined(
        parts,
        note="Levels that stand apart are counted by tests at 1 % in each head, and the rest is "
        "fitted by the law of a bulk beside them.",
    )


@STUDY.claim(
    "gpt-width-grows",
    source=EMPIRICAL,
    statement="The bulk broadens: σ² of the keys grows",
    statistic="σ² at the last iteration over that at iteration 0, layer by layer",
    criterion="interval above 1",
    needs=(GPTS,),
)
def gpt_width(config: Config, gpts: Results) -> Judgement:
    main, parts = _main(config, gpts), {}
    for layer in range(config.transformer.layers):
        first, last = (
            fit(
                heads(main, reading, "key", layer),
                config.transformer.width,
                config.law.replicates,
            ).variance
            for reading in (0, LAST)
        )
        value = last.value / first.value
        error = value * np.hypot(last.error / last.value, first.error / first.value)
        parts[f"layer {layer + 1}"] = above(
            symmetric(value, float(error), replicas=4 * len(main)), 1.0
        )
    return combined(parts)


@STUDY.claim(
    "gpt-surmise",
    source="slide “Transformer: Wigner surmise”",
    statement="Level spacings stay those of random matrices, at the first, a middle and the last "
    "iteration",
    statistic="Kolmogorov distance of unfolded spacings (keys, all heads) from the surmise",
    criterion="below 0.08",
    needs=(GPTS,),
)
def gpt_surmise(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    readings = main[0].case.readings
    middle = readings.index(1000) if 1000 in readings else len(readings) // 2
    parts = {}
    for reading in (0, middle, len(readings) - 1):
        s = unfolded_spacings(heads(main, reading, "key"))
        parts[f"iteration {readings[reading]}"] = below(
            distance(s, WignerSurmise()), 0.08, seeds=len(main), details={"spacings": s.size}
        )
    return combined(parts)


@STUDY.claim(
    "gpt-repulsion",
    source="slide “Transformer: Wigner surmise”",
    statement="Levels repel as in a real random matrix, after training too",
    statistic="mean ratio of consecutive spacings at the last iteration, by role",
    criterion="above 0.46, half way between independent levels (0.386) and GOE (0.531)",
    needs=(GPTS,),
)
def gpt_repulsion(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    parts = {
        role: above(mean_ratio(heads(main, LAST, role)), (GOE + POISSON) / 2) for role in ROLES
    }
    return combined(parts)


def _tails(
    gpts: Results, optimizer: str, layers: int
) -> dict[str, tuple[float, float, int, float]]:
    """α, its error, size and p-value of the tail of each role and layer, last iteration."""
    chosen, out = gpts.where(optimizer=optimizer), {}
    for role in ROLES:
        for layer in range(layers):
            values = heads(chosen, LAST, role, layer).ravel()
            found = fit_power_law(values)
            p = power_law_p_value(
                values, found, generator=torch.Generator().manual_seed(0), replicates=50
            )
            out[f"{role} {layer + 1}"] = (found.law.exponent, found.error, found.count, p)
    return out


@STUDY.claim(
    "gpt-power-law",
    source=EMPIRICAL,
    statement="The tail drops as a power",
    statistic="goodness of fit of the best power law, role by role and layer by layer",
    criterion="p above 0.1 everywhere",
    needs=(GPTS,),
)
def gpt_power(config: Config, gpts: Results) -> Judgement:
    tails = _tails(gpts, config.transformer.optimizers[0][0], config.transformer.layers)
    parts = {
        name: above(p, 0.1, details={"exponent": a, "error": e, "values in the tail": n})
        for name, (a, e, n, p) in tails.items()
    }
    return combined(parts, note="A tail of a few dozen values rarely refutes anything.")


@STUDY.claim(
    "gpt-power-against-others",
    source=EMPIRICAL,
    statement="A power fits the tail better than an exponential",
    statistic="likelihood ratio of power and exponential from the same start on, pooled by role; "
    "Vuong's p",
    criterion="ratio above 0 at p below 0.1",
    needs=(GPTS,),
)
def gpt_others(config: Config, gpts: Results) -> Judgement:
    main, parts = _main(config, gpts), {}
    for role in ROLES:
        values = heads(main, LAST, role).ravel()
        other = compare_tails(values, fit_power_law(values))["exponential"]
        details = {"log ratio": other.log_ratio, "p": other.p_value}
        if other.p_value > 0.1:
            parts[role] = undecided("the data do not tell them apart", details=details)
        else:
            parts[role] = above(other.log_ratio, 0.0, details=details)
    return combined(parts)


@STUDY.claim(
    "gpt-exponent-universal",
    source="slide “Outlook” (“universality beyond level repulsion (power law tails)?”)",
    statement="The exponent is universal over roles and layers",
    statistic="p-value of one common exponent (χ² over roles and layers, errors (α − 1)/√n)",
    criterion="above 0.05",
    needs=(GPTS,),
)
def gpt_universal(config: Config, gpts: Results) -> Judgement:
    tails = _tails(gpts, config.transformer.optimizers[0][0], config.transformer.layers)
    values = np.array([tail[0] for tail in tails.values()])
    weights = np.array([tail[1] for tail in tails.values()]) ** -2.0
    common = float((weights * values).sum() / weights.sum())
    statistic = float((weights * (values - common) ** 2).sum())
    p = float(chi2.sf(statistic, len(values) - 1))
    details = {name: tail[0] for name, tail in tails.items()} | {"common": common}
    return above(
        p, 0.05, details=details, note="The error does not know that the start was searched for."
    )


@STUDY.claim(
    "gpt-exponent-by-optimizer",
    source="slide “Outlook” (“universality beyond level repulsion (power law tails)?”)",
    statement="The exponent is the same for every optimizer",
    statistic="largest difference of exponents pooled over layers, by role, in standard errors, at "
    "the last iteration that all optimizers reach",
    criterion="below 2.6",
    needs=(GPTS,),
)
def gpt_optimizers(config: Config, gpts: Results) -> Judgement:
    names = [name for name, _ in config.transformer.optimizers]
    if len(names) < 2:
        return undecided("only one optimizer was trained")
    by_name = {name: gpts.where(optimizer=name) for name in names}
    at = min(max(chosen[0].case.readings) for chosen in by_name.values())
    worst, details = 0.0, {"iteration": at}
    for role in ROLES:
        fits = {
            name: fit_power_law(heads(chosen, chosen[0].case.readings.index(at), role).ravel())
            for name, chosen in by_name.items()
        }
        details |= {f"{role}, {name}": one.law.exponent for name, one in fits.items()}
        for a in fits.values():
            for b in fits.values():
                gap = abs(a.law.exponent - b.law.exponent) / np.hypot(a.error, b.error)
                worst = max(worst, float(gap))
    return below(worst, 2.6, details=details)


@STUDY.claim(
    "gpt-target-spectrum",
    source="slide “Transformer: empirical analysis” (“what is the final target spectrum?”)",
    statement="The spectrum becomes stationary",
    statistic="relative change of the mean level of all heads between the last two readings",
    criterion="below 2 %",
    needs=(GPTS,),
)
def gpt_stationary(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    means = np.stack([r["levels"].mean((1, 2, 3, 4)) for r in main])
    change = np.abs(means[:, -1] / means[:, -2] - 1)
    found = mean_estimate(torch.from_numpy(change)) if len(change) > 1 else float(change[0])
    readings = main[0].case.readings
    details = dict(zip(map(str, readings), means.mean(0).tolist(), strict=True))
    return below(found, 0.02, seeds=len(main), details=details)


def _changes(results: Results, name: str, against: str | None = None) -> Estimate:
    """Mean change of held-out loss over seeds; with one seed its error over batches."""
    values = results.stack(name)
    if against is not None:
        values = values - results.stack(against) * [1, 0]
    if len(values) > 1:
        return mean_estimate(torch.from_numpy(np.ascontiguousarray(values[:, 0])))
    return symmetric(float(values[0, 0]), float(values[0, 1]), replicas=16)


def _report(results: Results, prefix: str) -> dict[str, float]:
    names = ("bulk_truncated", "bulk_randomised", "pruned", "spikes_removed")
    return {n: float(results.stack(f"{prefix}change_{n}")[:, 0].mean()) for n in names}


BULK = "slide “Transformer: empirical analysis” (“remove? sparse weight matrices?”)"


@STUDY.claim(
    "bulk-of-heads-removable",
    source=BULK,
    statement="The random part of keys, queries and values can be removed",
    statistic="change of held-out loss, in nats, with their bulks truncated at the end of training",
    criterion="below 0.02",
    needs=(GPTS,),
)
def bulk_heads(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    details = _report(main, "qkv_") | {"bulk energy": float(main.stack("qkv_energy").mean())}
    return below(_changes(main, "qkv_change_bulk_truncated"), 0.02, details=details)


@STUDY.claim(
    "bulk-removable",
    source=BULK,
    statement="The random part of all matrices inside the blocks can be removed",
    statistic="change of held-out loss, in nats, with their bulks truncated at the end of training",
    criterion="below 0.02",
    needs=(GPTS,),
)
def bulk_removable(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    details = _report(main, "") | {"bulk energy": float(main.stack("bulk_energy").mean())}
    return below(_changes(main, "change_bulk_truncated"), 0.02, details=details)


@STUDY.claim(
    "bulk-is-random",
    source=BULK,
    statement="The part that looks random is random: another with the same singular values does "
    "as well",
    statistic="change of held-out loss, in nats, with random singular vectors in all bulks",
    criterion="below 0.02",
    needs=(GPTS,),
)
def bulk_random(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    return below(_changes(main, "change_bulk_randomised"), 0.02, details=_report(main, ""))


@STUDY.claim(
    "bulk-against-pruning",
    source=BULK,
    statement="At equal energy, removing the bulk costs less than zeroing small entries",
    statistic="change of loss with bulks truncated minus that with small entries pruned, in nats",
    criterion="below 0",
    needs=(GPTS,),
)
def bulk_pruning(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    found = _changes(main, "change_bulk_truncated", "change_pruned")
    return below(found, 0.0, details=_report(main, ""))


@STUDY.claim(
    "bulk-finetuned",
    source=BULK,
    statement="After a short finetuning the network does as well without the bulk as with it",
    statistic="loss finetuned without bulk minus loss finetuned with it, in nats",
    criterion="below 0.02",
    needs=(GPTS,),
)
def bulk_finetuned(config: Config, gpts: Results) -> Judgement:
    main = _main(config, gpts)
    if not config.transformer.finetune:
        return undecided("nothing was finetuned")
    found = _changes(main, "change_bulk_removed_finetuned", "change_finetuned")
    return below(found, 0.02, details={"steps": config.transformer.finetune})
