"""The practical promise of §5 on the minimal model: (η, λ) tuned apart for W and γ."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Below, Measured, Results
from spectrain_studies.frame.statistics import as_details, over_seeds
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.study import STUDY
from spectrain_studies.regime.tuning.experiment import SEARCHES


@STUDY.claim(
    "s5-separate-tuning-helps-minimal-model",
    source="§5",
    statement="Separate learning rates and decays for W and γ are better than shared ones at equal "
    "numbers of trials, on the minimal model",
    statistic="ln(loss of the best separate trial / loss of the best shared one) on fresh seeds, "
    "over searches",
    criterion=Below(0),
    needs=[SEARCHES],
)
def separate_helps(config: Config, searches: Results) -> Measured:
    def gain(noise: float) -> np.ndarray:
        chosen = [r for r in searches if r.case.problem.label_noise == noise]
        tested = np.stack([r["tested"] for r in chosen]).mean(2)
        return np.asarray(np.log(tested[:, 1] / tested[:, 0]))

    chosen = [r for r in searches if r.case.problem.label_noise == config.label_noise]
    best = {
        side: np.exp(np.log([r[side] for r in chosen]).mean(0)).tolist()
        for side in ("shared", "separate")
    }
    return Measured(
        over_seeds(gain(config.label_noise)),
        details={
            "noisy labels": as_details(over_seeds(gain(config.noisier))),
            "chosen (η_W, η_γ, λ_W, λ_γ), geometric means": best,
        },
    )
