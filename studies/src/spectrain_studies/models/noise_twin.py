"""The noise twin: the same optimizer and schedule on random gradients.

Its norm is what noise and weight decay alone would make of a block. Where a trained block sits on
its twin's trajectory, the data had no say in its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain_studies.models.update_rules import UpdateRule, apply_

KEPT = 512
"""Updates kept at most for the autocorrelation."""


@dataclass(frozen=True, slots=True)
class Twin:
    """What twins of one block did, T steps of them.

    Attributes:
        squared_norms: ‖W‖² after each step and of each twin.
        energies: ‖u‖² of the last updates.
        products: mean of ⟨u_t, u_{t+k}⟩ over the last updates for k = 0, 1, …
        angles: angle in radians between the weights before and after each of the last steps.
    """

    squared_norms: Float64[Tensor, "steps twins"]
    energies: Float64[Tensor, "kept twins"]
    products: Float64[Tensor, "lags twins"]
    angles: Float64[Tensor, "kept twins"]

    @property
    def autocorrelation(self) -> Float64[Tensor, " lags"]:
        """c_k = E⟨u_t, u_{t+k}⟩/E‖u‖², in the mean over twins."""
        return self.products.mean(1) / self.products[0].mean()

    def persistence(self, decay: float = 1.0) -> Float64[Tensor, " twins"]:
        """S_a = 1 + 2Σ aᵏ c_k over the measured lags, of each twin.

        Example:
            >>> from spectrain_studies.models.update_rules import Momentum
            >>> twin = noise_twin(
            ...     lambda: Momentum(0.5), (8, 8), twins=4, learning_rates=[0.1] * 300,
            ...     weight_decay=0.1, generator=torch.Generator().manual_seed(0), lags=20,
            ... )
            >>> abs(twin.persistence().mean().item() - 3) < 0.3  # (1 + μ)/(1 − μ)
            True
        """
        weights = decay ** torch.arange(1, len(self.products), dtype=torch.float64)
        return 1 + 2 * weights @ self.products[1:] / self.products[0].mean()


def noise_twin(
    rule: Callable[[], UpdateRule],
    shape: tuple[int, ...],
    *,
    twins: int,
    learning_rates: Sequence[float],
    weight_decay: float,
    generator: torch.Generator,
    initial: float = 0.0,
    lags: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Twin:
    """Run twins of a block: independent standard normal gradients, batched over the twins.

    Args:
        rule: makes the optimizer, one of :mod:`spectrain_studies.models.update_rules`.
        shape: of the block.
        twins: independent runs.
        learning_rates: η of each step.
        weight_decay: λ.
        generator: source of gradients and initial weights.
        initial: standard deviation of the initial weights.
        lags: longest lag of the autocorrelation, which is taken over the last updates.
        dtype: of the computation.

    Raises:
        InputError: there are no twins or no steps, or not more steps than lags.

    Source:
        Velikanov et al. 2026, arXiv:2601.04890 (their control run); formulas in
        :mod:`spectrain.regime.equilibrium`.

    Example:
        >>> from spectrain_studies.models.update_rules import AdamW
        >>> twin = noise_twin(
        ...     AdamW, (20, 20), twins=8, learning_rates=[0.1] * 600, weight_decay=0.1,
        ...     generator=torch.Generator().manual_seed(0),
        ... )
        >>> mean = twin.squared_norms[-100:].mean().item() / 400  # η/2λ = 0.5
        >>> 0.4 < mean < 0.6
        True
    """
    steps = len(learning_rates)
    if twins < 1 or not steps > lags:
        raise InputError(f"{twins} twins of {steps} steps", remedy="ask for more of both")

    def draw() -> Tensor:
        return torch.randn(twins, *shape, generator=generator, dtype=dtype)

    weight, optimizer = initial * draw(), rule()
    squares = torch.empty(steps, twins, dtype=torch.float64)
    kept = min(steps, max(KEPT, 8 * lags)) if lags else 1
    updates, angles = [], []
    for step, rate in enumerate(learning_rates):
        update = optimizer.update(draw())
        late = step >= steps - kept
        before = weight.clone() if late else weight
        apply_(weight, update, learning_rate=rate, weight_decay=weight_decay)
        flat = weight.flatten(1).double()
        squares[step] = flat.square().sum(1)
        if late:
            updates.append(update.flatten(1).double())
            cosine = torch.cosine_similarity(before.flatten(1).double(), flat, dim=1)
            angles.append(cosine.clamp(-1, 1).arccos())
    stack = torch.stack(updates)
    return Twin(squares, stack.square().sum(2), _products(stack, lags), torch.stack(angles))


def _products(
    updates: Float64[Tensor, "kept twins n"], lags: int
) -> Float64[Tensor, "lags_ twins"]:
    kept = len(updates)
    products = [(updates[: kept - lag] * updates[lag:]).sum(2).mean(0) for lag in range(lags + 1)]
    return torch.stack(products)
