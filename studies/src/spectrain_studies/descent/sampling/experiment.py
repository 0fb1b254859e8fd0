"""Samples of laws whose second moment is known: how far stable ranks, traces and norms deviate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.descent.activations import relu_second_moment
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import effective_rank, normal
from spectrain_studies.frame import Experiment, Outcome

FREEDOM = 3
"""Degrees of freedom of the heavy-tailed law: a second moment, and no fourth."""

CHUNK = 4096
QUANTILE = 0.9


@dataclass(frozen=True)
class Law:
    """A random vector.

    Attributes:
        kind: ``gaussian`` N(0, I); ``relu`` features of orthogonal weights on Gaussian inputs;
            ``heavy`` independent Student entries.
        dimension: of the vector.
    """

    kind: str
    dimension: int

    def second_moment(self) -> Float[Tensor, "d d"]:
        """M = E[zzᵀ]."""
        identity = torch.eye(self.dimension, dtype=torch.float64)
        if self.kind == "relu":
            return relu_second_moment(identity)
        return identity * (FREEDOM / (FREEDOM - 2) if self.kind == "heavy" else 1.0)

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
        """Independent copies, one a row."""
        drawn = normal(generator, count, self.dimension)
        if self.kind == "relu":
            return drawn.relu()
        if self.kind == "gaussian":
            return drawn
        return drawn / normal(generator, FREEDOM, count, self.dimension).square().mean(0).sqrt()


@dataclass(frozen=True)
class Path:
    """One growing sample of a law."""

    law: Law
    samples: int
    seed: int


def run_path(case: Path) -> Outcome:
    """|st(Z_n)/er(M) − 1| at n = 64, 128, … of one and the same sequence of vectors."""
    generator = torch.Generator().manual_seed(case.seed)
    target = effective_rank(case.law.second_moment())
    total = torch.zeros(case.law.dimension, case.law.dimension, dtype=torch.float64)
    marks, deviations, seen = [], [], 0
    while seen < case.samples:
        block = case.law.draw(max(64, min(seen, CHUNK)), generator)
        total, seen = total + block.mT @ block, seen + len(block)
        if seen & (seen - 1) == 0:
            marks.append(seen)
            deviations.append(abs(effective_rank(total / seen) / target - 1).item())
    return {"samples": np.array(marks), "deviation": np.array(deviations)}


def _paths(config: Config) -> Sequence[Path]:
    sampling = config.theory.sampling
    return [
        Path(Law(kind, 16), sampling.path, seed)
        for kind in ("relu", "heavy")
        for seed in range(4 * sampling.seeds)
    ]


@dataclass(frozen=True)
class Deviating:
    """Many samples of a law, at every size."""

    law: Law
    samples: tuple[int, ...]
    repeats: int
    seed: int


def run_deviating(case: Deviating) -> Outcome:
    """0.9-quantiles, over samples of each size n, of the relative deviations.

    ``trace`` |tr M_n/tr M − 1|, ``norm`` ‖M_n − M‖/‖M‖ and ``rank`` |st(Z_n)/er(M) − 1|.
    """
    generator = torch.Generator().manual_seed(1000 * case.law.dimension + case.seed)
    moment = case.law.second_moment()
    trace, norm = moment.trace(), torch.linalg.matrix_norm(moment, 2)
    found: dict[str, list[float]] = {"trace": [], "norm": [], "rank": []}
    for count in case.samples:
        drawn = [case.law.draw(count, generator) for _ in range(case.repeats)]
        sample = torch.stack([z.mT @ z / count for z in drawn])
        traces = sample.diagonal(dim1=1, dim2=2).sum(1)
        deviations = {
            "trace": traces / trace - 1,
            "norm": torch.linalg.eigvalsh(sample - moment).abs().amax(1) / norm,
            "rank": effective_rank(sample) * norm / trace - 1,
        }
        for name, values in deviations.items():
            found[name].append(values.abs().quantile(QUANTILE).item())
    told = {name: np.array(values) for name, values in found.items()}
    return {**told, "effective_rank": (trace / norm).item()}


def _deviating(config: Config) -> Sequence[Deviating]:
    sampling = config.theory.sampling
    return [
        Deviating(Law(kind, d), sampling.samples, sampling.repeats * max(1, 32 // d), seed)
        for kind in ("gaussian", "relu")
        for d in sampling.dimensions
        for seed in range(sampling.seeds)
    ]


PATHS: Experiment[Config] = Experiment("sample-paths", run_path, _paths)
DEVIATIONS: Experiment[Config] = Experiment("deviations", run_deviating, _deviating)
