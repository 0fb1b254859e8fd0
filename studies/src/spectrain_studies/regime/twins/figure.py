"""The noise twins' paths, and the memory of Muon's updates."""

from __future__ import annotations

from matplotlib.figure import Figure

from spectrain_studies.frame import Results
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.model.figure import band, panels
from spectrain_studies.regime.study import STUDY
from spectrain_studies.regime.twins.experiment import TWINS


@STUDY.figure(
    "twins",
    caption="Noise twins from twice the equilibrium's norm, and the theory's path (black). Right: "
    "autocorrelation of Muon's updates, measured and derived.",
    needs=[TWINS],
)
def twins(config: Config, found: Results) -> Figure:
    figure, (paths, memory) = panels(2)
    for result in found:
        case = result.case
        time = 2 * case.learning_rate * case.weight_decay * result["steps"]
        label = f"{case.rule} {case.shape[0]}×{case.shape[1]}"
        band(paths, time, result["norms"] / result["norm"], label=label, lw=1)
        paths.plot(time, result["path"] / result["norm"], color="black", lw=0.6, ls="--")
        if case.rule == "muon":
            (line,) = memory.plot(result["autocorrelation"], label=f"measured, {label}")
            expected = result["expected_autocorrelation"]
            memory.plot(expected, color=line.get_color(), ls=":", label="derived")
    paths.set(xlabel="relaxation times", ylabel="norm over equilibrium")
    memory.set(xlabel="lag", ylabel="cosine of Muon's updates")
    for axes in (paths, memory):
        axes.legend(fontsize=6, frameon=False)
    return figure
