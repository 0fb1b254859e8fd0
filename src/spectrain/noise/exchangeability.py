"""Whether the gradients of one step are replicas: their order must not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

EVIDENCE = 1000.0
"""Evidence beyond which replicas are refused: by chance one run in a thousand ever reaches it."""

SHARPNESS = (0.5, 1.0, 2.0, 4.0)
"""Strength of the bets that a step is ordered, in standard deviations; the bets are averaged."""

MOST = 120
"""Orders of a step that are tried: all for up to five replicas, else this many drawn at random."""


@dataclass(slots=True)
class Exchangeability:
    """A bet, step after step, that a gradient's position in the step says something of it.

    Of each step's R gradients, centred and of unit energy, x_p is compared with the running mean
    m_p of those at the same position before: z = Σ_p⟨x_p, m_p⟩. Were the R exchangeable given the
    past, every order π of them would be as likely, and so

        e = exp(θz)/mean_π exp(θz_π)

    has mean 1, with π over all orders, or over the identity and orders drawn at random. The product
    over steps passes 1/α at any time with probability α at most (Ville). Several losses, or real
    and generated inputs, in turn keep their place and let it grow without bound.

    Attributes:
        generator: draws orders.
        steps: that were taken in.
        highest: ln of the largest evidence so far.
        attainable: ln of the evidence that perfectly ordered steps would have given.

    Source:
        Grünwald, de Heide & Koolen 2024, “Safe testing”, §2; the inverse of Ville 1939. The bet is
        the soft rank of Koning 2024 (arXiv:2310.01153).

    Example:
        >>> test = Exchangeability(torch.Generator().manual_seed(0))
        >>> for step in range(12):
        ...     test.update(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> test.refused, test.can_tell
        (True, True)
    """

    generator: torch.Generator
    steps: int = field(default=0, init=False)
    _logs: list[float] = field(default_factory=lambda: [0.0] * len(SHARPNESS), init=False)
    attainable: float = field(default=0.0, init=False)
    highest: float = field(default=0.0, init=False)
    _sums: dict[int, Tensor] = field(default_factory=dict, init=False)

    def update(self, gradients: Float[Tensor, "replicas features"]) -> None:
        """Take in one step: some features of each replica, in the order in which they came."""
        count = len(gradients)
        x = gradients.double() - gradients.double().mean(0)
        energy = x.square().sum()
        if count < 2 or not bool(energy.isfinite()) or not bool(energy):
            return
        x = x / energy.sqrt()
        before = self._sums.get(count)
        if before is not None and bool((products := x @ before.mT).any()):
            self._bet(products)
        self._sums[count] = x if before is None else before + x
        self.steps += 1

    def _bet(self, products: Float[Tensor, "replicas replicas"]) -> None:
        """With ⟨x_p, m_q⟩ of every pair."""
        orders = self._orders(len(products)).to(products.device)
        sums = _sums_of(products, orders)
        spread = products.norm() / math.sqrt(len(products) - 1)
        z = (sums / spread).tolist()
        for index, sharpness in enumerate(SHARPNESS):
            highest = max(z)
            weights = [math.exp(sharpness * (one - highest)) for one in z]
            mean = sum(weights) / len(weights)
            self._logs[index] += sharpness * (z[0] - highest) - math.log(mean)
        self.attainable += math.log(len(z))
        self.highest = max(self.highest, self.log_evidence)

    def _orders(self, count: int) -> Tensor:
        """The order as it was, first; then the others, or as many at random."""
        if math.factorial(count) <= MOST:
            return torch.tensor(list(permutations(range(count))))
        drawn = [torch.randperm(count, generator=self.generator) for _ in range(MOST - 1)]
        return torch.stack([torch.arange(count), *drawn])

    @property
    def log_evidence(self) -> float:
        """Ln of the evidence so far against exchangeability."""
        top = max(self._logs)
        return top + math.log(sum(math.exp(one - top) for one in self._logs) / len(self._logs))

    @property
    def refused(self) -> bool:
        """Whether the evidence has ever passed :data:`EVIDENCE`."""
        return self.highest >= math.log(EVIDENCE)

    @property
    def can_tell(self) -> bool:
        """Whether these steps could have refused what is perfectly ordered."""
        return self.attainable >= math.log(EVIDENCE)


def _sums_of(products: Tensor, orders: Tensor) -> Tensor:
    """Σ_p⟨x_π(p), m_p⟩ of every order π."""
    return products[orders, torch.arange(products.shape[1], device=products.device)].sum(1)
