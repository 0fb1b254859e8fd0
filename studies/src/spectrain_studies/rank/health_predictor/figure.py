"""How far ahead Muon was, against what was foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrain_studies.frame import Results
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.figures import panels
from spectrain_studies.rank.health_predictor.experiment import PAIRS
from spectrain_studies.rank.health_predictor.features import collect
from spectrain_studies.rank.health_predictor.prediction import foretell
from spectrain_studies.rank.study import STUDY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@STUDY.figure(
    "health",
    caption="How far Muon is ahead of AdamW at the end, against what was foretold from the first "
    "tenth of the run by what other kinds of set-up teach. Left: from the losses alone. Right: "
    "with the spectra of the gradients.",
    needs=(PAIRS,),
)
def health(config: RankConfig, results: Results) -> Figure:
    """A point a run, a colour a kind; on the line the foretelling is right."""
    runs = collect(results)
    found = foretell(runs, "gap")
    gap = runs.outcome["gap"]
    figure, axes = panels(1, 2, 3.8, 3.4)
    for axis, guess, title in zip(
        axes[0], (found.by_losses, found.by_both), ("early losses", "with spectra"), strict=True
    ):
        for kind in np.unique(runs.kind):
            mine = runs.kind == kind
            axis.plot(guess[mine], gap[mine], ".", label=str(kind))
        axis.axline((0.0, 0.0), slope=1.0, color="0.6", lw=0.8)
        axis.set(title=title, xlabel="foretold ln(AdamW / Muon)")
    axes[0, 0].set_ylabel("ln(AdamW's loss / Muon's)")
    axes[0, 1].legend(fontsize=7)
    return figure
