"""Figure 16, and what the forms of Theorem 3.7 leave."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.drawing import EUCLIDEAN, RANK, SPECTRAL, finish, panels
from spectrain_studies.descent.kernel.experiment import KERNEL, phi
from spectrain_studies.descent.statistics import by_size, sizes_of
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Results


@STUDY.figure(
    "fig16",
    caption="φ with its expansion (π/2)t + t²/2 (dashed), and what is left of the cross-covariance "
    "when the form of Theorem 3.7, as printed and as corrected, is taken away.",
    needs=[KERNEL],
)
def fig16(config: Config, kernel: Results) -> Figure:
    figure, (function, residuals) = panels(1, 2)
    t = torch.linspace(-1, 1, 201, dtype=torch.float64)
    function.plot(t, phi(t), color=EUCLIDEAN, label="φ")
    function.plot(t, np.pi / 2 * t + t.square() / 2, color=RANK, ls="--", label="(π/2)t + t²/2")
    finish(function, at=(-1, -0.5, 0, 0.5, 1), xlabel="t")
    d = sizes_of(kernel, "dimension")
    for form, color in (("printed", RANK), ("corrected", SPECTRAL)):
        means = by_size(kernel, "dimension", form).mean(1)
        residuals.plot(d, means, color=color, marker="o", label=form)
    ylabel = "operator norm of the rest"
    finish(residuals, at=d, xscale="log", yscale="log", xlabel="d", ylabel=ylabel)
    return figure
