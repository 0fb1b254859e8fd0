"""The arms: which optimizer, and what is done to its gradients or updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from spectrain.optim.interventions import (
    AddNoise,
    Compose,
    DiagonalFisher,
    Equalize,
    Flatten,
    Intervened,
    KeepTop,
    NormalizeColumns,
    NormalizeRows,
    Orthonormalize,
    RandomizeDirections,
    Scale,
    ScaleByShape,
    SwapSpectrum,
    Transformation,
)
from spectrain.optim.interventions.transformation import Memory
from spectrain_studies.rank.config import Interventions

MOMENTUM = 0.95
BETAS = (0.9, 0.95)
ONE_STEP = 1

Build = Callable[[Interventions, torch.Generator], list[Transformation]]


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        name: of the arm.
        base: ``momentum`` (SGD, Nesterov) or ``adamw``.
        what: in words.
        update: transformations of the base's update, in order.
        gradient: transformations of its gradient.
        matrices: ``hidden``, and then embedding, head and vectors take a plain AdamW of fixed step
            size; or ``all``, as the document's optimizer has it.
    """

    name: str
    base: Literal["momentum", "adamw"]
    what: str
    update: Build | None = None
    gradient: Build | None = None
    matrices: Literal["hidden", "all"] = "hidden"


class KeepShare(Transformation):
    """:class:`KeepTop` with k as a share of full rank, at least one direction."""

    conserves, changes = KeepTop.conserves, KeepTop.changes

    def __init__(self, share: float) -> None:
        self.share = share

    def apply(self, matrix: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Keep max(1, share·min(m, n)) singular values."""
        return KeepTop(max(1, round(self.share * min(matrix.shape[-2:])))).apply(matrix, memory)


def make_optimizer(
    arm: Arm,
    settings: Interventions,
    transformed: list[nn.Parameter],
    rest: list[nn.Parameter],
    rates: torch.Tensor,
    auxiliary: float,
) -> list[Optimizer]:
    """The arm's optimizer of stacked matrices, a rate a copy, and AdamW for the rest.

    The optimizer's own learning rate is 1, and is left for a schedule to turn.
    """
    generator = torch.Generator().manual_seed(_DRAWS)
    inner = _base(arm, transformed)
    gradient = arm.gradient(settings, generator) if arm.gradient else []
    update = arm.update(settings, generator) if arm.update else []
    main = Intervened(
        inner,
        gradient=Compose(gradient) if gradient else None,
        update=Compose([*update, Scale(rates)]),
        stacked=True,
    )
    if not rest:
        return [main]
    return [main, AdamW(rest, lr=auxiliary, betas=BETAS, weight_decay=0.0)]


def momentum_of(optimizer: Optimizer, parameter: nn.Parameter) -> torch.Tensor:
    """The average of past gradients that the optimizer keeps."""
    state = optimizer.state[parameter]
    found: torch.Tensor = state.get("momentum_buffer", state.get("exp_avg"))
    return found


def _base(arm: Arm, parameters: list[nn.Parameter]) -> Optimizer:
    if arm.base == "momentum":
        return SGD(parameters, lr=1.0, momentum=MOMENTUM, nesterov=True)
    return AdamW(parameters, lr=1.0, betas=BETAS, weight_decay=0.0)


def _plain(*parts: Transformation) -> Build:
    return lambda settings, generator: list(parts)


def _few(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [KeepShare(settings.keep_few)]


def _ten(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [KeepTop(settings.keep)]


def _equal_top(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [KeepShare(settings.equal_share), Orthonormalize("exact"), ScaleByShape()]


def _turned(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [RandomizeDirections(generator)]


def _noisy(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [AddNoise(settings.snr, generator)]


def _swapped(settings: Interventions, generator: torch.Generator) -> list[Transformation]:
    return [SwapSpectrum(settings.lag)]


_DRAWS = 20_251_125
_EQUAL_F, _EQUAL_N = Equalize("frobenius"), Equalize("nuclear")
_MUON = _plain(Orthonormalize("quintic"), ScaleByShape())
_ONE = _plain(Orthonormalize("quintic", steps=ONE_STEP), ScaleByShape())

MAIN = (
    Arm("adamw", "adamw", "AdamW"),
    Arm("muon", "momentum", "five quintic Newton-Schulz steps on the momentum (Muon)", _MUON),
    Arm("sgd", "momentum", "SGD with momentum"),
)
"""The optimizers of Experiment 1."""

PRINTED = tuple(
    Arm(
        f"printed-{name}",
        "adamw",
        f"Adam given {what}, all matrices",
        gradient=build,
        matrices="all",
    )
    for name, what, build in (
        ("full", "the gradient", None),
        ("top10", "the gradient's 10 largest singular values", _ten),
        ("few", "the gradient's few largest singular values", _few),
        ("orthonormal", "the orthonormalized gradient", _plain(Orthonormalize("quintic"))),
        ("equal", "the gradient equalized at equal nuclear norm", _plain(_EQUAL_N)),
    )
)
"""Experiment 3 as printed: the gradient is changed, then Adam divides it entry by entry."""

ON_ADAM = tuple(
    Arm(f"adamw-{name}", "adamw", f"AdamW's update, {what}", build)
    for name, what, build in (
        ("top10", "10 largest singular values", _ten),
        ("few", "few largest singular values", _few),
        ("orthonormal", "orthonormalized", _MUON),
        ("equal-frobenius", "equalized at equal Frobenius norm", _plain(_EQUAL_F)),
        ("equal-nuclear", "equalized at equal nuclear norm", _plain(_EQUAL_N)),
    )
)
"""Experiment 3 where it controls what reaches the weights: on AdamW's update."""

ON_MOMENTUM = tuple(
    Arm(name, "momentum", f"momentum, {what}", build)
    for name, what, build in (
        ("exact", "exactly orthonormalized", _plain(Orthonormalize("exact"), ScaleByShape())),
        ("top10", "10 largest singular values", _ten),
        ("few", "few largest singular values", _few),
        ("equal-top", "largest quarter of the singular values made 1, the rest 0", _equal_top),
        ("equal-frobenius", "equalized at equal Frobenius norm", _plain(_EQUAL_F)),
        ("equal-nuclear", "equalized at equal nuclear norm", _plain(_EQUAL_N)),
        ("flat-0.75", "σ^0.75 at equal Frobenius norm", _plain(Flatten(0.75))),
        ("flat-0.5", "σ^0.5 at equal Frobenius norm", _plain(Flatten(0.5))),
        ("flat-0.25", "σ^0.25 at equal Frobenius norm", _plain(Flatten(0.25))),
        ("turned", "random directions with the same spectrum", _turned),
        ("swapped", "its directions with an earlier step's spectrum", _swapped),
        ("noisy", "noise of equal power added", _noisy),
    )
)
"""Interventions on the momentum's update, where direction, rank and equalization come apart."""

CHEAP = (
    Arm("rows", "momentum", "rows of unit norm", _plain(NormalizeRows())),
    Arm(
        "columns",
        "momentum",
        "columns of unit norm",
        _plain(NormalizeColumns(), ScaleByShape()),
    ),
    Arm("one-step", "momentum", "one quintic Newton-Schulz step", _ONE),
    Arm("fisher", "momentum", "diagonal-Fisher step", gradient=_plain(DiagonalFisher())),
)
"""What costs less than Muon and keeps the rank."""

ARMS = {arm.name: arm for arm in (*MAIN, *PRINTED, *ON_ADAM, *ON_MOMENTUM, *CHEAP)}
