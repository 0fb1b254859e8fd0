"""RMSNorm and the softmax: their largest first and second derivatives, found by ascent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import normal
from spectrain_studies.frame import Experiment, Outcome

STARTS = 8
RATE = 0.2

Columns = Float[Tensor, "d starts"]


def rms_norm_derivatives(x: Columns, u: Columns) -> tuple[Columns, Columns]:
    """Of f = √d·x/‖x‖: √d/‖x‖·(u − cx̂) and −√d/‖x‖²·(2c(u − cx̂) + (‖u‖² − c²)x̂), c = x̂ᵀu.

    Example:
        >>> e = torch.eye(2)
        >>> first, second = rms_norm_derivatives(e[:, :1], e[:, 1:])
        >>> round(first.norm().item(), 4), round(second.norm().item(), 4)
        (1.4142, 1.4142)
    """
    size = x.square().sum(0).sqrt()
    root, unit = x.shape[0] ** 0.5, x / size
    c = (unit * u).sum(0)
    across = u - c * unit
    return root / size * across, -root / size**2 * (2 * c * across + across.square().sum(0) * unit)


def softmax_derivatives(x: Columns, u: Columns) -> tuple[Columns, Columns]:
    """Of p = softmax(x): p∘(u − ū) and p∘((u − ū)² − pᵀ(u − ū)²), ū = pᵀu.

    Example:
        >>> first, second = softmax_derivatives(torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]]))
        >>> first.flatten().tolist(), second.flatten().tolist()
        ([0.5, -0.5], [0.0, 0.0])
    """
    p = x.softmax(dim=0)
    away = u - (p * u).sum(0)
    return p * away, p * (away.square() - (p * away.square()).sum(0))


def norm_input(free: Columns) -> Columns:
    """Columns with ½ ≤ ‖x‖²/d ≤ 2: any direction, the size out of the first entry."""
    mean_square = 0.5 + 1.5 * free[0].sigmoid()
    return free * (mean_square / free.square().mean(0)).sqrt()


@dataclass(frozen=True)
class Primitive:
    """A map of columns.

    Attributes:
        kind: ``rms norm``, on columns of mean square between ½ and 2, or ``softmax``, on any.
        size: d, the length of a column.
        steps: of the ascent.
        seed: of its starts.
    """

    kind: str
    size: int
    steps: int
    seed: int


def run_primitive(case: Primitive) -> Outcome:
    """The largest ‖Df[u]‖ and ‖D²f[u, u]‖ over unit u that ascent finds from eight starts each."""
    generator = torch.Generator().manual_seed(case.seed)
    normed = case.kind == "rms norm"
    of = rms_norm_derivatives if normed else softmax_derivatives
    found = []
    for order in (0, 1):
        scales = torch.logspace(-1, 1, STARTS, dtype=torch.float64)
        free = (normal(generator, case.size, STARTS) * scales).requires_grad_()
        along = normal(generator, case.size, STARTS).requires_grad_()
        ascent = torch.optim.Adam([free, along], lr=RATE, maximize=True)
        best = 0.0
        for _ in range(case.steps):
            at = norm_input(free) if normed else free
            reached = of(at, along / along.square().sum(0).sqrt())[order].square().sum(0).sqrt()
            best = max(best, reached.max().item())
            ascent.zero_grad()
            reached.sum().backward()
            ascent.step()
        found.append(best)
    return {"first": found[0], "second": found[1]}


def _cases(config: Config) -> Sequence[Primitive]:
    layered = config.theory.layered
    return [
        Primitive(kind, size, layered.steps, seed)
        for kind in ("rms norm", "softmax")
        for size in layered.sizes
        for seed in range(layered.seeds)
    ]


PRIMITIVES: Experiment[Config] = Experiment("primitives", run_primitive, _cases)
