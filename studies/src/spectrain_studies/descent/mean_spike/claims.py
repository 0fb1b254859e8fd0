"""Claims on the spike that the mean of the features makes, §1.2.2."""

from __future__ import annotations

import numpy as np

from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.mean_spike.experiment import GATED, SPIKED, UNGATED, Spiked
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.stated import claim_of_exponent
from spectrain_studies.descent.statistics import by_size, exponent
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, AllOf, Below, Found, Near, OnEvery, Results
from spectrain_studies.frame.statistics import Array, over_seeds

BOUNDED = Below(0.15)


def _at_the_largest(found: Results, activation: str, name: str) -> Array:
    return by_size(found.where(activation=activation), "width", name)[-1]


def _signal(case: Spiked) -> float:
    """1/NSR at unit variance."""
    known = ACTIVATIONS.get(case.activation)
    return 1.0 if known is None else 1 / known.noise_to_signal(np.array([1.0]))


@STUDY.claim(
    "spike-share",
    source="§1.2.2, Figure 12",
    statement="Without gates the mean carries a share of the energy that does not fall with width",
    statistic="exponent in the width of the mean's share of ‖A‖_F²; its value at the largest over "
    "1/NSR",
    criterion=OnEvery(
        "activation", AllOf({"exponent": Near(0.0, 0.1), "value over 1/NSR": Near(1.0, 0.1)})
    ),
    needs=[SPIKED],
    planted=planted(
        [SPIKED],
        lambda case, noise: {"share": noise * _signal(case)},
        lambda case, noise: {"share": noise / case.width},
    ),
)
def spike_share(config: Config, found: Results) -> Found:
    def on(name: str) -> Found:
        chosen = found.where(activation=name)
        ratio = _at_the_largest(found, name, "share") / _signal(chosen[0].case)
        return {
            "exponent": exponent(chosen, "width", "share"),
            "value over 1/NSR": over_seeds(ratio),
        }

    return {name: on(name) for name in UNGATED}


@STUDY.claim(
    "spike-direction",
    source="§1.2.2",
    statement="The top singular vector is the direction of the mean",
    statistic="cosine of mean and top left singular vector at the largest width, mean over seeds",
    criterion=OnEvery("activation without gates", Above(0.95)),
    needs=[SPIKED],
    planted=planted(
        [SPIKED],
        lambda case, noise: {"cosine": 0.99 * noise},
        lambda case, noise: {"cosine": 0.5 * noise},
    ),
)
def spike_direction(config: Config, found: Results) -> Found:
    return {name: over_seeds(_at_the_largest(found, name, "cosine")) for name in UNGATED}


@STUDY.claim(
    "spike-explains-rank",
    source="§1.2.2",
    statement="The spike keeps the stable rank down: st(A) is little below 1/share of the mean",
    statistic="st(A)·share of the mean at the largest width, at most 1 always",
    criterion=OnEvery("activation without gates", Above(0.8)),
    needs=[SPIKED],
    planted=planted(
        [SPIKED],
        lambda case, noise: {"rank": 4 * noise, "share": 0.24},
        lambda case, noise: {"rank": 4 * noise, "share": 0.1},
    ),
)
def spike_explains_rank(config: Config, found: Results) -> Found:
    return {
        name: over_seeds(
            _at_the_largest(found, name, "rank") * _at_the_largest(found, name, "share")
        )
        for name in UNGATED
    }


claim_of_exponent(
    "spike-gated",
    "§1.2.2",
    "With SwiGLU the spike is absent: the mean's share falls as the width grows",
    "exponent in the width of the mean's share of ‖A‖_F²",
    Below(-0.5),
    *(SPIKED, "width", "share"),
    activation=GATED,
)


@STUDY.claim(
    "spike-gated-rank",
    source="§1.2.2",
    statement="With SwiGLU st(A) grows in proportion to the width; without gates it is O(1)",
    statistic="exponents in the width of st(A)",
    criterion=AllOf({GATED: Near(1.0, 0.2), **dict.fromkeys(UNGATED, BOUNDED)}),
    needs=[SPIKED],
    planted=planted(
        [SPIKED],
        lambda case, noise: {"rank": noise * (case.width if case.activation == GATED else 1.0)},
        lambda case, noise: {"rank": noise},
    ),
)
def spike_gated_rank(config: Config, found: Results) -> Found:
    names = (GATED, *UNGATED)
    return {name: exponent(found.where(activation=name), "width", "rank") for name in names}
