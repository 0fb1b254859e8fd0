"""From results to numbers per seed, on every model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64

from spectrain.matrix import MEASURES, diagonal_spectrum
from spectrain_studies.frame import Measured, Result, Results
from spectrain_studies.frame.statistics import Seeds, paired

LOSS = (
    "final held-out loss in nats, each arm at its own best step size of one sweep, paired over "
    "seeds"
)
EQUAL_LOSS = 0.01
"""Nats: a difference of final losses that lies within is none."""
T = TypeVar("T")


def on_models(results: Results, measure: Callable[[str], T]) -> dict[str, T]:
    """What is measured on every model that was run, by its name."""
    return {model: measure(model) for model in dict.fromkeys(r.case.model for r in results)}


def on_results(results: Results, measure: Callable[[Result], T]) -> dict[str, T]:
    """The same where every model has one result."""
    return {result.case.model: measure(result) for result in results}


def loss_difference(results: Results, arm: str, base: str) -> dict[str, Measured]:
    """Final held-out loss of an arm minus that of its base, paired over seeds, on every model."""

    def on(model: str) -> Measured:
        found = paired(final_loss(results, model, arm), final_loss(results, model, base))
        return with_arms(found, results, model, arm, base)

    return on_models(results, on)


def with_arms(found: Measured, results: Results, model: str, *arms: str) -> Measured:
    """A comparison of arms with their losses and step sizes.

    It is unsettled where a best step size lies at an end of the sweep: beyond, an arm could do
    better.
    """
    told, edges = dict(found.details), []
    for arm in arms:
        result = result_of(results, model, arm)
        told[f"{arm}: loss"] = float(final_loss(results, model, arm).mean())
        told[f"{arm}: step size"] = float(result["size"])
        if result["edge"]:
            edges.append(arm)
    why = f"The best step size of {' and '.join(edges)} is at an end of the sweep" if edges else ""
    return replace(found, details=told, unsettled=why)


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


def joined(*groups: Results) -> Results:
    """The results of several experiments as one."""
    return Results(
        tuple(result for group in groups for result in group),
        tuple(problem for group in groups for problem in group.problems),
    )
