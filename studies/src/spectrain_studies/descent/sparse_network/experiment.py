"""A four-layer network on x₁x₂x₃: courses of full-batch gradient descent and of mixed SpecGD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from spectrain.core import InputError
from spectrain.matrix import nuclear_rank, polar, spectrum, top_eigenvalue
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_dynamics import Network
from spectrain_studies.descent.draws import normal
from spectrain_studies.frame import Experiment, Outcome

HIDDEN = (1, 2)
"""Places of the blocks W₂ and W₃, on which SpecGD takes spectral steps."""

CHUNK = 4096
"""Samples that pass through the network at once where only spectra are wanted."""


@dataclass(frozen=True)
class NetworkCase:
    """One training.

    Attributes:
        setup: network, data and length.
        activation: ``relu2`` or ``swiglu``.
        spectral: whether W₂ and W₃ take spectral steps.
    """

    setup: Network
    activation: str
    spectral: bool

    @property
    def steps(self) -> int:
        """Length of this method's run."""
        return self.setup.spectral_steps if self.spectral else self.setup.steps

    @property
    def rate(self) -> float:
        """Factor of this method's step lengths."""
        return self.setup.spectral_rate if self.spectral else self.setup.rate


@dataclass(frozen=True)
class BatchCase:
    """The network at its start, fed by one batch after another.

    Attributes:
        setup: network.
        activation: ``relu2`` or ``swiglu``.
        batches: their sizes, in the order of the draws.
        seed: of weights and batches.
    """

    setup: Network
    activation: str
    batches: tuple[int, ...]
    seed: int


def draw_network(
    setup: Network, activation: str, generator: torch.Generator
) -> tuple[Float[Tensor, "inputs samples"], list[Tensor]]:
    """Inputs, then the four weights at PyTorch's default, all in float64.

    Source:
        Davis & Drusvyatskiy, Figure 1; the draw order is that of its code.
    """
    return draw_batch(setup, setup.samples, generator), draw_weights(setup, activation, generator)


def draw_batch(
    setup: Network, samples: int, generator: torch.Generator
) -> Float[Tensor, "inputs samples"]:
    """Inputs, one a column."""
    return normal(generator, samples, setup.inputs).mT


def draw_weights(setup: Network, activation: str, generator: torch.Generator) -> list[Tensor]:
    """The four weights."""
    copies = 2 if activation == "swiglu" else 1
    weights = []
    sizes = (setup.inputs, setup.width, setup.width, setup.width, 1)
    for place, (columns, rows) in enumerate(pairwise(sizes)):
        last = place == len(sizes) - 2
        shape = (rows if last else copies * rows, columns)
        weight = torch.empty(shape, dtype=torch.float64)
        weights.append(weight.uniform_(-(columns**-0.5), columns**-0.5, generator=generator))
    return weights


def activate(
    preactivation: Float[Tensor, "rows samples"], activation: str
) -> Float[Tensor, "width samples"]:
    """ReLU² of all rows, or SiLU of the first half of the rows times the second half.

    Raises:
        InputError: the activation is unknown.

    Example:
        >>> activate(torch.tensor([[-1.0], [2.0]]), "relu2").flatten().tolist()
        [0.0, 4.0]
    """
    if activation == "relu2":
        return preactivation.relu().square()
    if activation == "swiglu":
        gate, value = preactivation.chunk(2)
        return F.silu(gate) * value
    raise InputError(f"activation is {activation!r}", remedy="choose relu2 or swiglu")


def forward(
    inputs: Float[Tensor, "inputs samples"], weights: Sequence[Tensor], activation: str
) -> tuple[list[Tensor], Float[Tensor, " samples"]]:
    """What feeds each of the four blocks, and the prediction."""
    feeding = [inputs]
    for weight in weights[:-1]:
        feeding.append(activate(weight @ feeding[-1], activation))
    return feeding, (weights[-1] @ feeding[-1])[0]


def norms_squared(features: Float[Tensor, "k samples"]) -> tuple[float, float]:
    """‖A‖_op² and ‖A‖_F²."""
    wide = features.shape[0] <= features.shape[1]
    gram = features @ features.mT if wide else features.mT @ features
    return top_eigenvalue(gram, rtol=1e-8)[0].item(), gram.trace().item()


def run_network(case: NetworkCase) -> Outcome:
    """Loss before every step; stable ranks of what feeds each block and nuclear ranks at records.

    W_ℓ ← W_ℓ − (rate·n/‖A_{ℓ−1}‖²)·D with D = G and the operator norm, and for spectral blocks
    D = ‖G‖_*·polar(G) and the Frobenius norm. A run that diverges ends where it does.
    """
    generator = torch.Generator().manual_seed(case.setup.seed)
    inputs, weights = draw_network(case.setup, case.activation, generator)
    targets = inputs[:3].prod(0)
    losses: list[float] = []
    records: list[tuple[int, list[float], list[float]]] = []
    for step in range(case.steps + 1):
        leaves = [weight.requires_grad_() for weight in weights]
        feeding, prediction = forward(inputs, leaves, case.activation)
        loss = F.mse_loss(prediction, targets)
        if not isfinite(loss.item()):
            break
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, leaves)
        feeding = [features.detach() for features in feeding]
        norms = [norms_squared(features) for features in feeding]
        if step in case.setup.early or step % case.setup.every == 0:
            stable = [frobenius / largest for largest, frobenius in norms]
            nuclear = [nuclear_rank(spectrum(g, method="exact")).item() for g in gradients]
            records.append((step, stable, nuclear))
        weights = _stepped(case, weights, gradients, norms)
    steps, stable_ranks, nuclear_ranks = zip(*records, strict=True)
    return {
        "loss": np.array(losses + [np.inf] * (case.steps + 1 - len(losses))),
        "steps": np.array(steps),
        "stable_ranks": np.array(stable_ranks),
        "nuclear_ranks": np.array(nuclear_ranks),
    }


def _stepped(
    case: NetworkCase,
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    norms: Sequence[tuple[float, float]],
) -> list[Tensor]:
    after, samples = [], case.setup.samples
    for place, (weight, gradient, (largest, frobenius)) in enumerate(
        zip(weights, gradients, norms, strict=True)
    ):
        direction, curvature = gradient, largest / samples
        if case.spectral and place in HIDDEN:
            factor = polar(gradient).factor
            direction, curvature = (gradient * factor).sum() * factor, frobenius / samples
        after.append(weight.detach() - case.rate / curvature * direction)
    return after


def run_batch(case: BatchCase) -> Outcome:
    """Stable ranks of A₁, A₂, A₃ at the start: batches × three.

    Source:
        Davis & Drusvyatskiy, Figure 17; its code draws the weights first, then batch after batch.
    """
    setup, generator = case.setup, torch.Generator().manual_seed(case.seed)
    weights, ranks = draw_weights(setup, case.activation, generator), []
    for samples in case.batches:
        grams = [torch.zeros(setup.width, setup.width, dtype=torch.float64) for _ in weights[1:]]
        for chunk in draw_batch(setup, samples, generator).split(CHUNK, 1):
            feeding, _ = forward(chunk, weights, case.activation)
            for gram, features in zip(grams, feeding[1:], strict=True):
                gram += features @ features.mT
        ranks.append([(g.trace() / top_eigenvalue(g)[0]).item() for g in grams])
    return {"stable_ranks": np.array(ranks)}


def _pair(setup: Network, activation: str) -> list[NetworkCase]:
    plain = NetworkCase(setup, activation, spectral=False)
    return [plain, replace(plain, spectral=True)]


def _batch_cases(config: Config) -> list[BatchCase]:
    setup, sizes = config.dynamics.sparse, config.dynamics.batch_sizes
    return [
        BatchCase(Network(setup.inputs, setup.width), activation, sizes, setup.seed + repeat)
        for activation in ("swiglu", "relu2")
        for repeat in range(config.dynamics.batch_seeds)
    ]


def _experiment(
    name: str, activation: str, setup: Callable[[Config], Network]
) -> Experiment[Config]:
    return Experiment(name, run_network, lambda config: _pair(setup(config), activation))


SPARSE = _experiment("sparse-relu2", "relu2", lambda config: config.dynamics.sparse)
GATED_SPARSE = _experiment("sparse-swiglu", "swiglu", lambda config: config.dynamics.gated)
GATED_LARGE = _experiment(
    "sparse-swiglu-large", "swiglu", lambda config: config.dynamics.gated_large
)
BATCHES: Experiment[Config] = Experiment("sparse-batches", run_batch, _batch_cases)
