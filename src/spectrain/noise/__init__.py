"""Noise: what replicas of a gradient say of its signal and of the kind of its noise."""

from spectrain.noise.accumulation import ReplicaBuffer, ScatterStream
from spectrain.noise.alignment import Alignment, align, degenerate_groups
from spectrain.noise.comparison import Comparison, compare_noise_models
from spectrain.noise.components import NoiseComponents, noise_components
from spectrain.noise.coupling import Coupling, coupling, product_coupling
from spectrain.noise.deviations import Deviations, DeviationStream, deviations
from spectrain.noise.directions import (
    Directions,
    DirectionStream,
    directions,
    without_reference_noise,
)
from spectrain.noise.echo import (
    echo,
    echo_estimate,
    echo_uncorrected,
    pair_energy,
    pooled_echo,
    reverb,
)
from spectrain.noise.estimate import NOT_FINITE, Estimate
from spectrain.noise.exchangeability import Exchangeability
from spectrain.noise.held import HeldNoise, held_noise
from spectrain.noise.intervals import (
    energy_share,
    entry_noise,
    noise_scale_of_two_batches,
    signal_to_noise,
    simple_noise_scale,
)
from spectrain.noise.models import additive, multiplicative, proportional
from spectrain.noise.moments import Moments, moments
from spectrain.noise.msign import SignStatistics, sign_statistics
from spectrain.noise.perturbation import (
    additive_overlaps,
    first_order_overlaps,
    mixing,
    multiplicative_overlaps,
    saturated,
    structured_variance,
)
from spectrain.noise.plateau import Plateaus, plateaus
from spectrain.noise.pooling import pooled_count, pooled_kind
from spectrain.noise.power import Power
from spectrain.noise.quantities import NOISE_QUANTITIES
from spectrain.noise.replicas import ReplicaGradients
from spectrain.noise.signal import SIGNAL_LEVEL, SignalTest, signal_test
from spectrain.noise.snr import NOISE_MEASURES
from spectrain.noise.summary import (
    NO_BATCH_SIZE,
    NOISE_MODELS,
    DirectionalNoise,
    ScalarNoise,
    directional_records,
    scalar_measures,
    scalar_records,
)
from spectrain.noise.tradeoff import Cost, batch_cost
from spectrain.noise.triples import Triples, top_triples

__all__ = [
    "NOISE_MEASURES",
    "NOISE_MODELS",
    "Cost",
    "DirectionalNoise",
    "Directions",
    "Estimate",
    "HeldNoise",
    "NoiseComponents",
    "Plateaus",
    "ReplicaBuffer",
    "ReplicaGradients",
    "ScalarNoise",
    "SignalTest",
    "additive",
    "additive_overlaps",
    "batch_cost",
    "directions",
    "echo",
    "entry_noise",
    "first_order_overlaps",
    "held_noise",
    "mixing",
    "multiplicative",
    "multiplicative_overlaps",
    "noise_components",
    "noise_scale_of_two_batches",
    "plateaus",
    "pooled_echo",
    "proportional",
    "reverb",
    "saturated",
    "scalar_measures",
    "signal_test",
    "signal_to_noise",
    "simple_noise_scale",
    "structured_variance",
]
