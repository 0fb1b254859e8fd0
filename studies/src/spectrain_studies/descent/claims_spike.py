"""Claims on the spike that the mean of the features makes, §1.2.2."""

from __future__ import annotations

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.claims_samples import exponent
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.mean_spike import GATED, SPIKED, UNGATED
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.frame.statistics import Array, over_seeds


def by_width(config: Config, found: Results, activation: str, name: str) -> Array:
    """A number by width and seed."""
    return np.stack(
        [
            found.where(activation=activation, width=width).stack(name)
            for width in config.theory.spike.widths
        ]
    )


def _exponent(config: Config, found: Results, activation: str, name: str) -> Estimate:
    return exponent(config.theory.spike.widths, by_width(config, found, activation, name))


@STUDY.claim(
    "spike-share",
    source="§1.2.2, Figure 12",
    statement="Without gates the mean carries a share of the energy that does not fall with width",
    statistic="exponent in the width of the mean's share of ‖A‖_F²; its value over 1/NSR",
    criterion="exponent between −0.1 and 0.1 and value between 0.9 and 1.1: ReLU, ReLU², GELU",
    needs=[SPIKED],
)
def spike_share(config: Config, found: Results) -> Judgement:
    parts = {}
    for name in UNGATED:
        last = by_width(config, found, name, "share")[-1]
        ratio = last * ACTIVATIONS[name].noise_to_signal(np.array([1.0]))
        parts[f"{name}, exponent"] = within(_exponent(config, found, name, "share"), -0.1, 0.1)
        parts[f"{name}, value"] = within(over_seeds(ratio), 0.9, 1.1)
    return combined(parts)


@STUDY.claim(
    "spike-direction",
    source="§1.2.2",
    statement="The top singular vector is the direction of the mean",
    statistic="cosine of mean and top left singular vector at the largest width, mean over seeds",
    criterion="above 0.95: ReLU, ReLU², GELU",
    needs=[SPIKED],
)
def spike_direction(config: Config, found: Results) -> Judgement:
    gated = float(by_width(config, found, GATED, "cosine")[-1].mean())
    return combined(
        {
            name: above(over_seeds(by_width(config, found, name, "cosine")[-1]), 0.95)
            for name in UNGATED
        },
        note=f"SwiGLU, whose mean is small: {gated:.2f}.",
    )


@STUDY.claim(
    "spike-explains-rank",
    source="§1.2.2",
    statement="The spike keeps the stable rank down: st(A) is little below 1/share of the mean",
    statistic="st(A)·share of the mean at the largest width, at most 1 always",
    criterion="above 0.8: ReLU, ReLU², GELU",
    needs=[SPIKED],
)
def spike_explains_rank(config: Config, found: Results) -> Judgement:
    parts = {}
    for name in UNGATED:
        rank, share = (by_width(config, found, name, each)[-1] for each in ("rank", "share"))
        parts[name] = above(over_seeds(rank * share), 0.8)
    return combined(parts)


@STUDY.claim(
    "spike-gated",
    source="§1.2.2",
    statement="With SwiGLU the spike is absent: the mean's share falls as the width grows",
    statistic="exponent in the width of the mean's share of ‖A‖_F²",
    criterion="below −0.5",
    needs=[SPIKED],
)
def spike_gated(config: Config, found: Results) -> Judgement:
    return below(_exponent(config, found, GATED, "share"), -0.5)


@STUDY.claim(
    "spike-gated-rank",
    source="§1.2.2",
    statement="With SwiGLU st(A) grows in proportion to the width; without gates it is O(1)",
    statistic="exponents in the width of st(A)",
    criterion="SwiGLU between 0.8 and 1.2; ReLU, ReLU², GELU below 0.15",
    needs=[SPIKED],
)
def spike_gated_rank(config: Config, found: Results) -> Judgement:
    parts = {GATED: within(_exponent(config, found, GATED, "rank"), 0.8, 1.2)}
    for name in UNGATED:
        parts[name] = below(_exponent(config, found, name, "rank"), 0.15)
    return combined(parts)
