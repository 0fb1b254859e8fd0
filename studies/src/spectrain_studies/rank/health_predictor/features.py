"""What the first tenth of a run shows, and what came of it, a row a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from spectrain_studies.frame import Result, Results
from spectrain_studies.rank.health_predictor.experiment import MEASURED, PAIR

Column = Float64[np.ndarray, " runs"]


@dataclass(frozen=True, slots=True)
class Runs:
    """Pairs of runs, one a set-up and seed.

    Attributes:
        kind: of the set-up.
        setup: its number.
        losses: by name, what the losses of the early steps tell.
        spectra: by name, what the gradients' spectra tell.
        outcome: by name, what is foretold.
    """

    kind: np.ndarray
    setup: np.ndarray
    losses: dict[str, Column]
    spectra: dict[str, Column]
    outcome: dict[str, Column]


def collect(results: Results) -> Runs:
    """Every pair of runs of which neither diverged.

    Losses: for each optimizer, with a, b and c the mean losses over the thirds of the early steps
    and L₀ that of the first, the fall ln(c/L₀) and the slope ln(c/b); the mean of both optimizers
    and AdamW's minus Muon's. Spectra: the logarithm of every measure over full rank at the last
    early sample, and its change since the first; mean and difference likewise. Outcomes: ``gap``,
    ln of AdamW's held-out loss at the end over Muon's; ``muon ahead``, 1 where it is positive; and
    for each optimizer ``left``, the share of the fall of its held-out loss that comes after the
    early steps, between −1 and 1.
    """
    parts = [_of(result) for result in results]
    kept = [np.isfinite([*one["all"].values()]).all(0) for one in parts]

    def joined(group: str) -> dict[str, Column]:
        return {
            name: np.concatenate([one[group][name][k] for one, k in zip(parts, kept, strict=True)])
            for name in (parts[0][group] if parts else ())
        }

    counts = [int(k.sum()) for k in kept]
    return Runs(
        kind=np.repeat([result.case.kind for result in results], counts),
        setup=np.repeat(np.arange(len(counts)), counts),
        losses=joined("losses"),
        spectra=joined("spectra"),
        outcome=joined("outcome"),
    )


def _of(result: Result) -> dict[str, dict[str, Column]]:
    losses: dict[str, Column] = {}
    spectra: dict[str, Column] = {}
    held_out = {arm: np.asarray(result[f"{arm}_held_out"], dtype=np.float64) for arm in PAIR}
    with np.errstate(all="ignore"):  # a diverged run's row is dropped
        early = [_early(np.asarray(result[f"{arm}_train"], dtype=np.float64)) for arm in PAIR]
        for name in early[0]:
            losses |= _pair(name, *(one[name] for one in early))
        for measure in MEASURED:
            courses = [np.log(np.asarray(result[f"{arm}_{measure}"])) for arm in PAIR]
            spectra |= _pair(f"ln {measure}", *(course[-1] for course in courses))
            spectra |= _pair(f"its change: {measure}", *(c[-1] - c[0] for c in courses))
        gap = np.log(held_out["adamw"][-1] / held_out["muon"][-1])
        outcome = {"gap": gap, "muon ahead": np.where(gap > 0, 1.0, 0.0)}
        for arm, (start, tenth, end) in held_out.items():
            outcome[f"{arm} left"] = np.clip((tenth - end) / (start - end), -1.0, 1.0)
    everything = losses | spectra | outcome
    return {"losses": losses, "spectra": spectra, "outcome": outcome, "all": everything}


def _early(train: Float64[np.ndarray, "steps seeds"]) -> dict[str, Column]:
    """Fall and slope of one optimizer's early losses, in logarithms."""
    _, middle, last = (np.log(part.mean(0)) for part in np.array_split(train, 3))
    return {"fall": last - np.log(train[0]), "slope": last - middle}


def _pair(name: str, adamw: Column, muon: Column) -> dict[str, Column]:
    return {f"{name}, mean": (adamw + muon) / 2, f"{name}, difference": adamw - muon}
