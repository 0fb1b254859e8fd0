"""The GPT's norms over those of their noise twins."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrain_studies.frame import Results
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.gpt.experiment import NORMS
from spectrain_studies.regime.model.figure import MATRIX, MULTIPLIER, TWIN, panels
from spectrain_studies.regime.study import STUDY

NAMES = {"adamw": "AdamW", "muon": "Muon"}


@STUDY.figure(
    "gpt",
    caption="The GPT's norms over those of their noise twins from the same start, matrices inside "
    "the blocks and their multipliers, median and middle 80 % over blocks and seeds.",
    needs=[NORMS],
)
def gpt(config: Config, norms: Results) -> Figure:
    figure, both = panels(2)
    for axes, (optimizer, name) in zip(both, NAMES.items(), strict=True):
        chosen = norms.where(optimizer=optimizer)
        steps = chosen[0]["steps"]
        for flag, color, label in ((False, MATRIX, "matrices"), (True, MULTIPLIER, "multipliers")):
            ratios = [
                (r["norms"] / np.maximum(r["twins"], 1e-12))[1:, r["multiplier"] == flag]
                for r in chosen
            ]
            values = np.concatenate(ratios, axis=1)
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=1)
            axes.plot(steps[1:], middle, color=color, label=label)
            axes.fill_between(steps[1:], low, high, color=color, alpha=0.15, lw=0)
        axes.axhline(1, color=TWIN, lw=0.8)
        axes.set(xlabel="step", ylabel="norm over noise twin's", title=f"matrices under {name}")
        axes.legend(fontsize=7, frameon=False)
    return figure
