"""Signal and noise of the minimal model's gradients: exact, from every example's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.models.minimal_model import gradient


@dataclass(frozen=True, slots=True)
class GradientNoise:
    """Mean and covariance of one example's gradient, of one kind of parameter.

    Attributes:
        mean: the full-batch gradient, entries flattened.
        variance: of every entry over the examples.
    """

    mean: Float[Tensor, "*runs n"]
    variance: Float[Tensor, "*runs n"]

    @property
    def noise_scale(self) -> Float[Tensor, "*runs"]:
        """Tr C/‖g‖², in examples (McCandlish et al. 2018, eq. 2.9)."""
        return self.variance.sum(-1) / self.mean.square().sum(-1)

    def ratios(self, batch_size: float | Tensor) -> Mapping[str, Float[Tensor, "*runs"]]:
        """Signal-to-noise ratios of a batch's gradient, in every definition in use.

        The names are those of :mod:`spectrain.noise.snr`, of which these are the limits for many
        replicas: ``snr_whole_tensor`` ‖g‖/√(tr C/B), its square ``snr_power``,
        ``snr_per_parameter`` the mean of |g_j|/√(C_jj/B), and ``snr_parameter_normalised`` the
        first over the number of entries.

        Example:
            >>> noise = GradientNoise(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 1.0]))
            >>> round(noise.ratios(2)["snr_power"].item(), 4)
            25.0
        """
        whole = (self.noise_scale / batch_size).rsqrt()
        deviation = self.variance.sqrt()
        each = (self.mean.abs() / deviation).mean(-1) * torch.as_tensor(batch_size).sqrt()
        return {
            "snr_whole_tensor": whole,
            "snr_per_parameter": each,
            "snr_power": whole.square(),
            "snr_parameter_normalised": whole / self.mean.shape[-1],
        }


def gradient_noise(
    parameters: Float[Tensor, "*arms seeds d d1"], data: Float[Tensor, "seeds n two_d"]
) -> tuple[GradientNoise, GradientNoise]:
    """Mean and variance of the examples' gradients for W and for γ.

    With residuals e = γ ∘ (Wx) − y an example's gradients are (γ ∘ e)xᵀ and e ∘ (Wx).

    Args:
        parameters: (W, γ).
        data: rows (x, y) of each seed.
    """
    d = parameters.shape[-2]
    mean = gradient(parameters, full_moments(data))
    runs = parameters.reshape(-1, *data.shape[:1], d, d + 1)
    squares = torch.stack([_mean_squares(run, data) for run in runs]).reshape(parameters.shape)
    variance = (squares - mean.square()).clamp_min(0)
    parts = (slice(None, -1), slice(-1, None))
    weight, gamma = (
        GradientNoise(mean[..., part].flatten(-2), variance[..., part].flatten(-2))
        for part in parts
    )
    return weight, gamma


def full_moments(data: Float[Tensor, "*seeds n two_d"]) -> Float[Tensor, "*seeds two_d d"]:
    """X above Y over all samples."""
    return data.mT @ data[..., : data.shape[-1] // 2] / data.shape[-2]


def losses(
    parameters: Float[Tensor, "*arms seeds d d1"], data: Float[Tensor, "seeds n two_d"]
) -> Float[Tensor, "*arms seeds"]:
    """The loss over all samples, ½E‖γ ∘ (Wx) − y‖².

    Example:
        >>> data = torch.tensor([[[1.0, 3.0]]])
        >>> losses(torch.tensor([[[2.0, 1.0]]]), data)
        tensor([0.5000])
    """
    d = parameters.shape[-2]
    moments = full_moments(data)
    x, y = moments[..., :d, :], moments[..., d:, :]
    scaled = parameters[..., :-1] * parameters[..., -1:]
    quadratic = ((scaled @ x) * scaled).sum((-2, -1)) - 2 * (scaled * y).sum((-2, -1))
    return 0.5 * (quadratic + data[..., d:].square().sum(-1).mean(-1))


def _mean_squares(
    run: Float[Tensor, "seeds d d1"], data: Float[Tensor, "seeds n two_d"]
) -> Float[Tensor, "seeds d d1"]:
    """E of the squared gradient entries over the examples."""
    d = run.shape[-2]
    x, y = data[..., :d], data[..., d:]
    output = x @ run[..., :-1].mT
    gamma = run[..., -1]
    errors = (output * gamma.unsqueeze(-2) - y).square()
    weight = (errors * gamma.square().unsqueeze(-2)).mT @ x.square() / x.shape[-2]
    return torch.cat([weight, (errors * output.square()).mean(-2).unsqueeze(-1)], -1)
