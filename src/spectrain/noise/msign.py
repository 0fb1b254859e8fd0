"""Matrix signs of replicas: how far orthonormalizing a noisy gradient is from its mean's sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix import polar
from spectrain.noise.deviations import deviations
from spectrain.noise.estimate import LEVEL, Estimate, mean_estimate
from spectrain.noise.intervals import energy_share, signal_to_noise
from spectrain.noise.moments import moments

MatrixSign = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class SignStatistics:
    """Polar factors P_r of replicas against the polar factor of the mean of the others.

    The polar factor is not linear: E polar(G_r) ≠ polar(E G_r). Noise shrinks it (the share is
    below 1) and turns it (the agreement stays below the root of the share).

    Attributes:
        snr: unbiased ‖E P‖²/tr Cov P.
        share: ‖E P‖²/E‖P‖², the energy fraction: 1 without noise.
        agreement: E⟨P_r, polar(Ḡ₋ᵣ)⟩/(‖P_r‖‖polar(Ḡ₋ᵣ)‖): 1 if the sign of a replica were that of
            the mean.
        raw_snr: the same ratio of the gradients themselves.
    """

    snr: Estimate
    share: Estimate
    agreement: Estimate
    raw_snr: Estimate


def exact_sign(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """The exact polar factor UVᵀ."""
    return polar(matrix).factor


def sign_statistics(
    replicas: Sequence[Float[Tensor, "m n"]] | Float[Tensor, "replicas m n"],
    *,
    msign: MatrixSign = exact_sign,
    level: float = LEVEL,
) -> SignStatistics:
    """Signal-to-noise ratio of raw and orthonormalized replicas, and the bias of the latter.

    Args:
        replicas: R gradients, held in memory.
        msign: what orthonormalizes; exact unless a Newton-Schulz iteration is passed.
        level: nominal coverage.

    Raises:
        InputError: there are fewer than 3 replicas.

    Source:
        “Information Flow & Gradient Quality Hypothesis”, Experiment 5, with unbiased ratios.

    Example:
        >>> import torch
        >>> noise = torch.randn(8, 6, 6, generator=torch.Generator().manual_seed(0))
        >>> g = torch.eye(6) + 0.1 * noise
        >>> statistics = sign_statistics(g)
        >>> 0.9 < statistics.share.value < 1 and 0.9 < statistics.agreement.value < 1
        True
    """
    count = len(replicas)
    if count < 3:
        raise InputError(f"{count} replicas", remedy="pass at least 3")
    summary = moments(replicas)
    signs = [msign(replica) for replica in replicas]
    raw = deviations(replicas, summary, window=count - 1)
    turned = deviations(signs, moments(signs), window=count - 1)
    cosines = summary.mean.new_empty(count)
    for index, (replica, sign) in enumerate(zip(replicas, signs, strict=True)):
        others = msign((summary.mean * count - replica) / (count - 1)).double()
        norms = sign.double().norm() * others.norm()
        cosines[index] = (sign * others).sum() / norms.clamp(min=1e-300)
    return SignStatistics(
        snr=signal_to_noise(turned, level=level),
        share=energy_share(turned, level=level),
        agreement=mean_estimate(cosines.cpu(), level=level),
        raw_snr=signal_to_noise(raw, level=level),
    )
