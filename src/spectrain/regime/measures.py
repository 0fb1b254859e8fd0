"""How much of an update persists: signal seen by comparing a gradient with what came before it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.measure import Registry

REGIME_MEASURES = Registry()
"""Measures of a gradient or update against the past, by name."""

CHUNK = 1 << 20
"""Entries that are brought to float64 at once."""

Scalar = Float[Tensor, "*batch"]


def overlap(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, " 3"]:
    """⟨a, b⟩, ‖a‖², ‖b‖², in float64: those of parts of a and b add up to those of the whole.

    Example:
        >>> overlap(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0])).tolist()
        [3.0, 5.0, 9.0]
    """
    parts = ([a.double(), b.double()] for a, b in zip(_chunks(one), _chunks(other), strict=True))
    return torch.stack([torch.stack([a.dot(b), a.dot(a), b.dot(b)]) for a, b in parts]).sum(0)


def _chunks(tensor: Float[Tensor, "*shape"]) -> Iterator[Float[Tensor, " m"]]:
    """Its entries by rows: of a view that is laid out otherwise no more than a chunk is copied."""
    if tensor.numel() <= CHUNK:
        return iter((tensor.reshape(-1),))
    rows = max(CHUNK // (tensor.numel() // len(tensor)), 1)
    return (part.reshape(-1) for part in tensor.split(rows))


def foretold(overlap: Float[Tensor, " 3"]) -> Float[Tensor, ""]:
    """⟨a, b⟩/‖a‖².

    Example:
        >>> foretold(torch.tensor([3.0, 6.0, 9.0])).item()
        0.5
    """
    return overlap[0] / overlap[1]


def cosine(overlap: Float[Tensor, " 3"]) -> Float[Tensor, ""]:
    """⟨a, b⟩/(‖a‖‖b‖).

    Example:
        >>> cosine(torch.tensor([3.0, 4.0, 9.0])).item()
        0.5
    """
    return overlap[0] / (overlap[1].sqrt() * overlap[2].sqrt())


@REGIME_MEASURES.register(
    unit="1",
    formula="⟨g_t, m̂_{t−1}⟩/‖g_t‖² (0 in the mean on pure noise, error ‖m̂‖/(‖g‖√N))",
    citation="this project; m̂ the optimizer's average of earlier gradients, corrected for bias",
)
def persistent_energy(
    gradient: Float[Tensor, "*shape"], average: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Share of a gradient's energy that earlier gradients predict: ‖E g‖²/E‖g‖², if E g is steady.

    The average must not contain the gradient itself. A signal that turns within the average's
    memory counts as noise, and one that oscillates gives a negative value.

    Example:
        >>> g = torch.tensor([1.0, 2.0])
        >>> persistent_energy(g, g).item(), persistent_energy(g, torch.zeros(2)).item()
        (1.0, 0.0)
    """
    return foretold(overlap(gradient, average))


@REGIME_MEASURES.register(
    unit="1",
    formula="⟨u_{t−1}, u_t⟩/(‖u_{t−1}‖‖u_t‖) (β₁ in the mean for AdamW on pure noise)",
    citation="c₁ of the summed autocorrelation, Kosson et al. 2024, §3",
)
def successive_cosine(
    previous: Float[Tensor, "*shape"], current: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Alignment of successive updates, decay left out.

    Example:
        >>> round(successive_cosine(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])).item(), 4)
        0.7071
    """
    return cosine(overlap(previous, current))
