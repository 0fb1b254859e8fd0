"""Scalar statistics of replicas: every signal-to-noise ratio in use, each under its own name.

Throughout tr Ĉ is the covariance trace of a replica of average weight, N the number of entries and
R the number of replicas. Definitions without a correction do not fall to 0 on pure noise but to the
floor that their formula names.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.measure import Reduction, Registry
from spectrain.noise.moments import Moments
from spectrain.noise.power import Power

NOISE_MEASURES = Registry()
"""All scalar statistics of replicas by name: functions of merged :class:`Moments`, or of their
:class:`Power`, which leaves the entrywise ratio undefined."""

NEED_ENTRIES = frozenset({"noise_evenness", "snr_per_parameter"})
"""Statistics that energies alone do not give."""

Scalar = Float[Tensor, ""]
_MOMENTS = Reduction.MOMENTS
_INFORMATION_FLOW = "“Information Flow & Gradient Quality Hypothesis”"


@NOISE_MEASURES.register(
    unit="1",
    formula="(‖ḡ‖² − tr Ĉ/R)/tr Ĉ (floor 0)",
    citation="‖E g‖²/tr C with both unbiased; the reciprocal of McCandlish et al. 2018, eq. (2.9)",
    reduction=_MOMENTS,
)
def snr_unbiased(moments: Moments | Power) -> Scalar:
    """Power ratio ‖E g‖²/tr C, numerator and denominator unbiased: 0 in the mean on pure noise.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> round(snr_unbiased(moments(torch.tensor([[1.0], [3.0]]))).item(), 4)
        1.5
    """
    return moments.signal / moments.replica_variance


@NOISE_MEASURES.register(
    unit="1",
    formula="‖ḡ‖²/tr Ĉ (floor 1/R)",
    citation="power form of the ratio below",
    reduction=_MOMENTS,
)
def snr_power(moments: Moments | Power) -> Scalar:
    """Power ratio without correction.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> snr_power(moments(torch.tensor([[1.0], [3.0]]))).item()
        2.0
    """
    return moments.mean_square / moments.replica_variance


@NOISE_MEASURES.register(
    unit="1",
    formula="‖ḡ‖_F/‖s‖_F = ‖ḡ‖_F/√tr Ĉ (floor 1/√R)",
    citation=f"{_INFORMATION_FLOW}, Experiment 5, pseudocode (without its + 1e-10)",
    reduction=_MOMENTS,
)
def snr_whole_tensor(moments: Moments | Power) -> Scalar:
    """Norm of the mean over the norm of the entrywise standard deviations.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> round(snr_whole_tensor(moments(torch.tensor([[1.0], [3.0]]))).item(), 4)
        1.4142
    """
    return snr_power(moments).sqrt()


@NOISE_MEASURES.register(
    unit="1",
    formula="‖ḡ‖_F/σ̂, σ̂ = √(tr Ĉ/N) (floor √(N/R))",
    citation=f"{_INFORMATION_FLOW}, “Gradient Signal-to-Noise Ratio”: ‖E g‖_F/std(g)",
    reduction=_MOMENTS,
)
def snr_entry_std(moments: Moments | Power) -> Scalar:
    """Norm of the mean over the standard deviation of one entry: √N times the whole-tensor ratio.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> round(snr_entry_std(moments(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))).item(), 4)
        2.0
    """
    return snr_whole_tensor(moments) * moments.entries**0.5


@NOISE_MEASURES.register(
    unit="1",
    formula="N⁻¹ Σⱼ |ḡⱼ|/sⱼ over entries with sⱼ > 0 (floor √(2/πR))",
    citation="mean of the entrywise ratios, as in “A Minimal Mathematical Model …”, §2.1",
    reduction=_MOMENTS,
)
def snr_per_parameter(moments: Moments | Power) -> Scalar:
    """Mean over parameters of |mean|/std; NaN without entrywise scatter or without noise.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> m = moments(torch.tensor([[1.0, -1.0], [3.0, -3.0]]), entrywise=True)
        >>> round(snr_per_parameter(m).item(), 4)
        1.4142
    """
    if isinstance(moments, Power) or moments.entry_scatter is None or moments.count < 2:
        return moments.scatter * torch.nan
    variance = moments.entry_scatter / (moments.count - 1) * (moments.count / moments.weight)
    ratio = moments.mean.abs() / variance.sqrt()
    return ratio.masked_fill(variance == 0, torch.nan).nanmean()


@NOISE_MEASURES.register(
    unit="1",
    formula="least of (Σ sᵢ)²/(m Σ sᵢ²), sᵢ the noise of row i, and of columns (floor 1/max(m, n))",
    citation="participation ratio of the row and column sums of diag C; 1 for isotropic noise",
    reduction=_MOMENTS,
)
def noise_evenness(moments: Moments | Power) -> Scalar:
    """How evenly the noise falls on rows and columns; NaN without entrywise scatter or for vectors.

    Chance leaves about 1 − 2/(n(R−1)) of isotropic normal noise.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> g = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[3.0, 3.0], [0.0, 0.0]]])  # one noisy row
        >>> noise_evenness(moments(g, entrywise=True)).item()
        0.5
    """
    if isinstance(moments, Power) or moments.entry_scatter is None or moments.mean.ndim != 2:
        return moments.scatter * torch.nan
    sides = (moments.entry_scatter.sum(1 - side) for side in (0, 1))
    return torch.stack([s.sum().square() / (s.numel() * s.square().sum()) for s in sides]).min()


@NOISE_MEASURES.register(
    unit="1",
    formula="‖ḡ‖_F/(N√tr Ĉ) (floor 1/(N√R))",
    citation="“A Minimal Mathematical Model …”, eq. (3): ∝ 1/d² for a matrix, 1/d for a vector",
    reduction=_MOMENTS,
)
def snr_parameter_normalised(moments: Moments | Power) -> Scalar:
    """Whole-tensor ratio divided by the number of parameters.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> m = moments(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        >>> round(snr_parameter_normalised(m).item(), 4)
        0.7071
    """
    return snr_whole_tensor(moments) / moments.entries


@NOISE_MEASURES.register(
    unit="1",
    formula="ρ̂ = (RÛ − T̂)/((R−1)T̂), Û = ‖ḡ‖², T̂ = mean ‖g_r‖² (floor 0)",
    citation="one-number predictor of spectral echo; not clipped to [0, 1] here",
    reduction=_MOMENTS,
)
def energy_fraction(moments: Moments | Power) -> Scalar:
    """Share of a replica's energy that is signal, ‖E g‖²/E‖g‖².

    A Frobenius statistic: the echo of the top directions can be near 1 while ρ is small.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> round(energy_fraction(moments(torch.tensor([[1.0], [3.0]]))).item(), 4)
        0.6
    """
    return moments.signal / (moments.signal + moments.replica_variance)


@NOISE_MEASURES.register(
    unit="unit of g²",
    formula="σ̂² = Σ‖g_r − ḡ‖²/((R−1)N)",
    citation="per-entry variance of the spectral-echo analysis",
    reduction=_MOMENTS,
)
def entry_variance(moments: Moments | Power) -> Scalar:
    """Variance of one entry of a replica, averaged over entries.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> entry_variance(moments(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))).item()
        1.0
    """
    return moments.replica_variance / moments.entries


@NOISE_MEASURES.register(
    unit="unit of g²",
    formula="‖ḡ‖² − tr Ĉ/R",
    citation="McCandlish et al. 2018, appendix A.1, |G|²",
    reduction=_MOMENTS,
)
def signal_power(moments: Moments | Power) -> Scalar:
    """Unbiased ‖E g‖²; averaged over steps before it divides or is divided.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> signal_power(moments(torch.tensor([[1.0], [3.0]]))).item()
        3.0
    """
    return moments.signal


@NOISE_MEASURES.register(
    unit="unit of g²",
    formula="tr Ĉ = Σ‖g_r − ḡ‖²/(R−1)",
    citation="McCandlish et al. 2018, appendix A.1, S/B",
    reduction=_MOMENTS,
)
def noise_power(moments: Moments | Power) -> Scalar:
    """Unbiased tr C of a replica of average weight.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> noise_power(moments(torch.tensor([[1.0], [3.0]]))).item()
        2.0
    """
    return moments.replica_variance


@NOISE_MEASURES.register(
    unit="weight of a replica (examples, if weights are batch sizes)",
    formula="B_simple = tr Ĉ₁/(‖ḡ‖² − tr Ĉ₁/W), C₁ at unit weight",
    citation="McCandlish et al. 2018, eq. (2.9) and appendix A.1",
    reduction=_MOMENTS,
)
def noise_scale(moments: Moments | Power) -> Scalar:
    """Simple gradient noise scale; negative where no signal was found, infinite at exactly none.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> round(noise_scale(moments(torch.tensor([[1.0], [3.0]]))).item(), 4)
        0.6667
    """
    return moments.variance / moments.signal
