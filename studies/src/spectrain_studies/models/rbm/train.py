"""Persistent contrastive divergence of many Gaussian machines at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError
from spectrain_studies.models.rbm.machine import ScalarRBM

Gibbs: TypeAlias = Literal["collapsed", "sampled"]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is learnt.

    Attributes:
        correlator: ⟨φφᵀ⟩ of the target, the exact positive phase.
        data: configurations; where given, the positive phase is that of a mini-batch of them.
    """

    correlator: Float[Tensor, "n n"]
    data: Float[Tensor, "samples n"] | None = None

    @classmethod
    def of_data(cls, data: Float[Tensor, "samples n"], *, exact: bool) -> Target:
        """The second moments of data (about zero), or the data themselves."""
        return cls(data.mT @ data / len(data), None if exact else data)


@dataclass(frozen=True, slots=True, eq=False)
class RBMRuns:
    """Runs in the middle of their training.

    Attributes:
        weights: W of every run.
        chains: the persistent chains of every run, |B| of them.
        updates: number of updates so far.
    """

    weights: Float[Tensor, "runs n h"]
    chains: Float[Tensor, "runs batch n"]
    updates: int = 0

    @property
    def levels(self) -> Float[Tensor, "runs levels"]:
        """Eigenvalues x = ξ² of the smaller of WᵀW and WWᵀ, ascending."""
        weights = (
            self.weights if self.weights.shape[1] >= self.weights.shape[2] else self.weights.mT
        )
        return torch.linalg.eigvalsh(weights.mT @ weights).clamp_min(0)


def start_runs(
    weights: Float[Tensor, "runs n h"],
    batch: int,
    *,
    machine: ScalarRBM | None = None,
    generator: torch.Generator | None = None,
) -> RBMRuns:
    """Runs at their start.

    Args:
        weights: initial W; N(0, 0.01) in the authors' code, N(0, 1/N) in their document.
        batch: |B|, the number of chains of each run.
        machine: where given, chains start from its law, else all at one, as the authors' do.
        generator: for the chains' start.

    Raises:
        InputError: no chain.
    """
    if batch < 1:
        raise InputError(f"batch is {batch}", remedy="pass a positive number of chains")
    if machine is None:
        return RBMRuns(weights, weights.new_ones(len(weights), batch, weights.shape[1]))
    generator = generator or torch.Generator().manual_seed(0)
    return RBMRuns(weights, machine.sample(weights, batch, generator=generator))


def train_rbm(
    machine: ScalarRBM,
    target: Target,
    runs: RBMRuns,
    *,
    rate: float,
    updates: int,
    sweeps: int = 3,
    gibbs: Gibbs = "collapsed",
    generator: torch.Generator,
) -> RBMRuns:
    """Persistent contrastive divergence: W ← W + α σ_h² (⟨φφᵀ⟩_target − (1/|B|) Σ_b φ_b φ_bᵀ) W.

    Before each update every chain makes k Gibbs sweeps φ → h → φ. A sweep is a linear map plus
    Gaussian noise: with P = σ_h²WWᵀ/μ², k of them are φ → P^kφ + noise of covariance
    (1 + P^k)(1 + P + … + P^{k−1})/μ². So k sweeps are ``"collapsed"`` into one draw of the same
    law; ``"sampled"`` makes them one by one, which is cheaper where N is in the hundreds. All runs
    are one tensor program. Noise is drawn in float32 (24 bits) and carried in the weights' dtype.

    Args:
        machine: μ² and σ_h².
        target: exact or sampled positive phase.
        runs: where to go on from; not changed.
        rate: α.
        updates: number of updates.
        sweeps: k.
        gibbs: how the sweeps are made.
        generator: source of all noise.

    Returns:
        The runs, ``updates`` later.

    Raises:
        InputError: rate, updates or sweeps are out of range, or sizes do not fit.

    Source: Tieleman (2008); Aarts, Lucini & Park, arXiv:2309.15002, §III.

    Example:
        >>> from spectrain_studies.models.rbm import LatticeField
        >>> field, machine = LatticeField(sites=4), ScalarRBM(mass_squared=9.0)
        >>> generator = torch.Generator().manual_seed(0)
        >>> start = machine.start_at(field.kernel, 4, count=50, generator=generator)
        >>> runs = start_runs(start, 16, machine=machine, generator=generator)
        >>> runs = train_rbm(machine, Target(field.correlator), runs, rate=0.01, updates=100,
        ...                  generator=generator)
        >>> (9 - runs.levels.mean(0)).round(decimals=0)  # κ = 8, 6, 6, 4
        tensor([8., 6., 6., 4.], dtype=torch.float64)
    """
    if not rate >= 0 or updates < 0 or sweeps < 1:
        raise InputError(
            f"rate is {rate}, updates {updates}, sweeps {sweeps}",
            remedy="pass a rate ≥ 0, updates ≥ 0 and at least one sweep",
        )
    if target.correlator.shape != (runs.weights.shape[1],) * 2:
        raise InputError(
            f"the target has {len(target.correlator)} units and the weights "
            f"{runs.weights.shape[1]}",
            remedy="pass weights with a row for every unit of the target",
        )
    weights, chains = runs.weights, runs.chains
    batch, strength = chains.shape[1], rate * machine.hidden_variance
    for _ in range(updates):
        if gibbs == "collapsed":
            chains = _collapsed(machine, weights, chains, sweeps, generator)
        else:
            for _ in range(sweeps):
                chains = _sweep(machine, weights, chains, generator)
        positive = _positive(target, len(weights), batch, generator)
        gap = torch.baddbmm(positive, chains.mT, chains, alpha=-1 / batch)
        weights = torch.baddbmm(weights, gap, weights, alpha=strength)
    return replace(runs, weights=weights, chains=chains, updates=runs.updates + updates)


def _positive(target: Target, runs: int, batch: int, generator: torch.Generator) -> Tensor:
    if target.data is None:
        return target.correlator.expand(runs, -1, -1)
    drawn = torch.randint(len(target.data), (runs, batch), generator=generator)
    visible = target.data[drawn]
    return visible.mT @ visible / batch


def _sweep(
    machine: ScalarRBM, weights: Tensor, chains: Tensor, generator: torch.Generator
) -> Tensor:
    """H given φ ~ N(σ_h²Wᵀφ, σ_h²), then φ given h ~ N(Wh/μ², 1/μ²)."""
    mean = machine.hidden_variance * (chains @ weights)
    hidden = mean + machine.hidden_variance**0.5 * normal(mean, generator)
    mean = hidden @ weights.mT / machine.mass_squared
    return mean + machine.mass_squared**-0.5 * normal(mean, generator)


def _collapsed(
    machine: ScalarRBM, weights: Tensor, chains: Tensor, sweeps: int, generator: torch.Generator
) -> Tensor:
    step = weights @ weights.mT * (machine.hidden_variance / machine.mass_squared)
    series, map_ = step.clone(), step
    series.diagonal(dim1=-2, dim2=-1).add_(1)  # 1 + P + … + P^(k−1) when the loop has ended
    for power in range(2, sweeps + 1):
        map_ = step @ map_
        if power < sweeps:
            series += map_
    if sweeps == 1:
        series = series - step
    covariance = torch.baddbmm(series, map_, series)
    factor = torch.linalg.cholesky_ex(covariance / machine.mass_squared).L
    return torch.baddbmm(chains @ map_, normal(chains, generator), factor.mT)


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of another tensor's shape and dtype, drawn in float32."""
    drawn = torch.empty(like.shape, dtype=torch.float32, device=like.device)
    return drawn.normal_(generator=generator).to(like.dtype)
