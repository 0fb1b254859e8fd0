"""The spike that the mean of the features makes, by activation and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal
from spectrain_studies.frame import Experiment, Outcome

UNGATED = ("relu", "relu2", "gelu")
GATED = "swiglu"


@dataclass(frozen=True)
class Spiked:
    """Random features of Gaussian inputs.

    Attributes:
        activation: one of ``relu``, ``relu2``, ``gelu``, ``swiglu``.
        width: k; there are k/2 inputs and 4k samples.
        seed: of the draws.
    """

    activation: str
    width: int
    seed: int

    def features(self) -> Float[Tensor, "k n"]:
        """σ(VX), or SiLU(V_1X)∘V_2X, with entries N(0, 1/d) of V and N(0, 1) of X."""
        generator = torch.Generator().manual_seed(self.seed)
        inputs = self.width // 2
        x = normal(generator, inputs, 4 * self.width)
        hidden = gaussian(self.width, inputs, generator) @ x
        if self.activation != GATED:
            return ACTIVATIONS[self.activation].apply(hidden)
        return functional.silu(hidden) * (gaussian(self.width, inputs, generator) @ x)


def run_spiked(case: Spiked) -> Outcome:
    """Energy share of the mean, its cosine with the top singular vector, and st(A)."""
    a = case.features()
    mean, energy = a.mean(1), a.square().sum()
    u, s, _ = torch.linalg.svd(a, full_matrices=False)
    return {
        "share": (a.shape[1] * mean.square().sum() / energy).item(),
        "cosine": ((mean @ u[:, 0]).abs() / mean.norm()).item(),
        "rank": (energy / s[0].square()).item(),
    }


def _spiked(config: Config) -> Sequence[Spiked]:
    spike = config.theory.spike
    return [
        Spiked(activation, width, seed)
        for activation in (*UNGATED, GATED)
        for width in spike.widths
        for seed in range(spike.seeds)
    ]


SPIKED: Experiment[Config] = Experiment("mean-spike", run_spiked, _spiked)
