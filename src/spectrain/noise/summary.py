"""All that replicas say of one gradient, and its rows in the records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from spectrain.core import Record, Source
from spectrain.noise.comparison import Comparison, Verdict, compare_noise_models
from spectrain.noise.coupling import product_coupling
from spectrain.noise.deviations import Deviations
from spectrain.noise.directions import Directions
from spectrain.noise.echo import echo_estimate
from spectrain.noise.estimate import LEVEL, Estimate
from spectrain.noise.intervals import (
    energy_share,
    entry_noise,
    signal_to_noise,
    simple_noise_scale,
)
from spectrain.noise.moments import Moments
from spectrain.noise.plateau import Plateaus, plateaus
from spectrain.noise.power import Power
from spectrain.noise.snr import NOISE_MEASURES

NO_BATCH_SIZE = "batch_size was not logged"
"""Reason for which a noise scale is not known in examples."""

NOISE_MODELS: Mapping[Verdict, float] = {
    "isotropic additive": -1.0,
    "undecided": 0.0,
    "signal-proportional": 1.0,
}
"""What a row ``noise_model`` holds for each verdict of the comparison."""


@dataclass(frozen=True, slots=True)
class ScalarNoise:
    """Signal and noise of a block, a role or a whole network.

    Attributes:
        snr_unbiased: ‖E g‖²/tr C of a replica of average weight.
        noise_scale: tr C/‖E g‖² at unit weight: in examples, if weights are batch sizes.
        energy_fraction: ‖E g‖²/E‖g‖² of a replica.
        entry_variance: variance of an entry of a replica.
    """

    snr_unbiased: Estimate
    noise_scale: Estimate
    energy_fraction: Estimate
    entry_variance: Estimate

    @classmethod
    def of(cls, deviations: Deviations, *, level: float = LEVEL) -> ScalarNoise:
        """All four from one set of deviations.

        Example:
            >>> import torch
            >>> from spectrain.noise import deviations, moments
            >>> g = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
            >>> ScalarNoise.of(deviations(g, moments(g))).noise_scale.reason
            'fewer than 3 replicas'
        """
        return cls(
            signal_to_noise(deviations, level=level),
            simple_noise_scale(deviations, level=level),
            energy_share(deviations, level=level),
            entry_noise(deviations, level=level),
        )

    def in_units(self, examples: float | None) -> ScalarNoise:
        """The noise scale in examples, if a unit of weight is so many of them."""
        scale = self.noise_scale
        if examples is None:
            scale = Estimate.missing(NO_BATCH_SIZE, replicas=scale.replicas, level=scale.level)
        else:
            scale = scale.scaled(examples)
        return replace(self, noise_scale=scale)


@dataclass(frozen=True, slots=True)
class DirectionalNoise:
    """Echo, plateaus and kind of noise of a matrix.

    Attributes:
        directions: overlaps, reverb and singular values of the replicas.
        echoes: echo of each direction.
        plateaus: predicted and empirical plateau, η and γ.
        comparison: isotropic additive against signal-proportional noise.
        coupling: 1 for multiplicative noise, near 0 for additive.
    """

    directions: Directions
    echoes: tuple[Estimate, ...]
    plateaus: Plateaus
    comparison: Comparison
    coupling: Estimate

    @classmethod
    def of(
        cls, directions: Directions, shape: tuple[int, int], *, level: float = LEVEL
    ) -> DirectionalNoise:
        """All of it from one set of directions of an m × n gradient."""
        return cls(
            directions,
            tuple(echo_estimate(z, level=level) for z in directions.reverb),
            plateaus(directions, level=level),
            compare_noise_models(directions, shape, level=level),
            product_coupling(directions.couplings, level=level),
        )


def scalar_measures(moments: Moments | Power) -> Mapping[str, float]:
    """Every scalar of :data:`~spectrain.noise.NOISE_MEASURES`, on the host.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> scalar_measures(moments(torch.tensor([[1.0], [3.0]])))["snr_power"]
        2.0
    """
    values = torch.stack([measure(moments) for measure in NOISE_MEASURES.values()])
    return dict(zip(NOISE_MEASURES, values.tolist(), strict=True))


def scalar_records(
    step: int,
    block: str | None,
    scalar: ScalarNoise,
    measures: Mapping[str, float] | None = None,
) -> list[Record]:
    """Rows of a block's signal and noise; ``measures`` adds those that have no interval."""
    estimates = {name: getattr(scalar, name) for name in ScalarNoise.__slots__}
    rows = [estimate_record(step, block, name, estimate) for name, estimate in estimates.items()]
    count = scalar.snr_unbiased.replicas
    for name, value in (measures or {}).items():
        if name not in estimates:
            plain = Estimate(value, None, None, None, count)
            rows.append(estimate_record(step, block, name, plain))
    return rows


def directional_records(step: int, block: str, directional: DirectionalNoise) -> list[Record]:
    """Rows of a block's directions: plateaus, kind of noise, and each direction with its index.

    ``echo_isotropic`` is the echo that isotropic additive noise predicts for a direction,
    √(c_L²c_R²) of the fitted overlaps. ``noise_model`` says which of the two models the evidence
    favours: −1 isotropic additive, 1 signal-proportional, 0 neither. ``signal_p`` is the p-value of
    :func:`~spectrain.noise.signal_test`.
    """
    compared, kind = directional.directions, directional.comparison
    rows = [
        estimate_record(step, block, name, getattr(directional.plateaus, name))
        for name in Plateaus.__slots__
    ]
    rows.append(estimate_record(step, block, "noise_model_score", kind.score))
    favoured = Estimate(
        NOISE_MODELS[kind.verdict], None, None, None, compared.count, reason=kind.reason
    )
    rows.append(estimate_record(step, block, "noise_model", favoured))
    rows.append(estimate_record(step, block, "product_coupling", directional.coupling))
    left, right = compared.true_overlaps()
    columns = {
        "signal_p": compared.test.p,
        "sigma": compared.mean.values,
        "overlap_left": left,
        "overlap_right": right,
        "echo_isotropic": (1 + kind.isotropic).prod(0).rsqrt(),
        "echo_proportional": (1 + kind.proportional).prod(0).rsqrt(),
    }
    for index, estimate in enumerate(directional.echoes):
        rows.append(estimate_record(step, block, "echo", estimate, index=index + 1))
        for name, values in columns.items():
            plain = Estimate(values[index].item(), None, None, None, compared.count)
            rows.append(estimate_record(step, block, name, plain, index=index + 1))
    return rows


def estimate_record(
    step: int, block: str | None, measure: str, estimate: Estimate, *, index: int | None = None
) -> Record:
    """A row; what is not finite has no value but the reason."""
    value, error = estimate.value, estimate.error
    why = estimate.reason
    if value is None or not math.isfinite(value):
        why = why or "undefined" if value is None or math.isnan(value) else why or "infinite"
        value = None
    if error is not None and not math.isfinite(error):
        error = None
    count = estimate.replicas
    return Record(step, block, Source.NOISE, measure, value, error, count, why, index)
