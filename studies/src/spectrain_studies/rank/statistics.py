"""From results to numbers per seed, and from those to verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import nct, ttest_1samp

from spectrain.matrix import MEASURES, diagonal_spectrum
from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain_studies.frame import Judgement, Result, Results, Verdict, combined, undecided

LEVEL = 0.95
"""Coverage of every interval of the study."""

SIGNED = 6
"""Fewest equal signs that a two-sided sign test at 5 % rejects: 2^(1 − 6) = 0.03."""

Seeds = Float64[np.ndarray, " seeds"]
Judge = Callable[[str], Judgement]


def per_model(results: Results, judge: Judge) -> Judgement:
    """The claim on every model that was run: holds, or fails, only where it does so on all.

    Args:
        results: their cases have a ``model``.
        judge: the judgement of one model, by name.
    """
    models = list(dict.fromkeys(result.case.model for result in results))
    if not models:
        return undecided("no model was run")
    parts = {model: judge(model) for model in models}
    whole = combined(parts) if len(parts) > 1 else next(iter(parts.values()))
    seeds = [part.seeds for part in parts.values() if part.seeds is not None]
    told = f"rests on {', '.join(models)}"
    note = f"{whole.note}; {told}" if whole.note else told
    return replace(whole, seeds=min(seeds, default=None), note=note)


def mean_of(values: NDArray[Any]) -> Estimate:
    """Mean over seeds with its 95 % t interval.

    Missing where a value is not finite, and where fewer than :data:`SIGNED` are all equal: a spread
    of 0 is a coarse statistic's, and says no more than a sign test does.
    """
    finite = np.asarray(values, dtype=np.float64)
    if not np.isfinite(finite).all():
        return Estimate.missing("a run diverged", replicas=len(finite), level=LEVEL)
    if np.ptp(finite) == 0 and len(finite) < SIGNED:
        reason = f"the seeds do not differ, and fewer than {SIGNED} of one sign tell nothing"
        return Estimate.missing(reason, replicas=len(finite), level=LEVEL)
    return mean_estimate(torch.from_numpy(finite), level=LEVEL)


def paired(first: Seeds, second: Seeds) -> tuple[Estimate, dict[str, Any]]:
    """Mean of first − second over seeds, and its p-value and standardized effect with interval."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    estimate = mean_of(differences)
    if estimate.value is None or np.ptp(differences) == 0:
        return estimate, {}
    effect, low, high = effect_size(differences)
    return estimate, {
        "p_value": float(ttest_1samp(differences, 0.0).pvalue),
        "effect_size": effect,
        "effect_low": low,
        "effect_high": high,
    }


def effect_size(differences: Seeds) -> tuple[float, float, float]:
    """Mean over standard deviation of paired differences, with its exact 95 % interval.

    The interval inverts the noncentral t distribution of √n·d.

    Source:
        Cohen 1988, §2.2 (d_z); Steiger & Fouladi 1997 for the interval.

    Example:
        >>> d, low, high = effect_size(np.array([1.0, 2.0, 3.0, 2.0]))
        >>> round(d, 3), low < d < high
        (2.449, True)
    """
    count = len(differences)
    d = float(np.mean(differences) / np.std(differences, ddof=1))
    t = np.sqrt(count) * d

    def cdf(noncentrality: float) -> float:
        value = float(nct.cdf(t, count - 1, noncentrality))
        limit = 1.0 if noncentrality < t else 0.0  # which SciPy gives as NaN far from t
        return limit if np.isnan(value) else value

    def end(tail: float) -> float:
        reach = 10.0 + 3 * abs(t)
        found = brentq(lambda x: cdf(x) - tail, t - reach, t + reach)
        return float(found / np.sqrt(count))

    return d, end((1 + LEVEL) / 2), end((1 - LEVEL) / 2)


def differs(estimate: Estimate, *, equal: float, details: Mapping[str, Any]) -> Judgement:
    """Claim "the statistic is not 0": fails only where the interval lies within ±``equal``."""
    low, high = estimate.low, estimate.high
    if estimate.value is None or low is None or high is None:
        return undecided(estimate.reason or "no interval", seeds=estimate.replicas)
    verdict = Verdict.UNDECIDED
    if low > 0 or high < 0:
        verdict = Verdict.HOLDS
    elif -equal < low and high < equal:
        verdict = Verdict.FAILS
    return Judgement(
        verdict,
        estimate.value,
        estimate.error,
        low,
        high,
        estimate.replicas,
        details=dict(details),
    )


def result_of(results: Results, model: str, arm: str) -> Result:
    """The result of an arm on a model."""
    return results.where(model=model, arm=arm).only()


def final_loss(results: Results, model: str, arm: str) -> Seeds:
    """Held-out loss at the end, one value a seed."""
    return np.asarray(result_of(results, model, arm)["held_out"][-1], dtype=np.float64)


def measured(result: Result, source: str, measure: str) -> Float64[np.ndarray, "samples m seeds"]:
    """A measure of every matrix's spectrum at every sample."""
    spectra = torch.from_numpy(np.asarray(result[f"spectra_{source}"], dtype=np.float64))
    columns = []
    for number in range(spectra.shape[1]):
        values = spectra[:, number]
        kept = values[..., ~values.isnan().all((0, 1))]
        columns.append(MEASURES[measure](diagonal_spectrum(kept)))
    return torch.stack(columns, dim=1).numpy()


def rank_course(result: Result, source: str) -> Float64[np.ndarray, "samples seeds"]:
    """Effective rank over full rank of the median hidden matrix."""
    shares = measured(result, source, "effective_rank") / np.asarray(result["full"])[:, None]
    hidden = np.asarray(result["hidden"], dtype=bool)
    return np.asarray(np.median(shares[:, hidden], axis=1))


def change(course: Float64[np.ndarray, "samples seeds"]) -> Seeds:
    """Logarithm of the median of the last third over that of the first; the first sample is out."""
    later = course[1:]
    third = max(len(later) // 3, 1)
    early, late = np.median(later[:third], axis=0), np.median(later[-third:], axis=0)
    return np.asarray(np.log(late / early))


def learning_details(results: Results, model: str, *arms: str) -> dict[str, Any]:
    """Losses and tuned step sizes of arms, and where the sweep was too narrow."""
    found: dict[str, Any] = {}
    for arm in arms:
        result = result_of(results, model, arm)
        found[f"{arm}: loss"] = float(final_loss(results, model, arm).mean())
        found[f"{arm}: step size"] = float(result["size"])
        if result["edge"]:
            found[f"{arm}: note"] = "the best step size is at an end of the sweep"
    return found


def joined(*groups: Results) -> Results:
    """The results of several experiments as one."""
    return Results(
        tuple(result for group in groups for result in group),
        tuple(problem for group in groups for problem in group.problems),
    )
