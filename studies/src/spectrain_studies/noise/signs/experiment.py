"""Matrix signs of noisy gradients: their signal-to-noise ratio, and their bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from spectrain.matrix import polar
from spectrain.noise import NOISE_MEASURES, ReplicaGradients, additive, moments, sign_statistics
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config, Sources, Transformer
from spectrain_studies.noise.gpt.experiment import Training, loss_of, stack
from spectrain_studies.noise.simulated.experiment import signal_of

MINIBATCHES = 100
"""Of the document's procedure."""

REPLICAS = 2000
"""From which the mean of matrix signs is taken."""


@dataclass(frozen=True)
class Signs:
    """Raw and orthonormalized gradients of one training."""

    settings: Transformer
    sources: Sources
    seed: int


def sign_cases(config: Config) -> Sequence[Signs]:
    return [
        Signs(config.transformer, config.sources, seed) for seed in range(config.transformer.seeds)
    ]


def run_signs(case: Signs) -> Outcome:
    """Ratios of every matrix, raw and orthonormalized."""
    training = Training(case.settings, case.seed)
    training.until(case.sources.step)
    names = list(training.matrices)
    gradients = ReplicaGradients(
        training.model,
        loss_of,
        training.replicas(case.sources.replicas),
        parameters=training.matrices,
    )
    found = [sign_statistics(replicas) for replicas in stack(gradients, names).values()]
    table = {
        "raw": [one.raw_snr.value for one in found],
        "signs": [one.snr.value for one in found],
        "share": [one.share.value for one in found],
        "agreement": [one.agreement.value for one in found],
    }
    return {
        name: torch.tensor([float("nan") if v is None else v for v in values]).numpy()
        for name, values in table.items()
    }


@dataclass(frozen=True)
class Biased:
    """Simulated gradients of known sign, and pure noise."""

    noise: float
    seed: int


def bias_cases(config: Config) -> Sequence[Biased]:
    return [Biased(0.5, seed) for seed in range(config.simulations.seeds)]


def run_biased(case: Biased) -> Outcome:
    """Cosine of E polar(G_r) with polar(E G), and what ratios say of pure noise."""
    generator = torch.Generator().manual_seed(case.seed)
    values = 8 * 0.6 ** torch.arange(8, dtype=torch.float64)
    g = signal_of(values, 8, 12)
    replicas = additive(g, replicas=REPLICAS, generator=generator, row_std=case.noise)
    mean, sign = polar(replicas).factor.mean(0), polar(g).factor
    silent = torch.randn(MINIBATCHES, 20, 20, generator=generator)
    summary = moments(silent)
    return {
        "cosine": ((mean * sign).sum() / (mean.norm() * sign.norm())).item(),
        "length": (mean.norm() / sign.norm()).item(),
        "printed": NOISE_MEASURES["snr_whole_tensor"](summary).item(),
        "unbiased": NOISE_MEASURES["snr_unbiased"](summary).item(),
    }


SIGNS: Experiment[Config] = Experiment("signs", run_signs, sign_cases)
BIASED: Experiment[Config] = Experiment("sign-bias", run_biased, bias_cases)
