"""The machine as a regulator of images: modes of the data, what is learnt, generated samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.images import load_images
from spectrain_studies.models.rbm import ScalarRBM, Target, start_runs, train_rbm
from spectrain_studies.randomness.config import Config

EMPTY = 1e-10
"""A mode of the data with less variance than that of the largest carries nothing."""


@dataclass(frozen=True, slots=True)
class ImageCase:
    """Images, and the machines that learn them."""

    source: str
    count: int
    held_out: int
    mass_squared: float
    masses: tuple[float, ...]
    hidden: tuple[int, ...]
    drawn: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainedCase:
    """A machine that learns the images by contrastive divergence."""

    source: str
    count: int
    mass_squared: float
    batch: int
    updates: int
    stability: float
    seed: int = 0


def image_cases(config: Config) -> list[ImageCase]:
    one = config.image
    return [
        ImageCase(
            one.source,
            one.count,
            one.held_out,
            one.mass_squared,
            one.masses,
            one.hidden,
            one.drawn,
        )
    ]


def trained_cases(config: Config) -> list[TrainedCase]:
    one = config.image
    return [
        TrainedCase(one.source, one.count, one.mass_squared, one.batch, one.updates, one.stability)
    ]


def _modes(source: str, count: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """Variances 1/κ of the data's modes, descending, modes as columns, mean image, and name."""
    images = load_images(source, count=count)
    flat = images.flat.double()
    mean = flat.mean(0)
    correlator = (flat - mean).mT @ (flat - mean) / len(flat)
    variances, vectors = torch.linalg.eigh(correlator)
    return variances.flip(0).clamp_min(0), vectors.flip(1), mean, images.name


def run_images(case: ImageCase) -> Outcome:
    """κ of all modes; held-out log-likelihood over μ² and N_h; samples of every N_h.

    A machine that has learnt what it can has the kernel eigenvalues κ of its N_h lowest modes
    where they are below μ², and μ² elsewhere; its likelihood needs only the variance of held-out
    images along each mode.
    """
    variances, vectors, mean, name = _modes(case.source, case.count)
    held = load_images(case.source, split="test", count=case.held_out).flat.double() - mean
    test = (held @ vectors).square().mean(0)
    size = len(variances)
    masses = torch.tensor(case.masses, dtype=torch.float64)
    by_mass = [_likelihood(learnt(variances, size, float(m)), test) for m in masses]
    fit_by_mass = [_likelihood(learnt(variances, size, float(m)), variances) for m in masses]
    kernels = [learnt(variances, min(n, size), case.mass_squared) for n in case.hidden]
    generator = torch.Generator().manual_seed(case.seed)
    noise = torch.empty(case.drawn, size, dtype=torch.float64).normal_(generator=generator)
    samples = [mean + (noise / kernel.sqrt()) @ vectors.mT for kernel in kernels]
    reach = [
        (noise / kernel.sqrt())[:, :n].square().sum(1)
        for kernel, n in zip(kernels, case.hidden, strict=True)
    ]
    side = int(size**0.5)
    return {
        "name": name,
        "variances": variances.numpy(),
        "test_variances": test.numpy(),
        "held_out_by_mass": by_mass,
        "train_by_mass": fit_by_mass,
        "held_out_by_hidden": [_likelihood(kernel, test) for kernel in kernels],
        "samples": torch.stack(samples).reshape(len(samples), case.drawn, side, side).numpy(),
        "energy": [float(part.mean()) for part in reach],
        "image": load_images(case.source, count=case.drawn).pixels.numpy(),
    }


def learnt(variances: Tensor, hidden: int, mass_squared: float) -> Tensor:
    """Eigenvalues of the kernel with the largest likelihood for that many hidden units."""
    kernel = torch.full_like(variances, mass_squared)
    wanted = 1 / variances[:hidden].clamp_min(EMPTY * float(variances[0]))
    kernel[:hidden] = wanted.clamp_max(mass_squared)
    return kernel


def _likelihood(kernel: Tensor, variances: Tensor) -> float:
    """Mean log p in nats, less its constant: ½Σ(log k − kv)."""
    return float((kernel.log() - kernel * variances).sum() / 2)


def run_trained(case: TrainedCase) -> Outcome:
    """Levels of WWᵀ in the data's modes before, during and after training, N_h = N_v.

    Worked in the eigenbasis of the data, which leaves the law as it is and the positive phase
    diagonal. α is a fraction of what the stiffest mode bears.
    """
    variances, _, _, name = _modes(case.source, case.count)
    generator = torch.Generator().manual_seed(case.seed)
    size, machine = len(variances), ScalarRBM(case.mass_squared)
    rate = case.stability / float(variances[0]) ** 2 / case.mass_squared
    weights = torch.empty(1, size, size).normal_(generator=generator) / size**0.5
    runs = start_runs(weights, case.batch, machine=machine, generator=generator)
    target = Target(torch.diag(variances).float())
    levels, times = [_diagonal(runs.weights)], [0.0]
    for _ in range(5):
        runs = train_rbm(
            machine,
            target,
            runs,
            rate=rate,
            updates=case.updates // 5,
            sweeps=1,
            gibbs="sampled",
            generator=generator,
        )
        levels.append(_diagonal(runs.weights))
        times.append(runs.updates * rate)
    return {
        "name": name,
        "variances": variances.numpy(),
        "levels": np.stack(levels),
        "times": times,
        "rate": rate,
    }


def _diagonal(weights: Tensor) -> np.ndarray:
    """(WWᵀ)ᵢᵢ in the data's modes."""
    return weights[0].double().square().sum(1).numpy()


IMAGES: Experiment[Config] = Experiment("images", run_images, image_cases)
TRAINED: Experiment[Config] = Experiment("trained_images", run_trained, trained_cases)
