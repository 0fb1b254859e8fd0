"""Where weight decay and noise balance: W ← aW − ηu with a = 1 − ηλ and updates u without signal.

If the updates are stationary, have mean 0 and do not depend on W, then W = −ηΣ_k aᵏ u_{t−k} and

    E‖W‖² = η² U² S_a/(1 − a²),   S_a = 1 + 2 Σ_{k≥1} aᵏ c_k,

with U² = E‖u‖² and c_k = E⟨u_t, u_{t+k}⟩/U². As 1 − a² = ηλ(2 − ηλ), a small ηλ gives
E‖W‖² → ηU²S/(2λ): the norm depends on the step's size and memory alone, not on the gradient's
scale. The memory S, the summed autocorrelation, is what momentum does: it leaves U²S of AdamW at
the number of entries, so that its root mean square weight is √(η/2λ) whatever β₁ is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, inf, sqrt
from typing import Any, overload

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from spectrain.core.errors import InputError

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class NoiseUpdate:
    """An optimizer's update at learning rate 1 where its gradients are noise without signal.

    Attributes:
        energy: U² = E‖u‖².
        terms: the autocorrelation as geometric terms (w, q): c_k = Σ w qᵏ for lags k ≥ 1.
        spread: relative error of U²S that the theory leaves, 0 where it is exact.
        coupled: decay passes through the same memory as the gradient, and so does not shorten it.

    Example:
        >>> round(adamw_noise(100, beta1=0.9).persistence(), 6)
        19.0
    """

    energy: float
    terms: tuple[tuple[float, float], ...] = ()
    spread: float = 0.0
    coupled: bool = False

    def autocorrelation(self, lag: int) -> float:
        """Cosine c_k of updates ``lag`` ≥ 1 steps apart, in the mean."""
        return sum(weight * rate**lag for weight, rate in self.terms)

    @overload
    def persistence(self, decay: float = 1.0) -> float: ...
    @overload
    def persistence(self, decay: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def persistence(self, decay: Any = 1.0) -> Any:
        """S_a = 1 + 2Σ aᵏ c_k at a = ``decay``; S₁ where decay is coupled.

        With b ← μb + g + λW and W ← W − ηb the weights are an autoregression of second order, of
        variance η²σ²(1+μ)/((1−μ)ηλ(2(1+μ)−ηλ)): that of decoupled decay λ/(1−μ) with S₁, up to ηλ.
        """
        decay = decay**0 if self.coupled else decay
        summed = sum((w * decay * q / (1 - decay * q) for w, q in self.terms), 0.0 * decay)
        return 1 + 2 * summed


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """What noise and decay settle at.

    Attributes:
        squared_norm: E‖W‖²_F.
        angular_update: angle between W before and after a step, in radians.
        relaxation_steps: steps in which a deviation of ‖W‖² falls to 1/e: 1/(2ηλ).
    """

    squared_norm: float
    angular_update: float
    relaxation_steps: float

    @property
    def norm(self) -> float:
        """√E‖W‖²."""
        return sqrt(self.squared_norm)

    def rms(self, count: int) -> float:
        """Root mean square of one of ``count`` entries."""
        return sqrt(self.squared_norm / count)


def adamw_noise(count: int, *, beta1: float = 0.9) -> NoiseUpdate:
    """AdamW on independent gradients: U² = N(1−β₁)/(1+β₁), c_k = β₁ᵏ.

    Taking the second moment as settled, an entry of the update is m/σ with m an exponential average
    of unit noise, so U²S = N. Fluctuations of v add a relative error of order 1 − β₂.

    Args:
        count: number of entries N.
        beta1: decay of the first moment.

    Raises:
        InputError: ``count`` is below 1 or ``beta1`` outside [0, 1).

    Source:
        Kosson, Messmer & Jaggi 2024, Rotational equilibrium, §3.2 and appendix D.

    Example:
        >>> settled = equilibrium(adamw_noise(100), learning_rate=0.01, weight_decay=0.01)
        >>> round(settled.rms(100), 4), round(settled.relaxation_steps)
        (0.7068, 5000)
    """
    _check_count(count)
    _check_share(beta1=beta1)
    return NoiseUpdate(count * (1 - beta1) / (1 + beta1), ((1.0, beta1),) if beta1 else ())


def sgd_noise(count: int, *, momentum: float = 0.0, variance: float = 1.0) -> NoiseUpdate:
    """SGD with heavy-ball momentum u ← μu + g and decoupled decay: U² = Nσ²/(1−μ²), c_k = μᵏ.

    Unlike AdamW's, the norm follows the gradient's scale: ‖W‖² → ηNσ²/(2λ(1−μ)²).

    Args:
        count: number of entries N.
        momentum: μ.
        variance: σ² of an entry of the gradient.

    Raises:
        InputError: a number is out of range.

    Source:
        Kosson, Messmer & Jaggi 2024, Rotational equilibrium, appendix D.

    Example:
        >>> update = sgd_noise(1, momentum=0.5)
        >>> round(update.energy * update.persistence(), 6)  # 1/(1 − μ)²
        4.0
    """
    _check_count(count)
    _check_share(momentum=momentum)
    if not variance > 0:
        raise InputError(f"variance is {variance}", remedy="pass a positive number")
    terms = ((1.0, momentum),) if momentum else ()
    return NoiseUpdate(count * variance / (1 - momentum**2), terms)


def equilibrium(update: NoiseUpdate, *, learning_rate: float, weight_decay: float) -> Equilibrium:
    """Norm, angle and relaxation time at which noise and decoupled decay balance.

    The angle θ of a step follows from the same process without approximation,
    1 − cos θ = η²U²/(2aE‖W‖²) − (1−a)²/2a, and tends to √(2ηλ/S) for small ηλ: for AdamW
    √(2ηλ(1−β₁)/(1+β₁)).

    Args:
        update: of :func:`adamw_noise`, :func:`sgd_noise` or
            :func:`~spectrain.regime.muon.muon_noise`.
        learning_rate: η.
        weight_decay: λ, decoupled: a step multiplies W by 1 − ηλ.

    Raises:
        InputError: η or λ is not positive, or ηλ ≥ 1.

    Source:
        Kosson, Messmer & Jaggi 2024, §3; the summed autocorrelation as in the module's text.

    Example:
        >>> settled = equilibrium(adamw_noise(100), learning_rate=0.01, weight_decay=0.01)
        >>> f"{settled.angular_update:.4f}"  # √(2ηλ·0.1/1.9) = 0.00324
        '0.0032'
    """
    product = learning_rate * weight_decay
    if not (learning_rate > 0 and 0 < product < 1):
        raise InputError(
            f"learning rate {learning_rate} and weight decay {weight_decay} have no equilibrium",
            remedy="both must be positive and their product below 1",
        )
    decay = 1 - product
    kicked = learning_rate**2 * update.energy
    squared = kicked * update.persistence(decay) / (product * (2 - product))
    turned = kicked / (2 * decay * squared) - product**2 / (2 * decay)
    return Equilibrium(squared, 2 * asin(sqrt(max(turned, 0.0) / 2)), 1 / (2 * product))


def expected_squared_norms(
    update: NoiseUpdate,
    *,
    initial: float,
    learning_rates: Sequence[float] | Float64[Array, " steps"],
    weight_decay: float,
) -> Float64[Array, " steps"]:
    """E‖W‖² after each step of a schedule: n ← a²n + η²U²S_a, a = 1 − η_tλ.

    The memory of the updates is taken as short against changes of the schedule and against 1/(ηλ);
    without decay the norm grows as that of a random walk.

    Args:
        update: of an optimizer on noise.
        initial: ‖W‖² before the first step.
        learning_rates: η of each step.
        weight_decay: λ ≥ 0.

    Raises:
        InputError: a rate or the decay is negative, or their product reaches 1.

    Example:
        >>> rates = [0.01] * 30_000
        >>> path = expected_squared_norms(
        ...     adamw_noise(100), initial=0.0, learning_rates=rates, weight_decay=0.01
        ... )
        >>> f"{path[-1]:.1f}"  # after 6 relaxation times, of 49.95 at equilibrium
        '49.8'
    """
    rates = np.asarray(learning_rates, dtype=np.float64)
    if weight_decay < 0 or (rates < 0).any() or (rates * weight_decay >= 1).any():
        raise InputError(
            "a learning rate or the weight decay has no equilibrium",
            remedy="pass rates and a decay that are not negative, with products below 1",
        )
    decays = 1 - rates * weight_decay
    kicks = rates**2 * update.energy * update.persistence(decays)
    path, norm = np.empty(len(rates)), float(initial)
    for step, (decay, kick) in enumerate(zip(decays, kicks, strict=True)):
        norm = decay**2 * norm + kick
        path[step] = norm
    return path


def relaxations(learning_rates: Float64[Array, " steps"], weight_decay: float) -> float:
    """Relaxation times of ‖W‖² that a schedule spans: −2Σ log(1 − η_tλ).

    Example:
        >>> round(relaxations(np.full(5000, 0.01), 0.01), 2)
        1.0
    """
    products = np.asarray(learning_rates) * weight_decay
    return float(-2 * np.log1p(-products).sum()) if (products < 1).all() else inf


def _check_count(count: int) -> None:
    if count < 1:
        raise InputError(f"a tensor of {count} entries", remedy="pass a positive number")


def _check_share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < 1:
            raise InputError(f"{name} is {value}", remedy="pass a number in [0, 1)")
