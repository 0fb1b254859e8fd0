"""The windows of the theorems on spiked models."""

from __future__ import annotations

from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import INK, STYLES, finish, panels
from spectrain_studies.descent.nuclear_ranks.claims import NAMES
from spectrain_studies.descent.spiked.claims import scale, window_rank
from spectrain_studies.descent.spiked.experiment import SPIKED
from spectrain_studies.descent.statistics import by_size, sizes_of
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "windows",
    caption="Spiked models: smallest nuclear rank over d in the window of the theorems (left), and "
    "the last step with nr ≥ d^{3/4} over d^u log d (right), by model and exponents.",
    needs=[SPIKED],
)
def windows(config: Config, spiked: Results) -> Figure:
    figure, (ranks, ends) = panels(1, 2)
    for color, (model, name) in zip(INK, NAMES.items(), strict=False):
        for style, (lower, upper) in zip(STYLES, config.dynamics.spiked.exponents, strict=False):
            chosen = spiked.where(model=model, lower=lower, upper=upper)
            d = sizes_of(chosen, "dimension")
            share = by_size(chosen, "dimension", lambda r: window_rank(r) / r.case.dimension)
            end = by_size(chosen, "dimension", lambda r: r["lasting"][0] / scale(r.case))
            label = f"{name}, ℓ = {lower:g}, u = {upper:g}"
            ranks.plot(d, share.mean(1), color=color, ls=style, marker="o", label=label)
            ends.plot(d, end.mean(1), color=color, ls=style, marker="o")
    finish(ranks, xlabel="d", ylabel="smallest nr / d", ylim=(0, 1))
    finish(ends, legend=False, xlabel="d", ylabel="last step / (d^u log d)", ylim=(0, None))
    return figure
